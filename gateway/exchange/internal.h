/*
 * The exchange as the files of this folder see it. Only exchange.c decides what comes next; the others answer
 * questions about an exchange or do one thing to it.
 */
#ifndef PORTICO_EXCHANGE_INTERNAL_H
#define PORTICO_EXCHANGE_INTERNAL_H

#include "exchange/exchange.h"
#include "http/target.h"
#include "http/websocket_frames.h"
#include "observe/record.h"
#include "upstream/pool.h"

/* The steps of tables/steps.def, and what a step may return besides: WAIT for facts or the deadline, DONE: it
 * is gone. */
enum step {
#define STEP(name, doc) STEP_##name,
#include "tables/steps.def"
#undef STEP
    STEP_COUNT,
    STEP_WAIT,
    STEP_DONE
};

/* A response made here, ready to be sent. */
struct reply {
    struct message head;
    struct body body;
};

/* What is known of a tunnel's frames, see tunnel.c. */
struct tunnel {
    struct websocket_frames up, down;
    struct body last; /* what the client still gets, ours behind it */
    bool decided;     /* behind which frame */
    uint64_t ends_at; /* bytes down; once decided */
    bool said;        /* the stream has the whole of ours */
};

/* What an exchange keeps of its configuration until its end, by value: behind the head of its response it
 * needs nothing else, and a tunnel or an event stream may outlive many configurations. */
struct terms {
    uint64_t write_timeout_us, half_close_timeout_us;   /* of the client */
    uint64_t body_min_rate, body_grace_us;              /* the same; bytes a second behind the grace */
    uint64_t between_bytes_timeout_us, idle_timeout_us; /* of the route */
    uint64_t max_body;                                  /* of the route; 0: no limit */
    uint64_t leaves_within_us;                          /* of the route's on_reload, if `leaves` */
    bool leaves;
    enum config_match match; /* of the route, whose pattern the record has */
};

/* One request with its response. Lives in the inbound stream's arena. What every turn touches stands in
 * front, in a few cache lines: thousands of tunnels relay small messages. */
struct exchange {
    uint32_t magic;
    enum step step;
    struct exchange_home *home;
    struct task task;
    struct stream *in;        /* the client's */
    struct stream *out;       /* outbound->stream, or NULL */
    struct tunnel *tunnel;    /* NULL before the switch of protocols */
    bool uploaded;            /* the whole request has been handed to the outbound stream */
    bool downloaded;          /* the whole response has been handed to the inbound stream */
    bool half_closed;         /* the client has closed its sending side behind its request */
    bool responding;          /* a final response head has been sent to the client */
    bool watched;             /* the timer knows of the limit */
    bool expired, starved;    /* the timer's verdict: no progress, or the client sends too slowly */
    bool leaving;             /* it is time to end for the gateway's sake */
    bool trusted;             /* the client's address is a trusted proxy's */
    enum fault cause, detail; /* why it did not end well */

    uint64_t progress_us;      /* when something last moved */
    uint64_t limit_us;         /* how long the step may see no progress */
    struct outbound *outbound; /* the endpoint's, from connect on; NULL again once given back */
    uint64_t leave_at_us;      /* when it has to end for the gateway's sake; 0: not */
    struct timer timer;        /* see deadline.c */
    struct terms terms;
    struct asking *asking; /* NULL unless a policy asks; see ask.c */
    struct reply *reply;   /* NULL unless the response is made here */

    struct arena *arena;
    struct pin *pin;       /* NULL once it has been let go; site, route and cluster are NULL then, too */
    struct list_node node; /* home->exchanges */
    const struct config_site *site;
    const struct config_route *route;
    struct cluster *cluster;
    struct endpoint *endpoint; /* chosen for the coming attempt; valid between pick and connect */
    struct endpoint *tried;    /* in the last attempt; the record names it */
    struct claim claim;        /* its place among those that want a connection */
    uint64_t queued_at_us;     /* when it began to wait for its turn; 0: it did not, in this attempt */
    uint64_t rate_since_us, rate_bytes; /* the upload's window for the minimum body rate */
    uint64_t begun_us;
    unsigned interims;
    enum fault leave_why; /* why it has to end */

    struct slice remote; /* the client's address, as text */
    struct slice proto;  /* "https" or "http", as a trusted proxy says; empty when none does */
    struct target target;
    struct authority authority;
    struct policy_call call;
    struct record record;
};

/* Connections to try, interim responses to pass on (A18), time for a client to answer a WebSocket's end. */
enum { EXCHANGE_MAGIC = 0x58434847, EXCHANGE_ATTEMPTS_MAX = 3, EXCHANGE_INTERIMS_MAX = 8 };
enum { EXCHANGE_GOODBYE_US = 1000 * 1000 };

