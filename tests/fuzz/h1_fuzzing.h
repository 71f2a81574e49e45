/*
 * What the fuzz targets of the HTTP/1 codec share: exact-size copies, so that ASan sees a read past the end,
 * the scan that must not depend on how the bytes come, and messages that must survive being written.
 */
#ifndef PORTICO_TESTS_FUZZ_H1_FUZZING_H
#define PORTICO_TESTS_FUZZ_H1_FUZZING_H

#include "codec/h1_parse.h"
#include "codec/h1_write.h"

#include <stdio.h>
#include <stdlib.h>

/* Aborts, which is a finding, unless the expression holds. */
#define EXPECT(expression)                                                           \
    do {                                                                             \
        if (!(expression)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #expression); \
            abort();                                                                 \
        }                                                                            \
    } while (0)

/* Longer inputs find nothing more and make the piecewise runs quadratic. */
enum { INPUT_MAX = 2048 };

/* Small enough for the fuzzer to pass. */
static const struct h1_limits limits = {.line_max = 300, .head_max = 900, .fields_max = 20};

/* A copy in a heap block of its exact size. */
static inline char *exact_copy(struct slice bytes)
{
    char *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    EXPECT(copy != NULL);
    if (bytes.len > 0)
        memcpy(copy, bytes.at, bytes.len);
    return copy;
}

/* How a scan ended. */
struct scanned {
    enum fault fault;
    size_t len;
};

/* A scan for heads or for trailer sections. */
typedef enum fault scan_fn(struct slice unread, struct h1_scan *scan, size_t *len_out);

static inline enum fault scan_head(struct slice unread, struct h1_scan *scan, size_t *len_out)
{
    return h1_head_scan(unread, &limits, scan, len_out);
}

/* The scan of bytes that come in pieces of `step`. */
static inline struct scanned scan_in_steps(scan_fn *scan_bytes, struct slice text, size_t step)
{
    struct h1_scan scan = {0};
    struct scanned scanned = {FAULT_NONE, 0};
    for (size_t come = 0; come < text.len && !scanned.fault && scanned.len == 0;) {
        come = come + step < text.len ? come + step : text.len;
        char *copy = exact_copy(slice_make(text.at, come));
        scanned.fault = scan_bytes(slice_make(copy, come), &scan, &scanned.len);
        free(copy);
    }
    return scanned;
}

/* The length of the head or section, 0 if there is none; the same for every size of pieces. */
static inline size_t scan_every_way(scan_fn *scan_bytes, struct slice text)
{
    struct scanned whole = scan_in_steps(scan_bytes, text, text.len);
    for (size_t step = 1; step < text.len; step = step * 5 + 2) {
        struct scanned pieces = scan_in_steps(scan_bytes, text, step);
        EXPECT(pieces.fault == whole.fault && pieces.len == whole.len);
    }
    EXPECT(whole.len <= text.len);
    return whole.len;
}

static inline void expect_same_framing(const struct framing *a, const struct framing *b)
{
    EXPECT(a->kind == b->kind && a->has_length == b->has_length && a->length == b->length);
}

/* No control character got into a field, and no name is something else than a token. */
static inline void expect_clean_fields(const struct fields *fields)
{
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        EXPECT(field->name_len > 0);
        for (size_t at = 0; at < field->name_len; at++)
            EXPECT(field->name[at] > ' ' && field->name[at] < 0x7f && field->name[at] != ':');
        for (size_t at = 0; at < field->value_len; at++) {
            unsigned char c = (unsigned char)field->value[at];
            EXPECT((c >= ' ' && c != 0x7f) || c == '\t');
        }
    }
}

#endif
