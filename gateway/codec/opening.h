/*
 * A client's connection before HTTP begins: the PROXY protocol's header, then the TLS handshake, as its
 * listener asks. What does not come in time or is something else ends without an answer, but plain HTTP on a
 * TLS port, which is told so. Listed among the thread's sessions, so that draining and killing find it.
 */
#ifndef PORTICO_CODEC_OPENING_H
#define PORTICO_CODEC_OPENING_H

#include "codec/session.h"

/* Takes over a conn that has just been accepted on a listener that asks for something. `client` is copied. */
void opening_start(struct session_home *home, const struct session_entrance *entrance, struct conn *conn,
                   const struct session_client *client);

#endif
