/*
 * The HTTP/1.1 writer (RFC 9112): message in, bytes out, always re-serialised from the parsed form. Framing
 * and Connection fields are written here from message->framing and the caller's wish alone; fields with
 * TRAIT_HOP or TRAIT_FRAMING and fields marked FIELD_GONE are never copied, but a request's TE, which is said
 * again as "TE: trailers". Pure.
 */
#ifndef PORTICO_CODEC_H1_WRITE_H
#define PORTICO_CODEC_H1_WRITE_H

#include "http/message.h"

/* What the connection shall do after the message, for its Connection field. */
enum h1_connection {
    H1_KEEP_ALIVE,      /* no Connection field: HTTP/1.1's default */
    H1_KEEP_ALIVE_SAID, /* Connection: keep-alive, for HTTP/1.0 clients */
    H1_CLOSE,           /* Connection: close */
    H1_UPGRADE          /* Connection: Upgrade and Upgrade: websocket */
};

/* Upper bound of the bytes h1_write_request or h1_write_response will write. */
size_t h1_head_bound(const struct message *message);

/* Writes "METHOD target HTTP/1.1" and the fields; gives the length. `out` has h1_head_bound() bytes.
 * FRAMING_LENGTH writes Content-Length, FRAMING_STREAM Transfer-Encoding: chunked, FRAMING_NONE
 * Content-Length only if has_length. */
size_t h1_write_request(const struct message *request, enum h1_connection connection, char *out);

/* Writes "HTTP/1.1 status reason" and the fields likewise; an empty reason becomes the standard phrase. 1xx
 * and 204 carry no framing field; FRAMING_UNTIL_CLOSE writes none either. */
size_t h1_write_response(const struct message *response, enum h1_connection connection, char *out);

/* Longest text of h1_write_chunk_head. */
enum { H1_CHUNK_HEAD_MAX = 20 };

/* Writes the line that opens a chunk of `len` > 0 bytes ("1f4\r\n"), after the CR LF that closes the chunk
 * before unless `first`; gives the length. */
size_t h1_write_chunk_head(uint32_t len, bool first, char *out);

/* Upper bound of h1_write_last_chunk. */
size_t h1_last_chunk_bound(const struct fields *trailers);

/* Writes what ends a chunked body: the CR LF of the chunk before unless `first`, the last chunk, the trailers
 * (may be NULL) and the empty line; gives the length. */
size_t h1_write_last_chunk(const struct fields *trailers, bool first, char *out);

#endif
