/*
 * base/clock: one reading a turn, monotonic, and a wall clock that agrees with the C library's.
 */
#include "base/clock.h"

#include <time.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static void one_reading_a_turn(void **state)
{
    (void)state;
    struct clock clock = {0};
    uint64_t first = clock_now_us(&clock);
    while (clock_monotonic_us() < first + 100)
        ;
    assert_int_equal(clock_now_us(&clock), first);
    clock_turn(&clock);
    assert_true(clock_now_us(&clock) >= first + 100);
}

static void monotonic_does_not_go_back(void **state)
{
    (void)state;
    uint64_t before = clock_monotonic_us();
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now = clock_monotonic_us();
        assert_true(now >= before);
        before = now;
    }
}

static void wall_is_the_time_of_day(void **state)
{
    (void)state;
    time_t before = time(NULL);
    uint64_t now = clock_wall_us() / 1000000;
    assert_true(now + 1 >= (uint64_t)before && now <= (uint64_t)time(NULL) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_reading_a_turn),
        cmocka_unit_test(monotonic_does_not_go_back),
        cmocka_unit_test(wall_is_the_time_of_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
