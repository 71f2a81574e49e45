/*
 * Chunked bodies with their trailers: content, end and fault do not depend on how the bytes come, and what
 * was read, written in chunks of our own and read again, is the same.
 */
#include "h1_fuzzing.h"

struct body {
    enum fault fault;
    bool ended;
    size_t consumed;
    size_t len;
    char content[INPUT_MAX];
};

/* Reads one batch; whether more may come. */
static bool feed(struct h1_chunks *chunks, struct slice batch, struct body *body)
{
    for (size_t at = 0; at < batch.len;) {
        enum h1_chunk_event event;
        size_t consumed = 0;
        struct slice data = {NULL, 0};
        body->fault = h1_chunks_next(chunks, slice_after(batch, at), &event, &consumed, &data);
        if (body->fault)
            return false;
        EXPECT(consumed > 0 && consumed <= batch.len - at);
        at += consumed;
        body->consumed += consumed;
        body->ended = event == H1_CHUNK_TRAILERS;
        if (body->ended)
            return false;
        EXPECT(event == H1_CHUNK_DATA || at == batch.len);
        if (event == H1_CHUNK_DATA) {
            EXPECT(data.len > 0 && data.at + data.len == batch.at + at);
            memcpy(body->content + body->len, data.at, data.len);
            body->len += data.len;
        }
    }
    return true;
}

static void read_in_steps(struct slice text, size_t step, struct body *body)
{
    struct h1_chunks chunks = {0};
    bool more = true;
    body->fault = FAULT_NONE;
    body->ended = false;
    body->consumed = body->len = 0;
    for (size_t at = 0; at < text.len && more; at += step) {
        size_t len = text.len - at < step ? text.len - at : step;
        char *copy = exact_copy(slice_make(text.at + at, len));
        more = feed(&chunks, slice_make(copy, len), body);
        free(copy);
    }
}

static void expect_same(const struct body *a, const struct body *b)
{
    EXPECT(a->fault == b->fault && a->ended == b->ended);
    EXPECT(slice_equal(slice_make(a->content, a->len), slice_make(b->content, b->len)));
}

/* The content in chunks of 1, 4, 7, ... bytes, and the trailers. */
static size_t write_body(const struct body *body, const struct fields *trailers, char **out)
{
    size_t len = 0, done = 0;
    *out = malloc(body->len * (1 + H1_CHUNK_HEAD_MAX) + h1_last_chunk_bound(trailers));
    EXPECT(*out != NULL);
    for (size_t part = 1; done < body->len; part += 3) {
        size_t run = body->len - done < part ? body->len - done : part;
        len += h1_write_chunk_head((uint32_t)run, done == 0, *out + len);
        memcpy(*out + len, body->content + done, run);
        len += run;
        done += run;
    }
    size_t last = h1_write_last_chunk(trailers, done == 0, *out + len);
    EXPECT(last <= h1_last_chunk_bound(trailers));
    return len + last;
}

static void write_and_read(const struct body *body, const struct fields *trailers, struct arena *arena)
{
    static struct body again;
    struct fields trailers_again;
    char *out;
    size_t len = write_body(body, trailers, &out);
    read_in_steps(slice_make(out, len), len, &again);
    expect_same(body, &again);
    struct slice section = slice_make(out + again.consumed, len - again.consumed);
    EXPECT(!h1_parse_trailers(section, arena, &trailers_again));
    EXPECT(trailers_again.count == trailers->count);
    free(out);
}

static void read_trailers(struct slice rest, const struct body *body)
{
    struct arena arena;
    struct fields trailers;
    size_t len = scan_every_way(h1_trailer_scan, rest);
    if (len == 0)
        return;
    char *copy = exact_copy(slice_make(rest.at, len));
    arena_init(&arena, NULL, 0);
    if (!h1_parse_trailers(slice_make(copy, len), &arena, &trailers)) {
        expect_clean_fields(&trailers);
        write_and_read(body, &trailers, &arena);
    }
    arena_fini(&arena);
    free(copy);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct body whole, pieces;
    struct slice text = {(const char *)data, size < INPUT_MAX ? size : INPUT_MAX};
    read_in_steps(text, text.len, &whole);
    for (size_t step = 1; step < text.len; step = step * 5 + 2) {
        read_in_steps(text, step, &pieces);
        expect_same(&whole, &pieces);
        EXPECT(whole.fault || whole.consumed == pieces.consumed);
    }
    if (whole.ended)
        read_trailers(slice_after(text, whole.consumed), &whole);
    return 0;
}
