/*
 * What a load test does: whom it asks for what, how often and for how long. Made by the command from its
 * options and the configuration, immutable while the generators run, read by all of them.
 */
#ifndef PORTICO_LOADTEST_PLAN_H
#define PORTICO_LOADTEST_PLAN_H

#include "base/address.h"
#include "base/arena.h"
#include "http/message.h"
#include "loadtest/schedule.h"
#include "net/tls_client.h"

/* What is spoken with the gateway. */
enum load_protocol {
    LOAD_H1,
    LOAD_H2,
    LOAD_WEBSOCKET,
    LOAD_WEBSOCKET_H2, /* RFC 8441 */
    LOAD_EVENTS,
    LOAD_EVENTS_H2,
    LOAD_PROTOCOLS
};

/* Whether it is a stream of a connection of HTTP/2. */
static inline bool load_is_h2(enum load_protocol protocol)
{
    return protocol == LOAD_H2 || protocol == LOAD_WEBSOCKET_H2 || protocol == LOAD_EVENTS_H2;
}

/* Whether it is a WebSocket. */
static inline bool load_is_websocket(enum load_protocol protocol)
{
    return protocol == LOAD_WEBSOCKET || protocol == LOAD_WEBSOCKET_H2;
}

/* Whether it is an event stream. */
static inline bool load_is_events(enum load_protocol protocol)
{
    return protocol == LOAD_EVENTS || protocol == LOAD_EVENTS_H2;
}

/* Bounds of what can be asked for. */
enum { LOAD_LINES_MAX = 256, LOAD_WEIGHT_MAX = 1000, LOAD_THREADS_MAX = 64, LOAD_STREAMS_MAX = 100 };

/* Who is asked: a host of the gateway. */
struct load_origin {
    struct slice authority; /* what the Host field says */
    bool secure;
    struct tls_client *tls, *tls_h2; /* NULL unless secure: with ALPN http/1.1, with h2 */
};

/* One kind of request of the mix. */
struct load_line {
    struct slice name; /* for reports: what it asks for, or the route */
    enum load_protocol protocol;
    unsigned weight; /* of events: how many event streams are held open */
    const struct load_origin *origin;
    unsigned seat;    /* lines with the same seat share a connection of each client, or a stream of one */
    unsigned session; /* over HTTP/2: whose seat the connection is at */
    struct slice expected;  /* text that the content must hold; empty: anything will do */
    struct message request; /* ready to be sent */
};

/* The whole test. Durations in microseconds. */
struct load_plan {
    struct arena arena;
    struct address address; /* of the gateway */
    struct load_origin *origins;
    unsigned origin_count;
    struct load_line *lines;
    unsigned line_count;
    unsigned seat_count;
    const uint16_t
        *cycle; /* the order in which lines are asked for, again and again; event lines are not in it */
    unsigned cycle_len;   /* 0: nothing but event streams */
    unsigned connections; /* clients: each has a connection of its own for each seat */
    unsigned streams;     /* requests at a time of each client; 1 unless some are over HTTP/2 */
    unsigned threads;
    struct load_rate rate; /* count 0: closed loop */
    uint64_t warmup_us, duration_us, timeout_us;
    bool has_websockets;    /* some line is one */
    bool unverified;        /* certificates are not checked */
    uint32_t message_bytes; /* of a WebSocket's message */
};

/* The word for a protocol in mixes and reports: "h1", "h2", "ws", "ws2", "sse", "sse2". */
const char *load_protocol_name(enum load_protocol protocol);

#endif
