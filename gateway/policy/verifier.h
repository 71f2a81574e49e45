/*
 * Credentials checked beside the loops, for all threads and all configurations of a process. What was right
 * lately is known for some minutes, by a keyed hash of user, password and stored hash: a request then costs
 * microseconds, and a stored hash that a reload has changed is no longer known. Those who ask the same at
 * once share one check. What attackers can take is bounded: a client has a few checks at a time, and one
 * whose last check failed waits behind the others.
 */
#ifndef PORTICO_POLICY_VERIFIER_H
#define PORTICO_POLICY_VERIFIER_H

#include "base/address.h"
#include "base/loop.h"

struct verifier;
struct verifier_ticket;

/* What is found out. */
enum verifier_answer {
    VERIFIER_PENDING, /* wait: the ticket's task is woken */
    VERIFIER_RIGHT,
    VERIFIER_WRONG,
    VERIFIER_BUSY /* not checked: too many wait */
};

/* Checks that a client may have under way, and how long right credentials are known. */
enum { VERIFIER_CLIENT_MAX = 8, VERIFIER_KNOWN_S = 300 };

/* What is to be verified; texts are terminated, and copied. */
struct verifier_question {
    struct slice user, password;
    struct slice hash; /* of the user; of another one when there is no such user, for the time it takes */
    bool is_user;      /* else the answer is WRONG, after that time */
    unsigned char client[16]; /* who asks: those with the same bytes share their fate */
};

/* Makes one, refs == 1. */
struct verifier *verifier_new(void);

/* One more reference; any thread. */
struct verifier *verifier_ref(struct verifier *verifier);

/* Gives up a reference and stores NULL. Any thread; accepts NULL. */
void verifier_unref(struct verifier **verifier);

/* Asks, on the loop's thread. With PENDING, the task is woken when the ticket has another answer; the ticket
 * MUST be dropped. */
enum verifier_answer verifier_ask(struct verifier *verifier, struct loop *loop, struct task *task,
                                  const struct verifier_question *question,
                                  struct verifier_ticket **ticket_out);

/* What is known by now. On the thread that asked. */
enum verifier_answer verifier_answer_of(const struct verifier_ticket *ticket);

/* Nobody waits any more; the task is not woken from now on. Stores NULL; accepts NULL. */
void verifier_drop(struct verifier_ticket **ticket);

#endif
