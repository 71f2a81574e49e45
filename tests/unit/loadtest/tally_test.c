/*
 * loadtest/tally: what counts where, what is outside of the measured time, sums of lines and of threads; and
 * loadtest/text: numbers as people read them.
 */
#include "loadtest/tally.h"

#include "loadtest/text.h"

#include <stdlib.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

enum { BEGIN = 1000000, SECOND = 1000000, HTTP = 0, OTHER = 1, STREAM = 2 };

static struct load_line lines[] = {{.protocol = LOAD_H1}, {.protocol = LOAD_H2}, {.protocol = LOAD_EVENTS}};
static const struct load_plan plan = {.lines = lines, .line_count = 3, .duration_us = 3 * SECOND};
static struct load_tally *tally, *other;
static struct load_line_tally sum;

static int set_up(void **state)
{
    (void)state;
    tally = load_tally_new(&plan, BEGIN);
    other = load_tally_new(&plan, BEGIN);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    load_tally_free(&tally);
    load_tally_free(&tally);
    load_tally_free(&other);
    return 0;
}

static void test_only_the_measured_time(void **state)
{
    (void)state;
    load_tally_add(tally, HTTP, BEGIN - 1, BEGIN + 5, LOAD_GOOD);
    load_tally_add(tally, HTTP, BEGIN + 3 * SECOND, BEGIN + 4 * SECOND, LOAD_ERROR_5xx);
    load_tally_content(tally, HTTP, BEGIN - 1, 7);
    load_tally_event(tally, STREAM, BEGIN - 1);
    load_tally_sum(tally, LOAD_PROTOCOLS, &sum);
    assert_true(sum.good == 0 && load_line_errors(&sum) == 0 && sum.bytes == 0 &&
                tally->lines[STREAM].good == 0);
    load_tally_add(tally, HTTP, BEGIN, BEGIN + 5, LOAD_GOOD);
    load_tally_add(tally, HTTP, BEGIN + 3 * SECOND - 1, BEGIN + 9 * SECOND, LOAD_GOOD);
    load_tally_content(tally, HTTP, BEGIN, 7);
    load_tally_sum(tally, LOAD_PROTOCOLS, &sum);
    assert_true(sum.good == 2 && sum.bytes == 7);
    assert_int_equal(tally->intervals[0].good, 1);
    assert_int_equal(tally->intervals[tally->interval_count - 1].good, 1);
}

/* What nobody answered has no latency, but for what was waited for in vain. */
static void test_latencies(void **state)
{
    (void)state;
    for (enum load_error outcome = 0; outcome <= LOAD_REDIRECT; outcome++)
        load_tally_add(tally, HTTP, BEGIN, BEGIN + 100, outcome);
    assert_int_equal(tally->lines[HTTP].good, 2);
    assert_int_equal(tally->lines[HTTP].redirects, 1);
    assert_int_equal(load_line_errors(&tally->lines[HTTP]), LOAD_ERROR_COUNT);
    assert_int_equal(tally->lines[HTTP].latency.count, 2 + 4); /* timeout, 4xx, 5xx, content */
    assert_int_equal(tally->intervals[0].errors, LOAD_ERROR_COUNT);
}

static void test_event_streams_are_no_requests(void **state)
{
    (void)state;
    load_tally_add(tally, STREAM, BEGIN, BEGIN + 100, LOAD_GOOD); /* the first event */
    load_tally_event(tally, STREAM, BEGIN + 100);
    load_tally_event(tally, STREAM, BEGIN + 200);
    load_tally_add(tally, STREAM, BEGIN + 300, BEGIN + 300, LOAD_ERROR_lost);
    assert_int_equal(tally->lines[STREAM].good, 2);
    assert_int_equal(tally->lines[STREAM].latency.count, 1);
    assert_int_equal(tally->intervals[0].good, 0);
    load_tally_sum(tally, LOAD_PROTOCOLS, &sum);
    assert_true(sum.good == 0 && sum.latency.count == 0 && sum.errors[LOAD_ERROR_lost] == 1);
    load_tally_sum(tally, LOAD_EVENTS, &sum);
    assert_true(sum.good == 2 && sum.latency.count == 1);
}

static void test_sums(void **state)
{
    (void)state;
    load_tally_add(tally, HTTP, BEGIN, BEGIN + 100, LOAD_GOOD);
    load_tally_add(tally, OTHER, BEGIN, BEGIN + 300, LOAD_GOOD);
    load_tally_add(other, OTHER, BEGIN + 2 * SECOND, BEGIN + 2 * SECOND + 900, LOAD_ERROR_4xx);
    other->queued = 3;
    other->busy_max = 0.5;
    histogram_add(&other->lag, 77);
    load_tally_merge(tally, other);
    load_tally_sum(tally, LOAD_H2, &sum);
    assert_true(sum.good == 1 && sum.errors[LOAD_ERROR_4xx] == 1 && sum.latency.max_us == 900);
    load_tally_sum(tally, LOAD_PROTOCOLS, &sum);
    assert_true(sum.good == 2 && sum.latency.count == 3);
    assert_true(tally->queued == 3 && tally->busy_max > 0.4 && tally->lag.count == 1);
    assert_int_equal(tally->intervals[2 * SECOND / tally->interval_us].errors, 1);
}

static void test_the_time_line_has_bounded_many_intervals(void **state)
{
    (void)state;
    for (uint64_t us = 1000; us < UINT64_C(86400) * SECOND; us += us / 3) {
        struct load_plan longer = {.lines = lines, .line_count = 1, .duration_us = us};
        struct load_tally *one = load_tally_new(&longer, BEGIN);
        assert_in_range(one->interval_count, 1, LOAD_INTERVALS_MAX);
        load_tally_add(one, 0, BEGIN + us - 1, BEGIN + us, LOAD_GOOD);
        assert_int_equal(one->intervals[one->interval_count - 1].good, 1);
        load_tally_free(&one);
    }
}

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } durations[] = {{0, "0us"},         {999, "999us"},      {1000, "1.00ms"},     {1234, "1.23ms"},
                     {12345, "12.3ms"},  {99949, "99.9ms"},   {99950, "100ms"},     {123456, "123ms"},
                     {1000000, "1.00s"}, {90000000, "90.0s"}, {7200000000, "7200s"}};
    for (unsigned i = 0; i < sizeof durations / sizeof durations[0]; i++)
        assert_string_equal(load_text_duration(durations[i].us).at, durations[i].text);
    assert_string_equal(load_text_count(0).at, "0");
    assert_string_equal(load_text_count(999).at, "999");
    assert_string_equal(load_text_count(1000).at, "1,000");
    assert_string_equal(load_text_count(UINT64_MAX).at, "18,446,744,073,709,551,615");
    assert_string_equal(load_text_rate(12.34).at, "12.3");
    assert_string_equal(load_text_rate(1234.5).at, "1,235");
    assert_string_equal(load_text_bytes(1023).at, "1023B");
    assert_string_equal(load_text_bytes(17613).at, "17.2KiB");
    assert_string_equal(load_text_bytes(UINT64_C(3) << 40).at, "3.00TiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_only_the_measured_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_latencies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_event_streams_are_no_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sums, set_up, tear_down),
        cmocka_unit_test(test_the_time_line_has_bounded_many_intervals),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
