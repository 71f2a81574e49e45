/*
 * base/timer: never early, at most a tick or two late, moved, cleared and set again from inside a timer. The
 * thread's clock is set by hand where a test must not wait: the wheel asks no other.
 */
#include "base/timer.h"

#include <event2/event.h>
#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

enum { TICK_US = TIMER_TICK_MS * 1000, SPAN_US = TIMER_SLOTS * TICK_US };

static struct event_base *base;
static struct clock thread_clock;
static struct timer_wheel *wheel;

struct alarm {
    struct timer timer; /* first, so that it is found from the timer */
    unsigned fired;
    uint64_t fired_us;
    uint64_t again_us; /* set again from inside, once */
    struct timer *clears, *sets;
};

static void on_fire(struct timer *timer)
{
    struct alarm *alarm = (struct alarm *)(void *)timer;
    alarm->fired++;
    alarm->fired_us = timer_now_us(wheel);
    if (alarm->again_us)
        timer_set(wheel, timer, alarm->again_us);
    alarm->again_us = 0;
    if (alarm->clears)
        timer_clear(wheel, alarm->clears);
    if (alarm->sets)
        timer_set(wheel, alarm->sets, 0);
    alarm->sets = NULL;
}

static int set_up(void **state)
{
    (void)state;
    base = event_base_new();
    thread_clock = (struct clock){0};
    (void)clock_now_us(&thread_clock);
    wheel = timer_wheel_new(base, &thread_clock);
    return base == NULL || wheel == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    timer_wheel_free(&wheel);
    timer_wheel_free(&wheel);
    event_base_free(base);
    return wheel != NULL;
}

/* Lets the wheel tick once with the thread's clock `later_us` later; takes one real tick. */
static void tick_at(uint64_t later_us)
{
    thread_clock.now_us += later_us;
    assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
}

static void a_timer_fires_once_and_in_time(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire};
    uint64_t begin = clock_monotonic_us();
    timer_set(wheel, &alarm.timer, 120000);
    while (alarm.fired == 0) {
        clock_turn(&thread_clock);
        assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
    }
    uint64_t took = clock_monotonic_us() - begin;
    assert_in_range(took, 120000, 120000 + 20 * TICK_US);
    assert_int_equal(alarm.timer.deadline_us, 0);
    clock_turn(&thread_clock);
    tick_at(SPAN_US);
    assert_int_equal(alarm.fired, 1);
}

static void never_early_and_a_tick_late_at_most(void **state)
{
    (void)state;
    static const uint64_t delays[] = {0,           1,           TICK_US - 1, TICK_US,
                                      TICK_US + 1, 7 * TICK_US, SPAN_US - 1, SPAN_US};
    struct alarm alarms[8];
    memset(alarms, 0, sizeof alarms);
    uint64_t begin = clock_now_us(&thread_clock);
    for (size_t i = 0; i < 8; i++) {
        alarms[i].timer.fire = on_fire;
        timer_set(wheel, &alarms[i].timer, delays[i]);
    }
    static const uint64_t steps[] = {TICK_US, TICK_US, TICK_US, 5 * TICK_US, SPAN_US - 10 * TICK_US,
                                     TICK_US, TICK_US, TICK_US};
    for (size_t k = 0; k < 8; k++) {
        tick_at(steps[k]);
        uint64_t now = clock_now_us(&thread_clock);
        for (size_t i = 0; i < 8; i++) {
            bool due = now >= begin + delays[i], overdue = now >= begin + delays[i] + TICK_US;
            if ((alarms[i].fired && !due) || (!alarms[i].fired && overdue))
                fail_msg("delay %llu at %llu", (unsigned long long)delays[i],
                         (unsigned long long)(now - begin));
        }
    }
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(alarms[i].fired, 1);
}

static void beyond_the_span_of_the_wheel(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire};
    timer_set(wheel, &alarm.timer, 3ull * SPAN_US + 5 * TICK_US);
    for (unsigned i = 0; i < 3; i++) {
        tick_at(SPAN_US);
        assert_int_equal(alarm.fired, 0);
    }
    tick_at(4 * TICK_US);
    assert_int_equal(alarm.fired, 0);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 1);
}

/* The process was stopped, or the machine slept, for many times the wheel's span. */
static void after_a_long_sleep(void **state)
{
    (void)state;
    struct alarm early = {.timer.fire = on_fire}, late = {.timer.fire = on_fire},
                 never = {.timer.fire = on_fire};
    timer_set(wheel, &early.timer, TICK_US);
    timer_set(wheel, &late.timer, 30ull * SPAN_US);
    timer_set(wheel, &never.timer, 100ull * SPAN_US);
    tick_at(50ull * SPAN_US);
    assert_int_equal(early.fired, 1);
    assert_int_equal(late.fired, 1);
    assert_int_equal(never.fired, 0);
}

