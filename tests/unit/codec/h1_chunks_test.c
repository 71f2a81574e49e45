/*
 * Chunked bodies through h1_chunks_next, each row in pieces of every size. Rows named A10 and A11 are those
 * of the attack catalogue.
 */
#include "h1_reading.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* A body and what becomes of it: its content, and where its trailer section begins. */
struct row {
    const char *name;
    struct slice text;
    unsigned fault;
    const char *content;
    size_t consumed;
};

#define WHOLE(literal, content) BYTES(literal "\r\n"), 0, content, sizeof(literal) - 1
#define REFUSED(literal)        BYTES(literal), FAULT_bad_chunk, NULL, 0

static const struct row rows[] = {
    {"empty", WHOLE("0\r\n", "")},
    {"one chunk", WHOLE("5\r\nhello\r\n0\r\n", "hello")},
    {"three chunks", WHOLE("3\r\nhel\r\n2\r\nlo\r\n00b\r\n, wonderful\r\n0\r\n", "hello, wonderful")},
    {"digits of both cases",
     WHOLE("1A\r\nabcdefghijklmnopqrstuvwxyz\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n",
           "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz")},
    {"line ends in the content", WHOLE("6\r\n\r\n0\r\n\n\r\n0\r\n", "\r\n0\r\n\n")},
    {"sixteen digits", WHOLE("0000000000000001\r\na\r\n0000000000000000\r\n", "a")},
    {"trailers are left", WHOLE("0\r\n", "")},
    {"incomplete", BYTES("5\r\nhello\r\n"), INCOMPLETE, "hello", 0},
    {"incomplete size", BYTES("7fffffffffffffff\r"), INCOMPLETE, "", 0},
    {"extension", WHOLE("1;a\r\nx\r\n0;b=c\r\n", "x")},
    {"extension with spaces", WHOLE("1 ; a = \"b\"\r\nx\r\n0\r\n", "x")},
    {"extensions with quotes", WHOLE("1;a=\"\\\"\";b=\"\\\\\"\r\nx\r\n0\r\n", "x")},
    {"extension of 16 bytes", WHOLE("1;23456789abcdefg\r\nx\r\n0\r\n", "x")},
    {"A10 extension of 17 bytes", REFUSED("1;23456789abcdefgh")},
    {"A10 LF ends the size", REFUSED("1\n")},
    {"A10 LF ends an extension", REFUSED("1;a\n")},
    {"A10 LF within an extension", REFUSED("1;a\nb\r\n")},
    {"A10 CR within an extension", REFUSED("1;a\rb")},
    {"A10 quoted LF", REFUSED("1;a=\"\n")},
    {"A10 quoted CR LF goes no further", REFUSED("1;a=\"\r\n\"\r\n")},
    {"A10 CR CR LF", REFUSED("1\r\r\n")},
    {"A10 quote that an escape keeps open", REFUSED("1;a=\"\\\"\r\n")},
    {"A10 NUL in an extension", REFUSED("1;a\0")},
    {"A10 obs-text in an extension", REFUSED("1;a=\x80")},
    {"A10 extension without a name", REFUSED("1;\r\n")},
    {"A10 extension with an empty name", REFUSED("1;=a\r\n")},
    {"A10 spaces and no extension", REFUSED("1 \r\n")},
    {"A10 text behind spaces", REFUSED("1 a\r\n")},
    {"A11 no size", REFUSED("\r\n")},
    {"A11 no size but an extension", REFUSED(";a\r\n")},
    {"A11 space before the size", REFUSED(" 1\r\n")},
    {"A11 sign", REFUSED("+1\r\n")},
    {"A11 negative", REFUSED("-1\r\n")},
    {"A11 0x", REFUSED("0x1\r\n")},
    {"A11 no digit", REFUSED("g\r\n")},
    {"A11 underscore", REFUSED("1_0\r\n")},
    {"A11 2^63", REFUSED("8000000000000000\r\n")},
    {"A11 2^64 - 1", REFUSED("ffffffffffffffff\r\n")},
    {"A11 2^64 + 5", REFUSED("10000000000000005\r\n")},
    {"A11 seventeen digits", REFUSED("00000000000000001\r\n")},
    {"A11 content too long", REFUSED("1\r\nab")},
    {"A11 content too short", REFUSED("3\r\nab\r\n0\r\n\r\n")},
    {"A11 LF ends the content", REFUSED("1\r\na\n")},
    {"A11 CR alone ends the content", REFUSED("1\r\na\r0\r\n")},
    {"A11 no end of the content", REFUSED("1\r\na0\r\n\r\n")},
};

