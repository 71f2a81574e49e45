/*
 * One request with its response: born by a session, driven by facts on its two streams, ended with exactly
 * one record. This header is what process/thread.c needs to let exchanges live on a thread; what happens in
 * one stands in exchange.c.
 */
#ifndef PORTICO_EXCHANGE_EXCHANGE_H
#define PORTICO_EXCHANGE_EXCHANGE_H

#include "base/loop.h"
#include "base/random.h"
#include "config/snapshot.h"
#include "http/date.h"
#include "http/stream.h"
#include "observe/access_log.h"
#include "policy/policy.h"
#include "policy/route.h"
#include "upstream/cluster.h"

/* The configuration that a thread serves from, as its exchanges see it. Counted by the thread's exchanges
 * without locks; the thread holds one reference itself, and the pin holds one reference to the snapshot for
 * all of them. */
struct pin {
    uint32_t refs;
    struct snapshot *snapshot;
    const struct config *config;
    const struct router *router;
    const struct pipeline *pipeline;
    struct cluster **clusters; /* by config_upstream.index */
};

/* Makes a pin with refs == 1 that takes over the caller's reference to the snapshot. */
struct pin *pin_new(struct snapshot *snapshot, struct clusters *clusters);

/* Gives up a reference and stores NULL; the last one frees it. Accepts NULL. */
void pin_unref(struct pin **pin);

/* What the exchanges of one thread share. */
struct exchange_home {
    struct loop *loop;
    struct pin *pin; /* for requests that begin from now on */
    struct router_scratch *scratch;
    struct access_log_lane *lane;
    struct random random;
    struct http_date_cache date;
    struct list exchanges; /* all that live */
    bool draining;
};

/* The gateway stops: tunnels are told to go, one after the other within half of shutdown_timeout, and those
 * that open from now on at once. */
void exchange_home_drain(struct exchange_home *home);

/* The home's pin is a new one: what lasts on routes that are gone leaves, where `on_reload` says so; what has
 * begun its response lets the old configuration go; who still holds one is said in the log. */
void exchange_home_follow(struct exchange_home *home);

/* The birth of a request: a session_stream_fn, `home` is a struct exchange_home. */
void exchange_begin(void *home, struct stream *inbound);

#endif
