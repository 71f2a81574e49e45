/*
 * loadtest/websocket_reader: the same events wherever the bytes are cut; messages in one frame and in
 * several, pings between them, the three lengths; what no server may send.
 */
#include "loadtest/websocket_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const char *const letters[] = {
    [WEBSOCKET_MORE] = "",  [WEBSOCKET_ECHO] = "e",  [WEBSOCKET_WRONG] = "w", [WEBSOCKET_PING] = "p",
    [WEBSOCKET_PONG] = "o", [WEBSOCKET_CLOSE] = "c", [WEBSOCKET_BROKEN] = "!"};

/* The events of the bytes, fed in pieces of `step`, as letters. */
static const char *events_of(struct slice bytes, struct slice expected, size_t step)
{
    static char said[64];
    struct websocket_reader reader = {0};
    said[0] = '\0';
    while (bytes.len > 0) {
        struct slice piece = slice_make(bytes.at, bytes.len < step ? bytes.len : step);
        bytes = slice_after(bytes, piece.len);
        while (piece.len > 0) {
            enum websocket_event event = websocket_reader_next(&reader, expected, &piece);
            strcat(said, letters[event]);
            if (event == WEBSOCKET_BROKEN)
                return said;
        }
    }
    return said;
}

static void expect(struct slice bytes, const char *events)
{
    for (size_t step = 1; step <= bytes.len; step++)
        assert_string_equal(events_of(bytes, SLICE("hello"), step), events);
}

#define FRAMES(literal) SLICE(literal)

static void test_echoes(void **state)
{
    (void)state;
    expect(FRAMES("\x82\x05hello"), "e");
    expect(FRAMES("\x82\x05hello\x81\x05hello"), "ee");
    expect(FRAMES("\x82\x05hellx\x82\x05hello"), "we");
    expect(FRAMES("\x82\x04hell"), "w");
    expect(FRAMES("\x82\x06hellox\x82\x05hello"), "we");
    expect(FRAMES("\x82\x00"), "w");
}

static void test_fragments_and_what_comes_between(void **state)
{
    (void)state;
    expect(FRAMES("\x02\x02he\x89\x03now\x00\x01l\x8a\x00\x80\x02lo\x82\x05hello"), "poee");
    expect(FRAMES("\x02\x00\x80\x05hello"), "e");
}

static void test_the_end(void **state)
{
    (void)state;
    expect(FRAMES("\x82\x05hello\x88\x02\x03\xe9"), "ec");
    expect(FRAMES("\x88\x00"), "c");
}

static void test_lengths(void **state)
{
    (void)state;
    enum { LONG = 70000 };
    char *expected = malloc(LONG), *frame = malloc(LONG + 10);
    memset(expected, 'x', LONG);
    memcpy(frame, "\x82\x7f\0\0\0\0\0\x01\x11\x70", 10);
    memcpy(frame + 10, expected, LONG);
    assert_string_equal(events_of(slice_make(frame, LONG + 10), slice_make(expected, LONG), 1000), "e");
    memcpy(frame, "\x82\x7e\x01\x00", 4);
    memcpy(frame + 4, expected, 256);
    assert_string_equal(events_of(slice_make(frame, 260), slice_make(expected, 256), 3), "e");
    free(expected);
    free(frame);
}

static void test_the_content_of_a_ping(void **state)
{
    (void)state;
    struct websocket_reader reader = {0};
    struct slice bytes = SLICE("\x89\x03now\x82");
    assert_int_equal(websocket_reader_next(&reader, SLICE(""), &bytes), WEBSOCKET_PING);
    assert_int_equal(bytes.len, 1);
    assert_int_equal(reader.control_len, 3);
    assert_memory_equal(reader.control, "now", 3);
}

static void test_what_no_server_may_send(void **state)
{
    (void)state;
    expect(FRAMES("\x82\x85....hello"), "!"); /* masked */
    expect(FRAMES("\xc2\x05hello"), "!");     /* compressed */
    expect(FRAMES("\x83\x00"), "!");          /* opcodes of nothing */
    expect(FRAMES("\x8b\x00"), "!");
    expect(FRAMES("\x09\x00"), "!");     /* a ping in parts */
    expect(FRAMES("\x89\x7e\x00"), "!"); /* a long ping */
    expect(FRAMES("\x80\x00"), "!");     /* the rest of nothing */
    expect(FRAMES("\x02\x00\x82\x00"), "!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echoes),
        cmocka_unit_test(test_fragments_and_what_comes_between),
        cmocka_unit_test(test_the_end),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_the_content_of_a_ping),
        cmocka_unit_test(test_what_no_server_may_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
