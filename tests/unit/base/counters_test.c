/*
 * Counters: names, sums over blocks that live and that have ended, sums while others count.
 */
#include "base/counters.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 100000 };

static uint64_t sum(enum counter counter)
{
    uint64_t sums[COUNTER_COUNT];
    counters_sum(sums);
    return sums[counter];
}

static void rows_have_names(void **state)
{
    (void)state;
    assert_string_equal(counter_row(COUNTER_requests).name, "requests");
    assert_null(counter_row(COUNTER_requests).cause);
    enum counter refused = (enum counter)(COUNTER_CAUSES + FAULT_connect_refused);
    assert_string_equal(counter_row(refused).name, "ended");
    assert_string_equal(counter_row(refused).cause, "connect_refused");
    assert_string_equal(counter_row(COUNTER_CAUSES).cause, "ok");
    for (int i = 0; i < COUNTER_COUNT; i++) {
        struct counter_row row = counter_row((enum counter)i);
        assert_true(row.name && row.name[0] && row.help && row.help[0]);
    }
}

static void blocks_are_summed(void **state)
{
    (void)state;
    struct counters first, second;
    counters_init(&first);
    counters_init(&second);
    uint64_t before = sum(COUNTER_requests),
             refused = sum((enum counter)(COUNTER_CAUSES + FAULT_connect_refused));
    counters_add(&first, COUNTER_requests, 3);
    counters_add(&second, COUNTER_requests, 4);
    counters_cause(&second, FAULT_connect_refused);
    assert_int_equal(sum(COUNTER_requests), before + 7);
    assert_int_equal(sum((enum counter)(COUNTER_CAUSES + FAULT_connect_refused)), refused + 1);
    counters_fini(&first);
    counters_add(&second, COUNTER_requests, 1);
    assert_int_equal(sum(COUNTER_requests), before + 8);
    counters_fini(&second);
    assert_int_equal(sum(COUNTER_requests), before + 8);
}

static void statuses_go_to_their_class(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        enum counter counter;
    } rows[] = {
        {100, COUNTER_responses_1xx}, {101, COUNTER_responses_1xx}, {200, COUNTER_responses_2xx},
        {304, COUNTER_responses_3xx}, {499, COUNTER_responses_4xx}, {500, COUNTER_responses_5xx},
        {599, COUNTER_responses_5xx}, {600, COUNTER_responses_5xx}, {999, COUNTER_responses_5xx},
    };
    struct counters counters;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        counters_init(&counters);
        counters_status(&counters, rows[i].status);
        assert_int_equal(counters.value[rows[i].counter], 1);
        counters_fini(&counters);
    }
    counters_init(&counters);
    counters_status(&counters, 0);
    for (int i = 0; i < COUNTER_COUNT; i++)
        assert_int_equal(counters.value[i], 0);
    counters_fini(&counters);
}

static void *count_tunnels(void *opaque)
{
    struct counters *counters = opaque;
    counters_init(counters);
    for (int i = 0; i < ROUNDS; i++)
        counters_add(counters, COUNTER_tunnels, 1);
    counters_fini(counters);
    return NULL;
}

static void sums_never_go_back(void **state)
{
    (void)state;
    pthread_t threads[2];
    struct counters counters[2];
    uint64_t begin = sum(COUNTER_tunnels), last = begin;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_tunnels, &counters[i]), 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t now = sum(COUNTER_tunnels);
        assert_true(now >= last);
        last = now;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sum(COUNTER_tunnels), begin + 2 * ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_names),
        cmocka_unit_test(blocks_are_summed),
        cmocka_unit_test(statuses_go_to_their_class),
        cmocka_unit_test(sums_never_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
