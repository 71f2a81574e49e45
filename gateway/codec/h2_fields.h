/*
 * Field sections of HTTP/2 (RFC 9113 section 8) to and from struct message. A request's fields are checked
 * one by one as they are decoded, so that what comes out can be written as HTTP/1.1 without a second meaning
 * (A14 to A16), and counted, so that a compressed head cannot fill our memory (A23: nghttp2 does not bound
 * the decoded size). Pure but for the arena.
 */
#ifndef PORTICO_CODEC_H2_FIELDS_H
#define PORTICO_CODEC_H2_FIELDS_H

#include "codec/h1_parse.h"

#include <nghttp2/nghttp2.h>

/* What has become of a head so far; it only gets worse. */
enum h2_verdict {
    H2_FINE,
    H2_REFUSED,   /* it can be answered: `fault` says with what */
    H2_MALFORMED, /* a stream error, PROTOCOL_ERROR (RFC 9113 section 8.1.1) */
    H2_BOMB       /* so far beyond the limits that the connection must end */
};

/* A field section being decoded. */
struct h2_head {
    struct arena *arena;
    const struct h1_limits *limits;
    enum h2_verdict verdict;
    enum fault fault; /* with H2_REFUSED */
    bool trailers;    /* no pseudo-fields, and fewer fields are kept */
    bool response;    /* the only pseudo-field is :status */
    bool in_fields;   /* a field that is no pseudo-field has come */
    bool prioritized; /* a Priority field has come (RFC 9218 section 4) */
    uint32_t bytes;   /* name + value + 32 for each field (RFC 9113 section 10.5.1) */
    uint32_t lines;   /* fields, cookie crumbs and pseudo-fields not counted */
    uint32_t crumbs;
    struct slice method, scheme, authority, path,
        protocol; /* pseudo-fields; at == NULL when they did not come */
    struct slice status;
    struct slice host;
    struct fields fields;
};

/* Begins a request's head, or its trailers. `limits` and the arena must outlive it. */
void h2_head_start(struct h2_head *head, struct arena *arena, const struct h1_limits *limits, bool trailers);

/* Adds the next field. Everything is copied. */
void h2_head_add(struct h2_head *head, struct slice name, struct slice value);

/* Ends a request's head: fills the message as HTTP/1.1 would have it, with Host from :authority and one
 * Cookie. An extended CONNECT for WebSocket (RFC 8441) becomes the upgrade request that asks an HTTP/1.1
 * upstream for the same. The message is filled as far as it is known even when the verdict is H2_REFUSED. */
MUST_USE enum h2_verdict h2_head_end(struct h2_head *head, bool end_stream, struct message *request_out);

/* Begins a response's head; the rest is as for requests. */
void h2_head_start_response(struct h2_head *head, struct arena *arena, const struct h1_limits *limits);

/* Ends a response's head: fills the message as HTTP/1.1 would have it. 101 is malformed (RFC 9113
 * section 8.6). */
MUST_USE enum h2_verdict h2_head_end_response(struct h2_head *head, bool end_stream, enum method method,
                                              struct message *response_out);

/* A response's fields for nghttp2, which copies them: at most h2_response_bound() into `out`; gives how many.
 * `text` holds what must be printed, until they are copied. A 101 becomes the 200 of RFC 8441 section 5. */
struct h2_text {
    char status[3];
    char length[20];
};
size_t h2_response_bound(const struct message *head);
size_t h2_write_response(const struct message *head, struct h2_text *text, nghttp2_nv *out);

/* A request's fields likewise, :authority from Host: at most h2_request_bound(). One that wants an upgrade is
 * an extended CONNECT (RFC 8441 section 5). */
size_t h2_request_bound(const struct message *head);
size_t h2_write_request(const struct message *head, struct slice scheme, struct h2_text *text,
                        nghttp2_nv *out);

/* Trailers likewise: at most trailers->count. */
size_t h2_write_trailers(const struct fields *trailers, nghttp2_nv *out);

#endif
