/*
 * base/alarm: rings once each time it is set, not before its time and well within a tick of the timer wheel;
 * setting it again replaces the time.
 */
#include "base/alarm.h"

#include "base/clock.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct event_base *base;
static struct alarm *alarm;
static unsigned rung;
static uint64_t rung_us;

static void on_ring(void *arg)
{
    (void)arg;
    rung++;
    rung_us = clock_monotonic_us();
}

static int set_up(void **state)
{
    (void)state;
    base = event_base_new();
    rung = 0;
    alarm = alarm_new(base, on_ring, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    alarm_free(&alarm);
    alarm_free(&alarm);
    event_base_free(base);
    return 0;
}

static void test_not_before_its_time(void **state)
{
    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        uint64_t at_us = clock_monotonic_us() + 700;
        alarm_set(alarm, at_us);
        event_base_loop(base, EVLOOP_ONCE);
        assert_int_equal(rung, i);
        assert_true(rung_us >= at_us);
    }
}

static void test_what_is_past_rings_at_once_and_once(void **state)
{
    (void)state;
    alarm_set(alarm, 1);
    event_base_loop(base, EVLOOP_ONCE);
    event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(rung, 1);
}

static void test_the_last_time_counts(void **state)
{
    (void)state;
    uint64_t now_us = clock_monotonic_us();
    alarm_set(alarm, now_us + 1000);
    alarm_set(alarm, now_us + 5000);
    event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(rung, 1);
    assert_true(rung_us >= now_us + 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_not_before_its_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_past_rings_at_once_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_time_counts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
