/*
 * The strict HTTP/1.1 parser (RFC 9112): bytes in, message out. Pure: no socket, no allocation but the
 * arena's, no policy. Requests and responses obey the same rules: CR LF only, no obs-fold, token names, no
 * space before the colon, no control characters. Where RFC 9112 lets a recipient be lenient, this parser is
 * not: what two parsers may read in two ways, one of them an attacker's, is refused (research: request
 * smuggling).
 *
 * Use: h1_head_scan() on the unread bytes until it gives a length, then h1_parse_request() or
 * h1_parse_response() on exactly these bytes; then, if the framing is FRAMING_STREAM, an h1_chunks fed with
 * what follows.
 */
#ifndef PORTICO_CODEC_H1_PARSE_H
#define PORTICO_CODEC_H1_PARSE_H

#include "base/arena.h"
#include "base/check.h"
#include "base/fault.h"
#include "http/message.h"

/* Sizes beyond which a head is refused. Bytes count everything, line ends included. */
struct h1_limits {
    uint32_t line_max;   /* start line: target_too_long */
    uint32_t head_max;   /* whole head: head_too_large */
    uint16_t fields_max; /* field lines: too_many_fields */
};

/* Where a scan for the end of a head stands; all zero at its beginning. */
struct h1_scan {
    uint32_t scanned;    /* bytes looked at already */
    uint32_t line_start; /* offset of the line being scanned */
    uint32_t lines;      /* that have ended, the start line included */
};

/* Looks for the end of the head in the unread bytes; call again with more bytes at the same or a moved
 * address. On success `head_len_out` is the length of the head with its empty line, or 0 when more bytes are
 * needed. Work is linear in the bytes. Faults are found as early as they can be known: bad_line_ending (bare
 * LF), bad_request_line (a first byte that starts no token), target_too_long, head_too_large,
 * too_many_fields. */
MUST_USE enum fault h1_head_scan(struct slice unread, const struct h1_limits *limits, struct h1_scan *scan,
                                 size_t *head_len_out);

/* The number of bytes of empty lines (CR LF) at the start, at most 2 lines, which a server skips (RFC 9112
 * section 2.2). */
size_t h1_skip_empty_lines(struct slice unread);

/* Parses a request head that h1_head_scan delimited, framing_of_request() included. The message's slices
 * point into `head`, its field array lives in the arena. `request_out` must be empty, and is so on a fault.
 */
MUST_USE enum fault h1_parse_request(struct slice head, struct arena *arena, struct message *request_out);

/* Parses a response head likewise; `request_method` decides whether content follows. */
MUST_USE enum fault h1_parse_response(struct slice head, enum method request_method, struct arena *arena,
                                      struct message *response_out);

/* Parses a trailer section that h1_head_scan delimited (it has no start line). Fields that must not come in
 * trailers are dropped (RFC 9110 section 6.5.1). Faults: bad_trailer. */
MUST_USE enum fault h1_parse_trailers(struct slice section, struct arena *arena, struct fields *trailers_out);

/* What of a chunked body is refused beyond these sizes (A10, A12). */
enum {
    H1_CHUNK_EXT_MAX = 16,         /* bytes of extensions a chunk may have */
    H1_CHUNK_EXT_TOTAL_MAX = 4096, /* bytes of extensions a body may have */
    H1_TRAILER_SECTION_MAX = 8192, /* bytes of a trailer section */
    H1_TRAILER_FIELDS_MAX = 32
};

/* What h1_chunks_next found. */
enum h1_chunk_event {
    H1_CHUNK_MORE,    /* everything was consumed, more bytes are needed */
    H1_CHUNK_DATA,    /* a run of content */
    H1_CHUNK_TRAILERS /* the last chunk has ended; the trailer section (at least its empty line) follows */
};

/* The state of a chunked body (RFC 9112 section 7.1); all zero at its beginning. */
struct h1_chunks {
    uint8_t state;
    uint8_t size_digits;
    uint16_t ext_len;
    uint32_t ext_total;
    uint64_t left; /* bytes of the current chunk still to come */
};

/* Reads on in `bytes`. `consumed_out` bytes are done with; for H1_CHUNK_DATA, `data_out` is a slice of them
 * that is content (the framing before it is consumed too). Fault: bad_chunk. After a fault or
 * H1_CHUNK_TRAILERS do not call again. */
MUST_USE enum fault h1_chunks_next(struct h1_chunks *chunks, struct slice bytes,
                                   enum h1_chunk_event *event_out, size_t *consumed_out,
                                   struct slice *data_out);

/* The empty line alone, or a whole trailer section, at the start of `unread`: gives its length, 0 when more
 * is needed. `scan` as for heads. Fault: bad_trailer. */
MUST_USE enum fault h1_trailer_scan(struct slice unread, struct h1_scan *scan, size_t *len_out);

#endif
