/*
 * Slots: the connections that all threads together may have to each endpoint of an upstream, resting ones
 * included, and the one queue of those that wait for one. Who came first goes first; only a warm connection
 * stays on its thread if somebody waits there who came at most SLOTS_LEAD_US after the first of the queue.
 * While anybody waits, nothing rests: a thread with resting connections is asked for one by letter.
 *
 * An upstream whose connections are not bounded has none of this. Everything under `shared` is under the lock
 * of the upstream's slots; the rest belongs to the thread of the member. Called by cluster.c and pool.c;
 * knows neither connections nor requests.
 */
#ifndef PORTICO_UPSTREAM_SLOTS_H
#define PORTICO_UPSTREAM_SLOTS_H

#include "base/address.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/task.h"

#include <stdatomic.h>
#include <stdint.h>

/* How much later a waiter may have come that gets a warm connection of its own thread all the same. */
enum { SLOTS_LEAD_US = 50 * 1000 };

struct outbound;
struct slots;      /* of one upstream */
struct slots_book; /* of all upstreams, by name */
struct tally;      /* the connections to one endpoint, and those that are about to be made */

struct slots_member;

/* Asked to close up to `count` resting connections; with `busy` also to let connections go that are shared by
 * exchanges, once those have ended. On the member's thread. */
typedef void slots_give_up_fn(struct slots_member *member, uint32_t count, bool busy);

/* One thread's part in the slots of an upstream; all zero but mailbox and give_up before it joins. */
struct slots_member {
    struct slots *slots; /* NULL: the upstream's connections are not bounded */
    struct mailbox *mailbox;
    slots_give_up_fn *give_up;
    struct letter letter;
    _Atomic bool posted; /* the letter is on its way */
    struct {
        struct list_node node; /* the slots' members */
        struct list waiting;   /* struct claim, who came first first */
        struct list granted;   /* struct claim: have a slot and have not used it yet */
        uint32_t spare;        /* resting connections */
        uint32_t channels;     /* connections that exchanges share */
        uint32_t asked;        /* connections it has been asked for */
    } shared;
};

/* What somebody has who needs a connection: a place in the queue, then what it is given. */
struct claim {
    struct task *task;           /* woken when its turn comes */
    bool fresh;                  /* a warm connection is of no use: one has just died */
    uint64_t since_us;           /* when it first asked; stays when it asks again. 0: never */
    struct outbound *outbound;   /* a warm connection that it was given */
    struct slots_member *member; /* while it waits or has an unused slot, else NULL */
    struct {
        struct list_node node; /* the slots' queue */
        struct list_node own;  /* the member's waiting or granted */
        struct tally *slot;    /* an unused slot of this endpoint, or NULL */
    } shared;
};

/* What becomes of a warm connection that nobody uses any more. */
enum slots_rest {
    SLOTS_REST,  /* it may rest; it counts as spare from now on */
    SLOTS_HEIR,  /* it goes to a waiting claim of this thread */
    SLOTS_CLOSE, /* another thread waits, or there are too many: close it */
};

/* Makes a book without upstreams; one for all threads. */
struct slots_book *slots_book_new(void);

/* Frees it and stores NULL. Every member must have quit. Accepts NULL. */
void slots_book_free(struct slots_book **book);

/* The thread takes part: the slots of this name are made if it is the first. */
void slots_join(struct slots_book *book, struct slots_member *member, const char *upstream);

/* The thread's connections are not bounded any more: its claims ask anew. Its tallies live on until they are
 * quit. */
void slots_quit(struct slots_member *member);

/* From now on there may be so many connections to each endpoint and so many claims in the queue. */
void slots_bound(struct slots_member *member, uint32_t connections_max, uint32_t queue_max);

/* The tally of an endpoint, to which the thread has so many connections already. */
struct tally *tally_join(struct slots_member *member, const struct address *address, uint32_t connections);

/* The thread chooses the endpoint no more: claims are not sent to it. */
void tally_retire(struct tally *tally);

/* The thread's endpoint ends, or its connections are not counted any more; stores NULL. Accepts NULL. */
void tally_quit(struct tally **tally, struct slots_member *member, uint32_t connections);

/* Connecting has failed: claims are sent elsewhere until then. */
void tally_avoid(struct tally *tally, uint64_t until_us);

/* Whether there are more connections than there may be. */
bool tally_is_over(struct tally *tally);

/* A slot of the endpoint, if one is free and nobody who came before waits. */
bool claim_try(struct claim *claim, struct slots_member *member, struct tally *tally);

/* Whether the claim may take one of the member's resting connections, which is not spare any more then. */
bool claim_try_spare(struct claim *claim, struct slots_member *member);

/* Waits in the queue; false when it is full. The task is woken when its turn has come, or must ask anew. */
bool claim_wait(struct claim *claim, struct slots_member *member);

/* Whether it waits. */
bool claim_waits(struct claim *claim);

/* The endpoint whose slot it has been given and has not used; NULL: none. */
struct tally *claim_slot(struct claim *claim);

/* The slot has become a connection, to be given back by slots_free(). */
void claim_use(struct claim *claim);

/* For claim_leave(). */
void claim_give_up(struct claim *claim);

/* Leaves the queue, or gives an unused slot to the next; most claims have neither. */
static inline void claim_leave(struct claim *claim)
{
    if (claim->member)
        claim_give_up(claim);
}

/* A connection has ended; `spare`: it was resting. */
void slots_free(struct slots_member *member, struct tally *tally, bool spare);

/* A warm connection is not used any more. */
enum slots_rest slots_rest(struct slots_member *member, struct tally *tally, struct claim **heir_out);

/* A connection that exchanges share begins (+1) or ends (-1) to take more of them, or to rest. */
void slots_note(struct slots_member *member, int channels, int spare);

/* Lets up to `count` claims of this thread ask anew: a shared connection has room. */
void slots_call(struct slots_member *member, uint32_t count);

#endif