/* --- pin.c: what of the configuration is needed --- */

/* Takes over the terms of the client, which are there from the beginning, and those of the route. */
void terms_of_client(struct exchange *x);
void terms_of_route(struct exchange *x);

/* Gives up the configuration, of which terms and record are left; behind the head of the response, once. */
void pin_let_go(struct exchange *x);

/* --- admit.c: the policies --- */

/* What the policies may know of the request; they are those of `defaults` until more is known. */
void admit_begin(struct exchange *x);

/* From now on the policies of this scope count: a site's, then a route's. */
void admit_enter(struct exchange *x, const struct config_scope *scope);

/* Asks the policies. With DELAY, the deadline is set. */
MUST_USE enum policy_verdict admit_judge(struct exchange *x);

/* --- ask.c: what policies ask upstreams --- */

/* Goes on with x->call.question; true when it has been answered. */
MUST_USE bool ask_go_on(struct exchange *x);

/* Gives up the asking, if there is any, and its connection with the fault. */
void ask_end(struct exchange *x, enum fault fault);

/* --- request.c: from the client's request to the upstream's --- */

/* Finds the site, if there is one, and splits the target. Refuses what the connection refuses. */
MUST_USE enum fault request_read_target(struct exchange *x);

/* Without a site: the one that the handshake named, else that for every host, has the last word on headers.
 */
void request_suppose_site(struct exchange *x);

/* Finds the route; every spelling of the path must agree. */
MUST_USE enum fault request_route(struct exchange *x);

/* Turns in->rx_head into the request the upstream gets: hop-by-hop fields out, the gateway's own in. A body
 * that announces itself as larger than the route allows is refused, and so is an upgrade that the upstream's
 * protocol does not have. */
MUST_USE enum fault request_prepare(struct exchange *x);

/* --- retry.c: may this attempt be repeated --- */

/* Whether another attempt is allowed after `fault` ended this one; says whether it must not use a warm
 * connection. */
bool retry_may(const struct exchange *x, enum fault fault);

/* --- relay.c: bytes between the two streams --- */

/* Moves request content towards the endpoint. Fault: body_too_large. */
MUST_USE enum fault relay_up(struct exchange *x);

/* Moves response content towards the client; gives the outbound connection back as soon as nothing more comes
 * from it. */
void relay_down(struct exchange *x);

/* --- tunnel.c: a WebSocket that the gateway ends --- */

/* The protocol has been switched. */
void tunnel_open(struct exchange *x);

/* Gives back what it holds; accepts that there is no tunnel. */
void tunnel_close(struct exchange *x);

/* Counts the frames that have come; to be called before they are moved. */
void tunnel_follow(struct exchange *x);

/* Tells the client, behind the frame that is under way; called until it gives true: all has left, the client
 * has answered, and the service has answered that; or the service has ended within a frame, and nothing can
 * be said. */
bool tunnel_say_goodbye(struct exchange *x);

/* --- leave.c: exchanges that end for the gateway's sake --- */

/* Has the exchange leave, the index-th of those that do, if it lasts on a route that is gone and `on_reload`
 * says so. */
void leave_removed_route(struct exchange *x, size_t index);

/* Called when a tunnel opens: while the gateway drains it leaves at once. */
void leave_late(struct exchange *x);

/* --- response.c: from the upstream's response to the client's --- */

/* Turns out->rx_head into what the client gets. Fault: upstream_malformed's detail. */
MUST_USE enum fault response_prepare(struct exchange *x);

/* --- redirect.c: listeners that send everything to https --- */

/* Fills x->call.answer, or leaves it empty when the request is to be served all the same. */
MUST_USE enum fault redirect_answer(struct exchange *x);

/* --- reply.c: responses made here --- */

/* Makes x->reply of x->call.answer, or for the fault in x->cause. */
void reply_build(struct exchange *x);

/* The Date of this second; copied into the exchange's arena. */
struct slice response_date(struct exchange *x);

/* --- record.c: what is written about an exchange --- */

/* Fills the record's request members as far as they are known. */
void record_request(struct exchange *x);

/* Completes the record, writes it, counts. */
void record_end(struct exchange *x);

/* Microseconds since the exchange began; at least 1. */
static inline uint64_t record_elapsed_us(const struct exchange *x)
{
    uint64_t elapsed_us = clock_now_us(&x->home->loop->clock) - x->begun_us;
    return elapsed_us ? elapsed_us : 1;
}

#endif
