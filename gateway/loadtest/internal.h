/*
 * What the files of a generator share. Everything belongs to its thread but `shared`. A call is one request
 * at a time: it waits in `idle` until something is due, takes a connection of its client or opens one, asks,
 * and is told by its task what came. Whatever the outcome, it ends in generator_done().
 */
#ifndef PORTICO_LOADTEST_INTERNAL_H
#define PORTICO_LOADTEST_INTERNAL_H

#include "base/alarm.h"
#include "base/counters.h"
#include "http/stream.h"
#include "loadtest/generator.h"
#include "loadtest/websocket_reader.h"
#include "process/loop.h"

#include <stdatomic.h>

/* What an answer's head may be, and the memory a call has for one without asking malloc. */
enum { LOAD_HEAD_MAX = 64 * 1024, LOAD_FIELDS_MAX = 200, LOAD_ARENA_FIRST = 2048 };

struct load_call;

/* A WebSocket between its messages. */
struct load_websocket {
    struct stream *stream;
    struct websocket_reader reader;
    struct body tx;
};

/* Where a call keeps a connection that it does not use: of HTTP/1.1, or a WebSocket. */
struct load_seat {
    struct stream *stream;
    struct load_websocket *websocket;
};

/* A connection of HTTP/2. */
struct load_session {
    struct loop *loop;
    struct task watcher; /* in the end frees this */
    struct h2_outbound *h2;
    struct load_session **place; /* whose it is, while it takes new streams */
};

/* One client of the gateway. */
struct load_client {
    struct load_session **sessions; /* by seat; NULL where none is open */
};

/* What a call is doing. */
enum load_call_state {
    CALL_FREE,
    CALL_OPENING, /* its connection is not open yet */
    CALL_ASKED,   /* the request has been sent */
    CALL_ECHO     /* a WebSocket's message is on its way there and back */
};

/* One request at a time of a client. */
struct load_call {
    struct task task;      /* owns its streams */
    struct list_node node; /* generator->idle or ->resting */
    struct timer timer;
    struct generator *generator;
    struct load_client *client;
    struct load_seat *seats;
    enum load_call_state state;
    unsigned index; /* of the line in the plan */
    const struct load_line *line;
    uint64_t due_us;
    struct stream *stream;            /* in use */
    struct load_websocket *websocket; /* in use */
    struct body tx;                   /* of the request's content, what is on its way */
    uint64_t tx_left;                 /* and what is not yet */
    bool tx_turn;                     /* which filler comes next */
    bool has_head, found;             /* the final head has come; what was expected has been seen */
    struct arena arena;
    _Alignas(16) char first[LOAD_ARENA_FIRST];
};

/* One event stream, see events.c. */
struct load_subscriber;

/* See loadtest/generator.h. */
struct generator {
    const struct load_plan *plan;
    unsigned number;
    struct counters counters;
    struct loop loop;
    struct tls_dialer **dialers; /* two for each origin: http/1.1, h2 */
    struct load_client *clients;
    struct load_call *calls;
    unsigned client_count, call_count;
    struct load_subscriber *subscribers;
    unsigned subscriber_count;
    struct load_session **event_sessions; /* by origin: whose streams subscribers have over HTTP/2 */
    struct list idle;                     /* calls, who has waited longest first */
    struct list resting;                  /* calls that begin with the next beats of the pulse */
    uint64_t idle_since_us;
    struct schedule schedule;
    struct alarm *alarm;
    struct task pacer;
    struct timer pulse;
    unsigned cycle_at;
    unsigned active;         /* calls that are not free */
    uint64_t end_us;         /* nothing begins from here on */
    struct block *filler[2]; /* what content is made of, in turn; no piece of a body joins another block's */
    struct block *message;   /* a WebSocket's frame, masked */
    struct slice echo;       /* its payload */
    struct load_tally *tally;
    uint64_t cpu_begin_ns; /* what the thread had used and waited for when measuring began */
    bool measuring;
    pthread_t pthread;
    struct {
        _Atomic uint64_t good, errors;
        _Atomic unsigned stops;
        _Atomic bool ended;
    } shared;
};

/* Monotonic time, to the microsecond: what is measured is not rounded to the loop's turns. */
uint64_t load_now_us(void);

/* The dialer for a line; NULL in clear. */
struct tls_dialer *generator_dialer(struct generator *generator, const struct load_line *line);

/* The call is free again; what it was about ended so. */
void generator_done(struct load_call *call, enum load_error outcome);

/* Asks for a line; may be done before it returns. */
void call_begin(struct load_call *call, unsigned line, uint64_t due_us);

/* Breaks off what the call is about, as a timeout. */
void call_give_up(struct load_call *call);

/* Makes what the content of requests is cut from, if they have any. */
void call_prepare(struct generator *generator);

/* Prepares a zeroed call. */
void call_init(struct load_call *call, struct generator *generator, struct load_client *client);

/* Closes everything it has. */
void call_fini(struct load_call *call);

/* Ends what the call is about; a connection in use has been put away. */
void call_end(struct load_call *call, enum load_error outcome);

/* Opens a connection of HTTP/1.1 for the call, or takes the one in its seat; false when there is no socket.
 */
MUST_USE bool call_take_h1(struct load_call *call);

/* What a stream's fault is counted as; `opened`: it had been open. */
enum load_error load_error_of(enum fault fault, bool opened);

/* A stream of the connection of HTTP/2 at that place, which is opened if need be; NULL when there is no
 * socket.
 */
struct stream *session_lend(struct generator *generator, const struct load_line *line,
                            struct load_session **place);

/* Closes the connections of HTTP/2 at these places as soon as none of their streams is in use, frees the
 * array and stores NULL. */
void sessions_close(struct load_session ***places, unsigned count);

/* Makes the message that WebSockets send. */
void websocket_prepare(struct generator *generator);

/* Sends the message on the WebSocket in the call's seat; false when there is none. */
MUST_USE bool websocket_begin(struct load_call *call);

/* The answer to the upgrade has come. */
void websocket_accepted(struct load_call *call);

/* Something has happened on a WebSocket of the call, the one in use or others. */
void websocket_watch(struct load_call *call);

/* Closes a WebSocket and stores NULL; accepts NULL. */
void websocket_close(struct load_websocket **websocket);

/* Opens the event streams of the generator. */
void events_open(struct generator *generator);

/* Closes them. */
void events_close(struct generator *generator);

#endif