struct outcome {
    unsigned fault;
    char content[8192];
    size_t content_len;
    size_t consumed;
};

/* Feeds one batch; false when no more can be fed. */
static bool feed(struct h1_chunks *chunks, struct slice batch, struct outcome *outcome)
{
    size_t at = 0;
    while (at < batch.len) {
        enum h1_chunk_event event;
        size_t consumed = 0;
        struct slice data = {NULL, 0};
        outcome->fault = h1_chunks_next(chunks, slice_after(batch, at), &event, &consumed, &data);
        if (outcome->fault)
            return false;
        at += consumed;
        outcome->consumed += consumed;
        if (event == H1_CHUNK_TRAILERS)
            return false;
        assert_true(event == H1_CHUNK_DATA ? data.len > 0 : at == batch.len);
        if (event == H1_CHUNK_DATA) {
            assert_ptr_equal(data.at + data.len, batch.at + at);
            memcpy(outcome->content + outcome->content_len, data.at, data.len);
            outcome->content_len += data.len;
        }
    }
    return true;
}

static void read_body(struct slice text, size_t step, struct outcome *outcome)
{
    struct h1_chunks chunks = {0};
    bool more = true;
    *outcome = (struct outcome){.fault = FAULT_NONE};
    for (size_t at = 0; at < text.len && more;) {
        size_t len = text.len - at < step ? text.len - at : step;
        char *copy = exact_copy(slice_make(text.at + at, len));
        more = feed(&chunks, slice_make(copy, len), outcome);
        free(copy);
        at += len;
    }
    if (more)
        outcome->fault = INCOMPLETE;
}

static void body_row(void **state)
{
    const struct row *row = *state;
    static struct outcome outcome;
    for (size_t step = 1; step <= row->text.len; step++) {
        read_body(row->text, step, &outcome);
        assert_int_equal(outcome.fault, row->fault);
        if (row->content) {
            assert_int_equal(outcome.content_len, strlen(row->content));
            assert_memory_equal(outcome.content, row->content, outcome.content_len);
        }
        if (!row->fault)
            assert_int_equal(outcome.consumed, row->consumed);
    }
}

/* A10: small extensions on many chunks add up. */
static void extensions_of_a_body_are_bounded(void **state)
{
    (void)state;
    static const struct slice chunk = BYTES("1;23456789abcdefg\r\nx\r\n");
    struct h1_chunks chunks = {0};
    static struct outcome outcome;
    outcome = (struct outcome){.fault = FAULT_NONE};
    for (unsigned i = 0; i < H1_CHUNK_EXT_TOTAL_MAX / H1_CHUNK_EXT_MAX; i++)
        assert_true(feed(&chunks, chunk, &outcome));
    assert_true(feed(&chunks, SLICE("1\r\nx\r\n"), &outcome));
    assert_false(feed(&chunks, chunk, &outcome));
    assert_int_equal(outcome.fault, FAULT_bad_chunk);
}

static void the_largest_chunk_is_counted(void **state)
{
    (void)state;
    struct h1_chunks chunks = {0};
    enum h1_chunk_event event;
    size_t consumed = 0;
    struct slice data;
    assert_int_equal(h1_chunks_next(&chunks, SLICE("7fffffffffffffff\r\nab"), &event, &consumed, &data),
                     FAULT_NONE);
    assert_int_equal(event, H1_CHUNK_DATA);
    assert_int_equal(data.len, 2);
    assert_int_equal(chunks.left, INT64_MAX - 2);
}

static void nothing_to_read_is_nothing_read(void **state)
{
    (void)state;
    struct h1_chunks chunks = {0};
    enum h1_chunk_event event = H1_CHUNK_DATA;
    size_t consumed = 1;
    struct slice data = {NULL, 1};
    assert_int_equal(h1_chunks_next(&chunks, (struct slice){NULL, 0}, &event, &consumed, &data), FAULT_NONE);
    assert_int_equal(event, H1_CHUNK_MORE);
    assert_int_equal(consumed + data.len, 0);
}

int main(void)
{
    static struct CMUnitTest tests[64] = {
        cmocka_unit_test(extensions_of_a_body_are_bounded),
        cmocka_unit_test(the_largest_chunk_is_counted),
        cmocka_unit_test(nothing_to_read_is_nothing_read),
    };
    size_t count = 3;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tests[count++] = (struct CMUnitTest){rows[i].name, body_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("h1_chunks", tests, count, NULL, NULL);
}
