/*
 * The writer of codec/h1_write.h. Called by the sessions with room for what h1_head_bound() promised. What is
 * written comes from the parsed message alone: framing from message->framing, Connection from the caller, and
 * no field of either kind from the other side, so that no two readers of our bytes can disagree about where a
 * message ends (A1, A17).
 */
#include "codec/h1_write.h"

#include "http/status.h"

/* More than the fixed parts of a head take: version, status, separators, Content-Length, Connection and
 * Upgrade. */
enum { FIXED_PARTS_MAX = 192, STATUS_PHRASE_MAX = 64, FIELD_PUNCTUATION = 4 };

/* Most texts of a head are short: two words that overlap are cheaper than a call. */
static inline char *put(char *out, struct slice text)
{
    size_t len = text.len;
    if (len >= 8 && len <= 16) {
        memcpy(out, text.at, 8);
        memcpy(out + len - 8, text.at + len - 8, 8);
    } else if (len > 0) {
        memcpy(out, text.at, len);
    }
    return out + len;
}

static char *put_decimal(char *out, uint64_t number)
{
    char *end = out + 1;
    for (uint64_t rest = number; rest >= 10; rest /= 10)
        end++;
    for (char *at = end; at > out; number /= 10)
        *--at = (char)('0' + number % 10);
    return end;
}

static char *put_hex(char *out, uint32_t number)
{
    int shift = 28;
    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *out++ = "0123456789abcdef"[number >> shift & 0xf];
    return out;
}

static inline char *put_field(char *out, const struct field *field)
{
    out = put(out, field_name(field));
    out = put(out, SLICE(": "));
    out = put(out, field_value(field));
    return put(out, SLICE("\r\n"));
}

/* All fields that are present and have none of the traits. */
static char *put_fields(char *out, const struct fields *fields, unsigned without_traits)
{
    const struct field *end = fields->at + fields->count;
    for (const struct field *field = fields->at; field < end; field++)
        if (!(field->marks & FIELD_GONE) && !(field_traits((enum field_id)field->id) & without_traits))
            out = put_field(out, field);
    return out;
}

/* RFC 9112 section 6: one framing field or none. */
static char *put_framing(char *out, const struct framing *framing)
{
    if (framing->kind == FRAMING_STREAM)
        return put(out, SLICE("Transfer-Encoding: chunked\r\n"));
    if (framing->kind != FRAMING_LENGTH && (framing->kind != FRAMING_NONE || !framing->has_length))
        return out;
    out = put(out, SLICE("Content-Length: "));
    out = put_decimal(out, framing->length);
    return put(out, SLICE("\r\n"));
}

static char *put_connection(char *out, enum h1_connection connection)
{
    switch (connection) {
    case H1_KEEP_ALIVE_SAID: return put(out, SLICE("Connection: keep-alive\r\n"));
    case H1_CLOSE: return put(out, SLICE("Connection: close\r\n"));
    case H1_UPGRADE: return put(out, SLICE("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    default: return out;
    }
}

/* RFC 9110 section 10.1.4: TE concerns this connection, so Connection must name it. What is left of it is
 * "trailers". */
static char *put_request_connection(char *out, const struct message *request, enum h1_connection connection)
{
    if (connection != H1_KEEP_ALIVE || !fields_find(&request->fields, FIELD_te))
        return put_connection(out, connection);
    return put(out, SLICE("TE: trailers\r\nConnection: TE\r\n"));
}

static size_t fields_bound(const struct fields *fields)
{
    size_t bound = 0;
    for (unsigned i = 0; i < fields->count; i++)
        bound += (size_t)fields->at[i].name_len + fields->at[i].value_len + FIELD_PUNCTUATION;
    return bound;
}

size_t h1_head_bound(const struct message *message)
{
    return FIXED_PARTS_MAX + STATUS_PHRASE_MAX + message->method_text.len + message->target.len +
           message->reason.len + fields_bound(&message->fields);
}

size_t h1_write_request(const struct message *request, enum h1_connection connection, char *out)
{
    char *at = put(out, request->method_text);
    at = put(at, SLICE(" "));
    at = put(at, request->target);
    at = put(at, SLICE(" HTTP/1.1\r\n"));
    at = put_fields(at, &request->fields, TRAIT_HOP | TRAIT_FRAMING);
    at = put_framing(at, &request->framing);
    at = put_request_connection(at, request, connection);
    at = put(at, SLICE("\r\n"));
    return (size_t)(at - out);
}

/* RFC 9110 section 8.6 and RFC 9112 section 6.1: neither framing field in 1xx and 204. */
size_t h1_write_response(const struct message *response, enum h1_connection connection, char *out)
{
    bool framed = response->status >= 200 && response->status != 204;
    char *at = put(out, SLICE("HTTP/1.1 "));
    at = put_decimal(at, response->status);
    at = put(at, SLICE(" "));
    at = put(at, response->reason.len > 0 ? response->reason : status_phrase(response->status));
    at = put(at, SLICE("\r\n"));
    at = put_fields(at, &response->fields, TRAIT_HOP | TRAIT_FRAMING);
    if (framed)
        at = put_framing(at, &response->framing);
    at = put_connection(at, connection);
    at = put(at, SLICE("\r\n"));
    return (size_t)(at - out);
}

size_t h1_write_chunk_head(uint32_t len, bool first, char *out)
{
    char *at = first ? out : put(out, SLICE("\r\n"));
    at = put_hex(at, len);
    at = put(at, SLICE("\r\n"));
    return (size_t)(at - out);
}

size_t h1_last_chunk_bound(const struct fields *trailers)
{
    return H1_CHUNK_HEAD_MAX + (trailers ? fields_bound(trailers) : 0);
}

size_t h1_write_last_chunk(const struct fields *trailers, bool first, char *out)
{
    char *at = put(out, first ? SLICE("0\r\n") : SLICE("\r\n0\r\n"));
    if (trailers)
        at = put_fields(at, trailers, TRAIT_HOP | TRAIT_FRAMING | TRAIT_NO_TRAILER);
    at = put(at, SLICE("\r\n"));
    return (size_t)(at - out);
}
