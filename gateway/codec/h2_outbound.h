/*
 * HTTP/2 on a connection to an endpoint (RFC 9113): many streams at a time, each lent to an exchange.
 * Responses are judged as strictly as those of HTTP/1.1. Streams open once the server's SETTINGS have come:
 * by then it is known that it speaks HTTP/2 and how many streams it takes. What it has not acted on
 * (REFUSED_STREAM, GOAWAY) fails with upstream_refused_stream, which any request may repeat. A request for an
 * upgrade to WebSocket becomes an extended CONNECT (RFC 8441) and fails with upstream_bad_upgrade where the
 * server has not said that it takes one; a success opens the tunnel.
 *
 * Whoever opened the connection watches it: `watcher` is woken whenever h2_outbound_load() has changed. Its
 * streams belong to the exchanges; the connection MUST NOT be closed before all of them are.
 */
#ifndef PORTICO_CODEC_H2_OUTBOUND_H
#define PORTICO_CODEC_H2_OUTBOUND_H

#include "base/loop.h"
#include "http/stream.h"

/* One connection. */
struct h2_outbound;

/* How it is reached, what limits a response head, and what is expected of its server. */
struct h2_outbound_settings {
    const struct address *address;
    uint32_t head_max;
    uint16_t fields_max;
    struct tls_dialer *tls; /* NULL: in clear */
    uint32_t streams_max;   /* until the server has said how many it takes */
};

/* What a connection carries and can take. */
struct h2_outbound_load {
    bool open;        /* the server's SETTINGS have come */
    bool leaving;     /* it takes no new streams: GOAWAY, or the connection has ended */
    uint32_t lent;    /* streams that are with an exchange */
    uint32_t room;    /* streams it takes besides */
    uint32_t allowed; /* how many streams it takes at all; never 0 */
    uint32_t ever;    /* streams it has lent in its life */
};

/* Starts connecting. NULL with errno set when no socket could be made. */
struct h2_outbound *h2_outbound_open(struct loop *loop, const struct h2_outbound_settings *settings,
                                     struct task *watcher);

/* What it carries now. */
struct h2_outbound_load h2_outbound_load(const struct h2_outbound *session);

/* Another stream; there must be room. Its owner and arena must be set before the turn ends. STREAM_OPEN or
 * STREAM_FAILED follows unless it is open already. */
struct stream *h2_outbound_lend(struct h2_outbound *session);

/* Closes the connection and stores NULL. Every stream must have been closed. */
void h2_outbound_close(struct h2_outbound **session);

#endif
