/*
 * HTTP/2 on a client's connection (RFC 9113): many streams at a time, each with its own owner. What goes
 * wrong on one stream ends that stream; what concerns the connection, and every abuse, ends it with GOAWAY
 * and one named reason (tables/close_reasons.def) in the log. A drained connection tells its client twice and
 * closes when nothing is left.
 */
#ifndef PORTICO_CODEC_H2_INBOUND_H
#define PORTICO_CODEC_H2_INBOUND_H

#include "codec/session.h"
#include "net/conn.h"

/* How the first bytes of a connection compare with the client's preface (RFC 9113 section 3.4). */
enum h2_preface { H2_PREFACE_NO, H2_PREFACE_PART, H2_PREFACE_WHOLE };

/* Whether `bytes`, the first of a connection, are the preface, a beginning of it, or something else. */
enum h2_preface h2_preface_of(struct slice bytes);

/* Takes over a conn on which HTTP/2 is spoken, the preface still unread or to come; `client->tls`
 * becomes the session's. Streams are born through home->on_stream. */
void h2_inbound_open(struct session_home *home, struct conn *conn, const struct stream_client *client);

/* Frees the requests kept for reuse. */
void h2_inbound_free_spares(struct session_home *home);

#endif
