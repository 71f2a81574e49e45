/*
 * HTTP/1.1 on a connection to an endpoint (RFC 9112): one request at a time, responses parsed as strictly as
 * requests. A response that is not valid fails the stream with upstream_malformed and the connection is
 * closed. Between exchanges the connection rests; anything that arrives then is unasked for and ends it.
 */
#ifndef PORTICO_CODEC_H1_OUTBOUND_H
#define PORTICO_CODEC_H1_OUTBOUND_H

#include "base/loop.h"
#include "http/stream.h"

/* What limits a response head. */
struct h1_outbound_settings {
    uint32_t head_max;
    uint16_t fields_max;
    struct tls_dialer *tls; /* NULL: in clear */
};

/* Starts connecting and gives the connection's stream; its owner must be set before the turn ends.
 * STREAM_OPEN or STREAM_FAILED (connect_refused, connect_failed, out_of_files) follows. NULL with errno set
 * when no socket could be made. ops->close frees the connection, unless it can be kept: see
 * h1_outbound_rest(). */
struct stream *h1_outbound_open(struct loop *loop, const struct address *address,
                                const struct h1_outbound_settings *settings);

/* Ends the exchange on the stream without closing the connection, if it may carry another one: both messages
 * ended, both sides keep alive, nothing unread. True: the stream rests, its owner is told STREAM_FAILED when
 * the connection ends; give it a new owner and arena and send the next request. False: nothing has changed,
 * close it. */
bool h1_outbound_rest(struct stream *stream);

/* Makes a resting stream ready for its next request. */
void h1_outbound_reuse(struct stream *stream);

#endif
