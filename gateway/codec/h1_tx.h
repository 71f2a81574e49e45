/*
 * The sending half of one HTTP/1.1 message (RFC 9112): from a body into a conn's queue, framed as the head
 * announced. Shared by both sessions; decides nothing.
 */
#ifndef PORTICO_CODEC_H1_TX_H
#define PORTICO_CODEC_H1_TX_H

#include "codec/h1_write.h"
#include "http/stream.h"
#include "net/conn.h"

/* Where the writing of one message stands. */
struct h1_tx {
    enum framing_kind kind;
    uint64_t left;   /* FRAMING_LENGTH: bytes still to be sent */
    bool chunk_open; /* a chunk has been sent whose closing CR LF has not */
    bool ended;      /* the whole message has been queued */
};

/* Queues a request head and begins its body. */
void h1_tx_request(struct h1_tx *tx, struct conn *conn, const struct message *head,
                   enum h1_connection connection);

/* Queues a response head and begins its body. */
void h1_tx_response(struct h1_tx *tx, struct conn *conn, const struct message *head,
                    enum h1_connection connection);

/* Moves from the body what the conn has room for, and ends the message when the body is done. Asks the conn
 * to tell when it is drained if not everything fitted. Bytes beyond the announced length, or a body that ends
 * short of it, are a CHECK: the owner ends such an exchange. */
void h1_tx_body(struct h1_tx *tx, struct conn *conn, struct stream *stream, struct body *body,
                const struct fields *trailers);

#endif
