/*
 * The receiving half of one HTTP/1.1 message body (RFC 9112 sections 6 and 7): from a conn's unread bytes
 * into a stream's rx, by the message's framing, never past its end. Shared by both sessions; decides nothing.
 */
#ifndef PORTICO_CODEC_H1_RX_H
#define PORTICO_CODEC_H1_RX_H

#include "codec/h1_parse.h"
#include "http/stream.h"
#include "net/conn.h"

/* Where the reading of one body stands. */
struct h1_rx {
    enum framing_kind kind;
    bool in_trailers;
    uint64_t left; /* FRAMING_LENGTH: bytes still to come */
    struct h1_chunks chunks;
    struct h1_scan trailers;
};

/* Begins a body with this framing; a message without content has ended at once. */
void h1_rx_start(struct h1_rx *rx, struct stream *stream, const struct framing *framing);

/* Moves what can be moved: until the conn's unread bytes or the body's room run out or the body ends
 * (stream->rx.ended). Pauses the conn when the body is full. Faults: bad_chunk, bad_trailer. */
MUST_USE enum fault h1_rx_feed(struct h1_rx *rx, struct conn *conn, struct stream *stream);

/* The conn's sender has closed: ends a body that ends with its connection; false when the body is cut short.
 */
MUST_USE bool h1_rx_eof(struct h1_rx *rx, struct stream *stream);

#endif
