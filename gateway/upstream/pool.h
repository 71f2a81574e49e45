/*
 * Connections to endpoints: taken warm from the endpoint's idle list or dialled, given back to rest or
 * closed; with HTTP/2, streams of connections that exchanges share (upstream/channel.h). An idle connection
 * that says anything, ends, or rests longer than the upstream's idle_timeout is closed. Belongs to one
 * thread.
 */
#ifndef PORTICO_UPSTREAM_POOL_H
#define PORTICO_UPSTREAM_POOL_H

#include "base/arena.h"
#include "base/fault.h"
#include "http/stream.h"
#include "upstream/cluster.h"

/* One connection to an endpoint, or one stream of an HTTP/2 connection, which is a channel's. */
struct outbound {
    struct list_node node; /* endpoint->idle, while it rests */
    struct endpoint *endpoint;
    struct stream *stream;
    struct task idle_task; /* the stream's owner while it rests; in the end frees this */
    struct timer idle_timer;
    const struct tls_dialer *tls; /* what was in force when it was dialled */
    bool shared;                  /* a stream of a channel */
};

/* Field lines a response may have. */
enum { POOL_RESPONSE_FIELDS_MAX = 200 };

/* Why no socket could be made. */
enum fault pool_fault_of_dial(int error);

/* Whether the claim may have a connection to the endpoint now; if connections to it are bounded, what it
 * takes is kept for the claim. */
bool pool_reserve(struct endpoint *endpoint, struct claim *claim);

/* The endpoint of the connection or the slot that the claim was given in the queue; NULL: it was given none,
 * or none that is still of use. */
struct endpoint *pool_given(struct cluster *cluster, struct claim *claim);

/* A connection for one exchange, whose task, the claim's, becomes the stream's owner and whose arena is lent
 * to it: what the claim has reserved, else warm unless it must be fresh or none is; a dialled one is not open
 * yet. Faults: connect_failed, connect_refused, out_of_files. */
MUST_USE enum fault pool_take(struct endpoint *endpoint, struct claim *claim, struct arena *arena,
                              struct outbound **outbound_out);

/* Nothing is wanted any more: the claim leaves the queue, and others get what it was given. */
void pool_leave(struct claim *claim);

/* The exchange is done with the connection: it rests if `fault` is FAULT_NONE and it can, else it is closed.
 * Stores NULL; accepts NULL. */
void pool_give(struct outbound **outbound, enum fault fault);

/* Closes up to `count` idle connections, the coldest first; with `busy` an HTTP/2 connection in use takes no
 * new streams instead. Gives how many. */
uint32_t pool_give_up(struct endpoint *endpoint, uint32_t count, bool busy);

/* Closes idle connections as long as there are more than the upstream's connections_max; when several threads
 * do so at once, it may be one too many for each. */
void pool_shrink(struct endpoint *endpoint);

/* Connections to the endpoint have just become bounded, or are so no more: what rests is told to the slots.
 */
void pool_note(struct endpoint *endpoint);

/* Closes the idle connections of an endpoint; HTTP/2 connections take no new streams. */
void pool_close_idle(struct endpoint *endpoint);

#endif
