/*
 * The opening handshake of RFC 6455 section 4, as far as a gateway must check it before it lets go of HTTP.
 */
#ifndef PORTICO_HTTP_WEBSOCKET_H
#define PORTICO_HTTP_WEBSOCKET_H

#include "http/fields.h"

/* Lengths of a Sec-WebSocket-Accept value, of a Sec-WebSocket-Key value and of the bytes in it. */
enum { WEBSOCKET_ACCEPT_LEN = 28, WEBSOCKET_KEY_LEN = 24, WEBSOCKET_NONCE_LEN = 16 };

/* The terminated Sec-WebSocket-Key of a nonce (RFC 6455 section 4.1). */
void websocket_key_of(const unsigned char nonce[WEBSOCKET_NONCE_LEN], char key_out[WEBSOCKET_KEY_LEN + 1]);

/* The terminated Sec-WebSocket-Accept that answers a Sec-WebSocket-Key of 24 bytes (RFC 6455 section 4.2.2).
 */
void websocket_accept_of(struct slice key, char accept_out[WEBSOCKET_ACCEPT_LEN + 1]);

/* Whether a 101 response answers this request: exactly one Sec-WebSocket-Accept, and the right one for the
 * request's key; Sec-WebSocket-Protocol only if the request offered any. */
bool websocket_accepts(const struct fields *request, const struct fields *response);

#endif
