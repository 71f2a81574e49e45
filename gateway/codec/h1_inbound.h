/*
 * HTTP/1.1 on a client's connection (RFC 9112): heads become streams one after the other, bodies flow, and
 * the connection lives on or ends as the message says. After a refused or broken request nothing that follows
 * on the connection is taken for a request: it is closed, lingering so that the answer is not lost.
 */
#ifndef PORTICO_CODEC_H1_INBOUND_H
#define PORTICO_CODEC_H1_INBOUND_H

#include "codec/session.h"
#include "net/conn.h"

/* Takes over a conn on which HTTP/1.1 is spoken; bytes may have been read already. `client->tls`
 * becomes the session's. Streams are born through home->on_stream. */
void h1_inbound_open(struct session_home *home, struct conn *conn, const struct stream_client *client);

/* Frees the requests kept for reuse. */
void h1_inbound_free_spares(struct session_home *home);

#endif
