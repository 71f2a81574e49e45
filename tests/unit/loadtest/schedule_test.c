/*
 * loadtest/schedule: rates as they are written; due times that do not drift and that several threads divide
 * among themselves without a gap.
 */
#include "loadtest/schedule.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

enum { BEGIN = 5000000 };

static void test_rates(void **state)
{
    (void)state;
    struct load_rate rate;
    assert_true(load_rate_parse(SLICE("500/s"), &rate));
    assert_true(rate.count == 500 && rate.window_us == 1000000);
    assert_true(load_rate_parse(SLICE("90/m"), &rate));
    assert_true(rate.count == 90 && rate.window_us == 60000000);
    assert_true(load_rate_parse(SLICE("10000000/s"), &rate));
    static const char *const bad[] = {"",
                                      "/",
                                      "500",
                                      "500/",
                                      "/s",
                                      "0/s",
                                      "5/d",
                                      "-5/s",
                                      "5.5/s",
                                      "10000001/s",
                                      "5/s/s",
                                      "5 /s",
                                      "99999999999999999999/s"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(load_rate_parse(slice_of(bad[i]), &rate));
}

static void test_times_do_not_drift(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_start(&schedule, (struct load_rate){3, 1000000}, BEGIN, 0, 1);
    uint64_t last = schedule_due_us(&schedule);
    assert_int_equal(last, BEGIN);
    for (unsigned i = 1; i <= 30000; i++) {
        schedule_advance(&schedule);
        uint64_t due = schedule_due_us(&schedule);
        assert_in_range(due - last, 333333, 333334);
        last = due;
    }
    assert_int_equal(last, BEGIN + UINT64_C(10000) * 1000000);
}

static void test_no_product_overflows(void **state)
{
    (void)state;
    struct schedule schedule;
    schedule_start(&schedule, (struct load_rate){10000000, 1000000}, BEGIN, 0, 1);
    schedule.next = UINT64_C(10000000) * 86400 * 365;
    assert_int_equal(schedule_due_us(&schedule), BEGIN + UINT64_C(86400) * 365 * 1000000);
}

/* Seven threads' times, merged, are those of one. */
static void test_threads_divide_it(void **state)
{
    (void)state;
    enum { PARTS = 7 };
    struct load_rate rate = {1000, 1000000};
    struct schedule whole, parts[PARTS];
    schedule_start(&whole, rate, BEGIN, 0, 1);
    for (unsigned i = 0; i < PARTS; i++)
        schedule_start(&parts[i], rate, BEGIN, i, PARTS);
    for (unsigned n = 0; n < 1000; n++) {
        struct schedule *part = &parts[n % PARTS];
        assert_int_equal(schedule_due_us(part), schedule_due_us(&whole));
        schedule_advance(part);
        schedule_advance(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_times_do_not_drift),
        cmocka_unit_test(test_no_product_overflows),
        cmocka_unit_test(test_threads_divide_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
