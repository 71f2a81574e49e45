/*
 * http/websocket_frames: the end of a frame is known wherever the bytes are cut, for every form of a length.
 */
#include "http/websocket_frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { BYTES_MAX = 80000 };

static unsigned char bytes[BYTES_MAX];

/* A frame at the front of `bytes`; its size. */
static size_t put_frame(unsigned char opcode, bool masked, uint64_t length)
{
    size_t at = 0;
    unsigned char mask = masked ? 0x80 : 0;
    bytes[at++] = opcode;
    if (length < 126) {
        bytes[at++] = (unsigned char)(mask | length);
    } else {
        int count = length < 65536 ? 2 : 8;
        bytes[at++] = (unsigned char)(mask | (count == 2 ? 126 : 127));
        for (int i = count - 1; i >= 0; i--)
            bytes[at++] = (unsigned char)(length >> 8 * i);
    }
    at += masked ? 4 : 0;
    memset(bytes + at, 0x88, length);
    return at + length;
}

static void every_length_wherever_it_is_cut(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};
    static const size_t cuts[] = {1, 2, 3, 7, 1000, BYTES_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t j = 0; j < 2 * sizeof cuts / sizeof *cuts; j++) {
            struct websocket_frames frames = {0};
            size_t size = put_frame(0x82, j % 2, lengths[i]), cut = cuts[j / 2];
            uint64_t gap = 1;
            for (size_t at = 0; at < size; at += cut) {
                size_t part = size - at < cut ? size - at : cut;
                websocket_frames_follow(&frames, slice_make((const char *)bytes + at, part));
                bool known = websocket_frames_gap(&frames, frames.seen, &gap);
                assert_true(!known || gap == size);
                if (at + part < size)
                    assert_true(websocket_frames_gap(&frames, 0, &gap) && gap == 0);
            }
            assert_true(websocket_frames_gap(&frames, 0, &gap));
            assert_int_equal(gap, size);
            assert_int_equal(frames.seen, size);
            assert_false(frames.closed);
        }
}

static void frames_behind_each_other(void **state)
{
    (void)state;
    struct websocket_frames frames = {0};
    uint64_t gap;
    websocket_frames_follow(&frames, SLICE("\x81\x02hi\x89"));
    assert_false(websocket_frames_gap(&frames, 5, &gap)); /* within a head */
    assert_true(websocket_frames_gap(&frames, 4, &gap));  /* which can still be left out */
    assert_int_equal(gap, 4);
    websocket_frames_follow(&frames, slice_make("\x00\x81\x03x", 4));
    assert_true(websocket_frames_gap(&frames, 7, &gap));
    assert_int_equal(gap, 11);
    assert_true(
        websocket_frames_gap(&frames, 2, &gap)); /* of those before the last only their end is known */
    assert_int_equal(gap, 6);
    assert_false(frames.closed);
    websocket_frames_follow(&frames, SLICE("yz\x88"));
    websocket_frames_follow(&frames, SLICE("\x02\x03"));
    assert_true(frames.closed);
    assert_true(websocket_frames_gap(&frames, 12, &gap));
    assert_int_equal(gap, 15);
}

static void the_frame_of_ours_is_a_close(void **state)
{
    (void)state;
    struct websocket_frames frames = {0};
    uint64_t gap;
    websocket_frames_follow(&frames, WEBSOCKET_GOING_AWAY);
    assert_true(frames.closed && websocket_frames_gap(&frames, 0, &gap) && gap == 4);
    const unsigned char *at = (const unsigned char *)WEBSOCKET_GOING_AWAY.at;
    assert_int_equal(at[2] << 8 | at[3], 1001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_wherever_it_is_cut),
        cmocka_unit_test(frames_behind_each_other),
        cmocka_unit_test(the_frame_of_ours_is_a_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
