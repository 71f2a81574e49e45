/*
 * loadtest/thresholds: what a comparison says, where a wrong one is wrong, and when one is broken, down to
 * equality and to tests in which nothing was answered.
 */
#include "loadtest/thresholds.h"

#include <stdlib.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena;
static struct threshold *thresholds;
static unsigned count;
static struct mix_error error;
static struct load_line_tally sum;
static char sentence[THRESHOLD_SENTENCE_MAX];

enum { SECOND = 1000000 };

/* A hundred answers of 1 to 100 ms, and four errors. */
static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 0);
    sum = (struct load_line_tally){.good = 96};
    sum.errors[LOAD_ERROR_5xx] = 3;
    sum.errors[LOAD_ERROR_lost] = 1;
    for (uint64_t ms = 1; ms <= 100; ms++)
        histogram_add(&sum.latency, 1000 * ms);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static bool breaks(const char *text)
{
    assert_true(thresholds_parse(slice_of(text), &arena, &thresholds, &count, &error));
    assert_int_equal(count, 1);
    return threshold_is_broken(&thresholds[0], &sum, 2 * SECOND, sentence);
}

static void test_verdicts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool broken;
    } verdicts[] = {
        {"p99>98ms", true},    {"p99>100ms", false},  {"p50>49ms", true},    {"p50 > 51ms", false},
        {"p99.9>99ms", true},  {"p50<60ms", true},    {"max>=100ms", true},  {"max>100ms", false},
        {"max>99999us", true}, {"mean>50ms", true},   {"mean>51ms", false},  {"errors>3", true},
        {"errors>4", false},   {"errors>=4", true},   {"errors>3%", true},   {"errors>4%", false},
        {"errors>=4%", true},  {"5xx>2", true},       {"5xx>3", false},      {"4xx>0", false},
        {"lost>0", true},      {"timeout>=0", true},  {"rate<49/s", true},   {"rate<48/s", false},
        {"rate<=48/s", true},  {"rate<2881/m", true}, {"requests<97", true}, {"requests<96", false},
    };
    for (unsigned i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (breaks(verdicts[i].text) != verdicts[i].broken)
            fail_msg("%s", verdicts[i].text);
}

static void test_the_sentence(void **state)
{
    (void)state;
    assert_true(breaks("max>50ms"));
    assert_string_equal(sentence, "max>50ms: it was 100ms");
    assert_true(breaks("errors>1%"));
    assert_string_equal(sentence, "errors>1%: it was 4.00%");
    assert_true(breaks("rate<50/s"));
    assert_string_equal(sentence, "rate<50/s: it was 48.0/s");
}

/* Silence is no proof of speed. */
static void test_nothing_was_answered(void **state)
{
    (void)state;
    sum = (struct load_line_tally){0};
    assert_true(breaks("p99>50ms"));
    assert_true(breaks("rate<1/s"));
    assert_false(breaks("errors>0%"));
}

static void test_what_is_wrong_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned column;
    } wrong[] = {{"", 1},         {"p99", 1},       {"p99>50ms,", 10},      {"p99>50", 5},
                 {"p99=50ms", 1}, {"p>50ms", 1},    {"p100>50ms", 1},       {"p0>50ms", 1},
                 {"p9x>5ms", 1},  {"errors>x", 8},  {"errors>1%%", 8},      {"rate<5", 6},
                 {"rate<5%", 6},  {"speed<5/s", 1}, {"errors>0,p99>=", 15}, {"p99>50ms%", 5},
                 {"p1e1>5ms", 1}};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (thresholds_parse(slice_of(wrong[i].text), &arena, &thresholds, &count, &error))
            fail_msg("%s is taken", wrong[i].text);
        if (error.column != wrong[i].column)
            fail_msg("%s: column %u", wrong[i].text, error.column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_verdicts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_sentence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_was_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_and_where, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
