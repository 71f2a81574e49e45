/*
 * For the tests of the HTTP/1 codec: heads given in pieces of any size, each batch a heap block of its exact
 * size so that ASan sees a read past the end, and messages as one line of text to compare.
 */
#ifndef PORTICO_TESTS_UNIT_CODEC_H1_READING_H
#define PORTICO_TESTS_UNIT_CODEC_H1_READING_H

#include "codec/h1_parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A literal with its zero bytes, as an initialiser. */
#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }

/* What a scan gives that ran out of bytes; no fault has this number. */
enum { INCOMPLETE = FAULT_COUNT };

/* The limits of the tests. */
static const struct h1_limits limits = {.line_max = 8192, .head_max = 16384, .fields_max = 100};

/* A copy in a heap block of its exact size. */
static inline char *exact_copy(struct slice bytes)
{
    char *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    if (copy == NULL)
        abort();
    if (bytes.len > 0)
        memcpy(copy, bytes.at, bytes.len);
    return copy;
}

/* h1_head_scan of `text` that comes in pieces of `step` bytes, every time at another address. */
static inline unsigned scan_in_steps(struct slice text, const struct h1_limits *with, size_t step,
                                     size_t *len_out)
{
    struct h1_scan scan = {0};
    for (size_t come = 0; come < text.len;) {
        come = come + step < text.len ? come + step : text.len;
        char *copy = exact_copy(slice_make(text.at, come));
        enum fault fault = h1_head_scan(slice_make(copy, come), with, &scan, len_out);
        free(copy);
        if (fault || *len_out > 0)
            return fault;
    }
    return INCOMPLETE;
}

static inline void print_framing(const struct message *message, char *text_out, size_t size)
{
    static const char *const kinds[] = {"none", "length", "stream", "until-close", "tunnel"};
    int len = snprintf(text_out, size, "%s", kinds[message->framing.kind]);
    if (message->framing.has_length)
        snprintf(text_out + len, size - (size_t)len, ":%" PRIu64, message->framing.length);
}

/* "1.1 keep stream continue upgrade fields=3": what a request and a response have in common. */
static inline void print_facts(const struct message *message, char *text_out, size_t size)
{
    char framing[64];
    print_framing(message, framing, sizeof framing);
    snprintf(text_out, size, "1.%u %s %s%s%s fields=%u", message->version_minor,
             message->keep_alive ? "keep" : "close", framing, message->expects_continue ? " continue" : "",
             message->wants_upgrade ? " upgrade" : "", message->fields.count);
}

/* "GET /path (a.example) 1.1 keep none fields=1" */
static inline void print_request(const struct message *request, char *text_out, size_t size)
{
    char facts[256];
    print_facts(request, facts, sizeof facts);
    snprintf(text_out, size, "%.*s %.*s (%.*s) %s", SLICE_ARGS(request->method_text),
             SLICE_ARGS(request->target), SLICE_ARGS(request->authority), facts);
}

/* "200 [OK] 1.1 keep length:5 fields=1" */
static inline void print_response(const struct message *response, char *text_out, size_t size)
{
    char facts[256];
    print_facts(response, facts, sizeof facts);
    snprintf(text_out, size, "%u [%.*s] %s", response->status, SLICE_ARGS(response->reason), facts);
}

#endif
