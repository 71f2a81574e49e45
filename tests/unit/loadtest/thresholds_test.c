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

static struct load_line lines[] = {{.name = {"/api", 4}, .protocol = LOAD_H1},
                                   {.name = {"/api", 4}, .protocol = LOAD_H2},
                                   {.name = {"a.test:8080/<x>", 15}, .protocol = LOAD_WEBSOCKET},
                                   {.name = {"/events", 7}, .protocol = LOAD_EVENTS}};
static struct load_plan plan;
static struct load_tally *tally;
static struct threshold *thresholds;
static unsigned count;
static struct mix_error error;
static char sentence[THRESHOLD_SENTENCE_MAX];

enum { SECOND = 1000000 };

/* A hundred answers of 1 to 100 ms on the first line, and four errors. */
static int set_up(void **state)
{
    (void)state;
    plan = (struct load_plan){.lines = lines, .line_count = 4, .duration_us = 2 * SECOND};
    arena_init(&plan.arena, NULL, 0);
    tally = load_tally_new(&plan, 0);
    tally->lines[0].good = 96;
    tally->lines[0].errors[LOAD_ERROR_5xx] = 3;
    tally->lines[0].errors[LOAD_ERROR_lost] = 1;
    for (uint64_t ms = 1; ms <= 100; ms++)
        histogram_add(&tally->lines[0].latency, 1000 * ms);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    load_tally_free(&tally);
    arena_fini(&plan.arena);
    return 0;
}

static bool breaks(const char *text)
{
    assert_true(thresholds_parse(slice_of(text), &plan, &thresholds, &count, &error));
    assert_int_equal(count, 1);
    return threshold_is_broken(&thresholds[0], tally, sentence);
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
    tally->lines[0] = (struct load_line_tally){0};
    assert_true(breaks("p99>50ms"));
    assert_true(breaks("rate<1/s"));
    assert_false(breaks("errors>0%"));
}

/* One that is named is judged alone, over each protocol or all that ask for it. */
static void test_a_line_of_its_own(void **state)
{
    (void)state;
    tally->lines[1].good = 4;
    histogram_add(&tally->lines[1].latency, SECOND);
    tally->lines[2].errors[LOAD_ERROR_lost] = 1;
    tally->lines[3].good = 50;
    static const struct {
        const char *text;
        bool broken;
    } verdicts[] = {
        {"h1:/api: max>100ms", false},
        {"h2:/api: max>100ms", true},
        {"/api: requests<100", false},
        {"/api:requests<101", true},
        {"h2:/api: errors>0", false},
        {"/api: errors>4", false},
        {"a.test:8080/<x>: lost>0", true},
        {"ws:a.test:8080/<x>:lost>1", false},
        {"errors>4", true},
        {"/events: rate<25/s", false},
        {"sse:/events : rate<26/s", true},
        {"requests>100", false},
    };
    for (unsigned i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (breaks(verdicts[i].text) != verdicts[i].broken)
            fail_msg("%s", verdicts[i].text);
    assert_true(breaks("h2:/api: p50>1ms"));
    assert_string_equal(sentence, "h2:/api: p50>1ms: it was 1.00s");
    assert_true(breaks("/events: p50>1ms"));
    assert_string_equal(sentence, "/events: p50>1ms: no request was answered");
}

static void test_a_line_that_is_not_there(void **state)
{
    (void)state;
    assert_false(thresholds_parse(SLICE("errors>0, /apj: p99>1ms"), &plan, &thresholds, &count, &error));
    assert_int_equal(error.column, 11);
    assert_true(slice_equal(
        error.sentence,
        SLICE("\"/apj\" is not asked for; write one of these before the colon, with or without its "
              "protocol: h1:/api, h2:/api, ws:a.test:8080/<x>, sse:/events")));
}

static void test_what_is_wrong_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned column;
    } wrong[] = {{"", 1},         {"p99", 1},        {"p99>50ms,", 10},      {"p99>50", 5},
                 {"p99=50ms", 1}, {"p>50ms", 1},     {"p100>50ms", 1},       {"p0>50ms", 1},
                 {"p9x>5ms", 1},  {"errors>x", 8},   {"errors>1%%", 8},      {"rate<5", 6},
                 {"rate<5%", 6},  {"speed<5/s", 1},  {"errors>0,p99>=", 15}, {"p99>50ms%", 5},
                 {"p1e1>5ms", 1}, {"/api: >5ms", 7}, {"/api: spped>1", 7},   {"ws:/api: lost>0", 1},
                 {": p99>5ms", 1}};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (thresholds_parse(slice_of(wrong[i].text), &plan, &thresholds, &count, &error))
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
        cmocka_unit_test_setup_teardown(test_a_line_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_line_that_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_and_where, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
