/*
 * A client's connection before HTTP begins: the PROXY protocol's header, then the TLS handshake, as its
 * listener asks. What does not come in time or is something else ends without an answer. Plain HTTP on a TLS
 * port, and where connections come in clear one too many of a client, become HTTP sessions in which every
 * request is refused, so that these answers are made where all others are. Listed among the thread's
 * sessions, so that draining and killing find it.
 */
#ifndef PORTICO_CODEC_OPENING_H
#define PORTICO_CODEC_OPENING_H

#include "codec/session.h"

/* Takes over a conn that has just been accepted on a listener that asks for something. */
void opening_start(struct session_home *home, const struct session_entrance *entrance, struct conn *conn,
                   const struct stream_client *client);

/* Counts the conn for its client; false when the client has as many as it may. Trusted proxies and Unix
 * sockets carry many clients: they are not counted. */
bool opening_admits(struct session_home *home, struct conn *conn, const struct stream_client *client);

/* Ends a conn that was not admitted because of too_many_connections or overloaded: at once where TLS is
 * spoken, for a handshake would cost too much, or when many are being refused; else its first request is
 * told, as nginx does. */
void opening_refuse(struct session_home *home, const struct session_entrance *entrance, struct conn *conn,
                    const struct stream_client *client, enum fault fault);

#endif