static void a_later_deadline_replaces_an_earlier(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire};
    timer_set(wheel, &alarm.timer, 2 * TICK_US);
    for (unsigned i = 0; i < 5; i++) {
        tick_at(TICK_US);
        timer_set(wheel, &alarm.timer, 4 * TICK_US);
    }
    tick_at(3 * TICK_US);
    assert_int_equal(alarm.fired, 0);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 1);
}

static void an_earlier_deadline_replaces_a_later(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire};
    timer_set(wheel, &alarm.timer, 100 * TICK_US);
    timer_set(wheel, &alarm.timer, TICK_US);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 1);
    tick_at(200 * TICK_US);
    assert_int_equal(alarm.fired, 1);
}

static void hastening_never_postpones(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire};
    uint64_t begin = clock_now_us(&thread_clock);
    timer_hasten(wheel, &alarm.timer, begin + 6 * TICK_US);
    timer_hasten(wheel, &alarm.timer, begin + 9 * TICK_US);
    assert_int_equal(alarm.timer.deadline_us, begin + 6 * TICK_US);
    timer_hasten(wheel, &alarm.timer, begin + 2 * TICK_US);
    tick_at(TICK_US);
    assert_int_equal(alarm.fired, 0);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 1);
    timer_hasten(wheel, &alarm.timer, begin + TICK_US); /* it has passed */
    tick_at(TICK_US);
    assert_int_equal(alarm.fired, 2);
    tick_at(9 * TICK_US);
    assert_int_equal(alarm.fired, 2);
}

static void a_cleared_timer_does_not_fire(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire}, other = {.timer.fire = on_fire};
    timer_clear(wheel, &alarm.timer);
    timer_set(wheel, &alarm.timer, TICK_US);
    timer_set(wheel, &other.timer, 10 * TICK_US);
    timer_clear(wheel, &alarm.timer);
    timer_clear(wheel, &alarm.timer);
    tick_at(5 * TICK_US);
    assert_int_equal(alarm.fired, 0);
    timer_set(wheel, &alarm.timer, TICK_US);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 1);
}

static void timers_change_timers(void **state)
{
    (void)state;
    struct alarm victim = {.timer.fire = on_fire}, child = {.timer.fire = on_fire};
    struct alarm actor = {.timer.fire = on_fire, .clears = &victim.timer, .sets = &child.timer};
    timer_set(wheel, &actor.timer, TICK_US);
    timer_set(wheel, &victim.timer, TICK_US);
    tick_at(2 * TICK_US);
    assert_int_equal(actor.fired, 1);
    assert_int_equal(victim.fired, 0);
    assert_int_equal(child.fired, 0);
    tick_at(TICK_US);
    assert_int_equal(child.fired, 1);
}

static void a_timer_sets_itself_again(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire, .again_us = 3 * TICK_US};
    timer_set(wheel, &alarm.timer, TICK_US);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 1);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 1);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 2);
}

/* Set from inside a timer to exactly one turn of the wheel: the slot that is being swept is not swept for
 * ever. */
static void a_timer_sets_itself_into_its_own_slot(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire, .again_us = SPAN_US - TICK_US};
    timer_set(wheel, &alarm.timer, TICK_US);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 1);
    tick_at(SPAN_US + TICK_US);
    assert_int_equal(alarm.fired, 2);
}

static void an_idle_wheel_does_not_tick(void **state)
{
    (void)state;
    struct alarm alarm = {.timer.fire = on_fire};
    assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
    timer_set(wheel, &alarm.timer, TICK_US);
    assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 1);
    tick_at(2 * TICK_US);
    assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
    thread_clock.now_us += 40ull * SPAN_US;
    timer_set(wheel, &alarm.timer, TICK_US);
    tick_at(2 * TICK_US);
    assert_int_equal(alarm.fired, 2);
}

static void thousands_of_timers(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct alarm *alarms = calloc(COUNT, sizeof *alarms);
    assert_non_null(alarms);
    uint64_t begin = clock_now_us(&thread_clock);
    for (size_t i = 0; i < COUNT; i++) {
        alarms[i].timer.fire = on_fire;
        timer_set(wheel, &alarms[i].timer, i * 5000);
    }
    for (size_t i = 0; i < COUNT; i += 3)
        timer_clear(wheel, &alarms[i].timer);
    for (unsigned k = 0; k < 5; k++)
        tick_at(SPAN_US);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(alarms[i].fired, i % 3 != 0);
        assert_true(!alarms[i].fired || alarms[i].fired_us >= begin + i * 5000);
    }
    free(alarms);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_timer_fires_once_and_in_time),
        TEST(never_early_and_a_tick_late_at_most),
        TEST(beyond_the_span_of_the_wheel),
        TEST(after_a_long_sleep),
        TEST(a_later_deadline_replaces_an_earlier),
        TEST(an_earlier_deadline_replaces_a_later),
        TEST(hastening_never_postpones),
        TEST(a_cleared_timer_does_not_fire),
        TEST(timers_change_timers),
        TEST(a_timer_sets_itself_again),
        TEST(a_timer_sets_itself_into_its_own_slot),
        TEST(an_idle_wheel_does_not_tick),
        TEST(thousands_of_timers),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
