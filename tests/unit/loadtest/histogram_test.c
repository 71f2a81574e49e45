/*
 * loadtest/histogram: exact where small, within a hundredth everywhere, never too short; the sum of two is as
 * good as one that saw everything; ranks at the edges.
 */
#include "loadtest/histogram.h"

#include <stdlib.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct histogram a, b, both;

static int set_up(void **state)
{
    (void)state;
    a = b = both = (struct histogram){0};
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(histogram_percentile(&a, 0.99), 0);
    histogram_merge(&a, &b);
    assert_int_equal(a.count, 0);
}

static void test_small_ones_are_exact(void **state)
{
    (void)state;
    for (uint64_t us = 1; us <= 100; us++)
        histogram_add(&a, us);
    assert_int_equal(histogram_percentile(&a, 0), 1);
    assert_int_equal(histogram_percentile(&a, 0.01), 1);
    assert_int_equal(histogram_percentile(&a, 0.5), 50);
    assert_int_equal(histogram_percentile(&a, 0.99), 99);
    assert_int_equal(histogram_percentile(&a, 1), 100);
    assert_int_equal(a.sum_us, 5050);
}

/* Alone behind a longer one, a duration is read as the end of its bucket. */
static void test_the_error_is_bounded(void **state)
{
    (void)state;
    for (uint64_t us = 1; us < HISTOGRAM_TOP_US; us += us / 37 + 1) {
        struct histogram one = {0};
        histogram_add(&one, us);
        histogram_add(&one, HISTOGRAM_TOP_US);
        uint64_t read = histogram_percentile(&one, 0.5);
        assert_true(read >= us);
        assert_true(read - us <= us / 128);
        assert_int_equal(histogram_percentile(&one, 1), HISTOGRAM_TOP_US);
    }
}

static void test_powers_of_two_lie_on_the_right_side(void **state)
{
    (void)state;
    for (unsigned bit = 8; bit < 36; bit++) {
        struct histogram edge = {0};
        histogram_add(&edge, (UINT64_C(1) << bit) - 1);
        histogram_add(&edge, UINT64_C(1) << bit);
        assert_int_equal(histogram_percentile(&edge, 0.5), (UINT64_C(1) << bit) - 1);
    }
}

static void test_what_is_longer_than_the_top(void **state)
{
    (void)state;
    histogram_add(&a, UINT64_MAX);
    assert_int_equal(a.max_us, HISTOGRAM_TOP_US);
    assert_int_equal(histogram_percentile(&a, 0.5), HISTOGRAM_TOP_US);
}

static void test_never_beyond_the_longest(void **state)
{
    (void)state;
    histogram_add(&a, 100000);
    assert_int_equal(histogram_percentile(&a, 0.999), 100000);
}

static void test_merging(void **state)
{
    (void)state;
    srand(7);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t us = (uint64_t)rand() >> (rand() % 30);
        histogram_add(i % 3 ? &a : &b, us);
        histogram_add(&both, us);
    }
    histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty, set_up),
        cmocka_unit_test_setup(test_small_ones_are_exact, set_up),
        cmocka_unit_test_setup(test_the_error_is_bounded, set_up),
        cmocka_unit_test_setup(test_powers_of_two_lie_on_the_right_side, set_up),
        cmocka_unit_test_setup(test_what_is_longer_than_the_top, set_up),
        cmocka_unit_test_setup(test_never_beyond_the_longest, set_up),
        cmocka_unit_test_setup(test_merging, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
