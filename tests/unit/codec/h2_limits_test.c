/*
 * The budgets of an HTTP/2 connection: bursts, refilling, gifts, and frame headers that come in pieces of any
 * size.
 */
#include "codec/h2_limits.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

enum { SECOND = 1000000 };

static uint32_t take_all(struct h2_limits *limits, enum close_reason reason, uint64_t now_us)
{
    uint32_t taken = 0;
    while (h2_limits_take(limits, reason, now_us))
        taken++;
    return taken;
}

static void a_burst_and_then_a_rate(void **state)
{
    (void)state;
    for (int reason = CLOSE_NONE + 1; reason < CLOSE_REASON_COUNT; reason++) {
        const struct close_reason_row *row = close_reason_row((enum close_reason)reason);
        struct h2_limits limits = {0};
        assert_true(row->name[0] != '\0' && row->sentence[0] != '\0');
        if (row->burst == 0)
            continue;
        assert_int_equal(take_all(&limits, (enum close_reason)reason, SECOND), row->burst);
        uint32_t later = take_all(&limits, (enum close_reason)reason, 3 * SECOND);
        assert_in_range(later, 2 * row->per_second - 2, 2 * row->per_second + 2);
        assert_int_equal(take_all(&limits, (enum close_reason)reason, 100000000ull * SECOND), row->burst);
    }
}

static void what_is_earned_can_be_taken_besides(void **state)
{
    (void)state;
    struct h2_limits limits = {0};
    uint32_t burst = take_all(&limits, CLOSE_ping_flood, SECOND);
    h2_limits_earn(&limits, CLOSE_ping_flood, 8);
    assert_int_equal(take_all(&limits, CLOSE_ping_flood, SECOND), 8);
    struct h2_limits full = {0};
    h2_limits_earn(&full, CLOSE_ping_flood, 300); /* before anything was taken: all of it is under way */
    assert_int_equal(take_all(&full, CLOSE_ping_flood, SECOND), burst + 300);
    h2_limits_earn(&full, CLOSE_ping_flood, 1000000);
    assert_int_equal(take_all(&full, CLOSE_ping_flood, SECOND), H2_EARNED_MAX);
}

static enum close_reason charge(const char *frame, size_t len, unsigned count, size_t piece)
{
    struct h2_limits limits = {0};
    struct h2_frames frames;
    h2_frames_start(&frames);
    enum close_reason reason =
        h2_limits_charge(&limits, &frames, slice_make("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24), SECOND);
    for (unsigned i = 0; i < count && !reason; i++)
        for (size_t at = 0; at < len && !reason; at += piece)
            reason = h2_limits_charge(&limits, &frames,
                                      slice_make(frame + at, len - at < piece ? len - at : piece), SECOND);
    return reason;
}

#define FRAME(bytes) bytes, sizeof(bytes) - 1

static void frames_are_told_apart(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 20; piece += 3) {
        assert_int_equal(charge(FRAME("\0\0\10\6\0\0\0\0\0abcdefgh"), 101, piece), CLOSE_ping_flood);
        assert_int_equal(charge(FRAME("\0\0\10\6\0\0\0\0\0abcdefgh"), 100, piece), CLOSE_NONE);
        assert_int_equal(charge(FRAME("\0\0\0\4\1\0\0\0\0"), 100, piece), CLOSE_settings_flood);
        assert_int_equal(charge(FRAME("\0\0\4\3\0\0\0\0\1abcd"), 1001, piece), CLOSE_reset_flood);
        assert_int_equal(charge(FRAME("\0\0\0\0\0\0\0\0\1"), 300, piece), CLOSE_empty_data_flood);
        assert_int_equal(charge(FRAME("\0\0\1\0\0\0\0\0\1x"), 20001, piece), CLOSE_tiny_data_flood);
        assert_int_equal(charge(FRAME("\0\0\0\0\1\0\0\0\1"), 3000, piece), CLOSE_NONE);  /* END_STREAM */
        assert_int_equal(charge(FRAME("\0\0\1\1\4\0\0\0\1x"), 3000, piece), CLOSE_NONE); /* HEADERS */
        assert_int_equal(charge(FRAME("\0\0\0\167\0\0\0\0\0"), 300, piece), CLOSE_unknown_frame_flood);
    }
}

static bool in_head(const char *bytes, size_t len)
{
    struct h2_limits limits = {0};
    struct h2_frames frames;
    h2_frames_start(&frames);
    (void)h2_limits_charge(&limits, &frames, slice_make("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24), SECOND);
    (void)h2_limits_charge(&limits, &frames, slice_make(bytes, len), SECOND);
    return h2_frames_in_head(&frames);
}

static void a_head_lasts_until_its_last_byte(void **state)
{
    (void)state;
    assert_false(in_head(FRAME("")));
    assert_true(in_head(FRAME("\0\0\2\1\4\0\0\0\1")));
    assert_true(in_head(FRAME("\0\0\2\1\4\0\0\0\1a")));
    assert_false(in_head(FRAME("\0\0\2\1\4\0\0\0\1ab")));
    assert_true(in_head(FRAME("\0\0\2\1\0\0\0\0\1ab")));
    assert_true(in_head(FRAME("\0\0\2\1\0\0\0\0\1ab\0\0\0\11\0\0\0\0\1")));
    assert_false(in_head(FRAME("\0\0\2\1\0\0\0\0\1ab\0\0\0\11\4\0\0\0\1")));
    assert_false(in_head(FRAME("\0\0\2\0\0\0\0\0\1a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_and_then_a_rate),
        cmocka_unit_test(what_is_earned_can_be_taken_besides),
        cmocka_unit_test(frames_are_told_apart),
        cmocka_unit_test(a_head_lasts_until_its_last_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
