/*
 * policy/limiter: the decisions and delays of nginx's leaky bucket, request by request; windows; whom a full
 * table forgets; many threads; the memory a table takes. Time is virtual throughout.
 */
#include "policy/limiter.h"

#include "base/hash.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MEMORY = LIMITER_MEMORY_MIN, MILLISECOND = 1000, SECOND = 1000000 };

static uint64_t draw_state;

/* A number below `below`; the same sequence for the same seed. */
static uint32_t draw(uint32_t below)
{
    draw_state = draw_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(draw_state >> 33) % below;
}

static struct limiter *new_rate(uint32_t count, uint64_t period_us)
{
    return limiter_new(&(struct limiter_terms){.count = count, .period_us = period_us, .memory = MEMORY}, 0);
}

static struct limiter *new_window(uint32_t count, uint64_t period_us)
{
    return limiter_new(
        &(struct limiter_terms){.count = count, .period_us = period_us, .window = true, .memory = MEMORY}, 0);
}

static struct limiter_check check_of(struct limiter *limiter, const char *key, uint32_t burst)
{
    return (struct limiter_check){.limiter = limiter,
                                  .key = hash_bytes(slice_of(key), limiter_seed(limiter)),
                                  .burst = burst,
                                  .delay_from = LIMITER_NO_DELAY};
}

static bool ask(struct limiter *limiter, const char *key, uint32_t burst, uint64_t now_us)
{
    struct limiter_check check = check_of(limiter, key, burst);
    return limiter_admit(&check, 1, now_us);
}

/* --- beside nginx --- */

enum { KEYS = 3, LIMITS = 3 };

/* One limit_req of nginx with its zone, as ngx_http_limit_req_module computes in whole milliseconds and
 * thousandths of requests. */
struct model {
    int64_t rate, burst, delay; /* thousandths */
    struct {
        bool seen;
        int64_t excess, last;
    } keys[KEYS];
};

static int64_t model_excess(const struct model *model, unsigned key, int64_t now)
{
    if (!model->keys[key].seen)
        return 0;
    int64_t ms = now - model->keys[key].last;
    int64_t excess = model->keys[key].excess - model->rate * ms / 1000 + 1000;
    return excess > 0 ? excess : 0;
}

static void model_count(struct model *model, unsigned key, int64_t now)
{
    int64_t excess = model_excess(model, key, now);
    model->keys[key].seen = true;
    model->keys[key].excess = excess;
    model->keys[key].last = now;
}

/* Milliseconds of delay, or -1: rejected. */
static int64_t model_admit(struct model *models, const unsigned *keys, unsigned count, int64_t now)
{
    int64_t longest = 0;
    for (unsigned i = 0; i < count; i++) {
        int64_t excess = model_excess(&models[i], keys[i], now);
        if (excess > models[i].burst)
            return -1;
        int64_t delay = excess > models[i].delay ? (excess - models[i].delay) * 1000 / models[i].rate : 0;
        longest = delay > longest ? delay : longest;
    }
    for (unsigned i = 0; i < count; i++)
        model_count(&models[i], keys[i], now);
    return longest;
}

struct pair {
    struct model models[LIMITS];
    struct limiter *limiters[LIMITS];
    struct limiter_check terms[LIMITS];
    unsigned count;
};

static void draw_pair(struct pair *pair)
{
    static const uint32_t rates[] = {1, 2, 3, 5, 7, 10, 30, 100, 333, 1000};
    *pair = (struct pair){.count = 1 + draw(LIMITS)};
    for (unsigned i = 0; i < pair->count; i++) {
        uint32_t rate = rates[draw(10)], burst = draw(4) ? draw(25) : 0;
        uint32_t from = draw(3) ? LIMITER_NO_DELAY : draw(10);
        pair->models[i] = (struct model){.rate = rate * 1000, .burst = burst * 1000, .delay = from * 1000l};
        pair->limiters[i] = new_rate(rate, SECOND);
        pair->terms[i] =
            (struct limiter_check){.limiter = pair->limiters[i], .burst = burst, .delay_from = from};
    }
}

static int64_t pair_admit(const struct pair *pair, const unsigned *keys, int64_t now)
{
    struct limiter_check checks[LIMITS];
    int64_t longest = 0;
    for (unsigned i = 0; i < pair->count; i++) {
        checks[i] = pair->terms[i];
        checks[i].key =
            hash_bytes(slice_make((const char *)&keys[i], sizeof keys[i]), limiter_seed(pair->limiters[i]));
    }
    if (!limiter_admit(checks, pair->count, (uint64_t)now * MILLISECOND))
        return -1;
    for (unsigned i = 0; i < pair->count; i++) {
        int64_t delay = checks[i].outcome == LIMITER_DELAYED ? (int64_t)checks[i].delay_us / MILLISECOND : 0;
        longest = delay > longest ? delay : longest;
    }
    return longest;
}

/* Bursts at one instant, pauses shorter and longer than a token takes. */
static int64_t draw_pause(void)
{
    static const uint32_t most[] = {1, 1, 1, 3, 20, 150, 1000, 5000};
    return draw(most[draw(8)]);
}

static void answers_as_nginx_does(void **state)
{
    (void)state;
    unsigned rejected = 0, delayed = 0, passed = 0;
    for (uint64_t schedule = 0; schedule < 1000; schedule++) {
        struct pair pair;
        draw_state = schedule;
        draw_pair(&pair);
        int64_t now = draw(100000);
        for (unsigned i = 0; i < 300; i++, now += draw_pause()) {
            unsigned keys[LIMITS] = {draw(KEYS), draw(KEYS), draw(KEYS)};
            int64_t expected = model_admit(pair.models, keys, pair.count, now);
            int64_t delay = pair_admit(&pair, keys, now);
            if (delay != expected)
                fail_msg("schedule %u, request %u: %d, nginx %d", (unsigned)schedule, i, (int)delay,
                         (int)expected);
            *(delay < 0 ? &rejected : delay > 0 ? &delayed : &passed) += 1;
        }
        for (unsigned i = 0; i < pair.count; i++)
            limiter_unref(&pair.limiters[i]);
    }
    assert_true(rejected > 30000 && delayed > 10000 &&
                passed > 30000); /* the schedules are worth something */
}

/* --- rates --- */

static void one_and_the_burst_pass_at_once(void **state)
{
    (void)state;
    struct limiter *limiter = new_rate(10, SECOND);
    for (unsigned i = 0; i < 21; i++)
        assert_true(ask(limiter, "a", 20, SECOND));
    assert_false(ask(limiter, "a", 20, SECOND));
    assert_true(ask(limiter, "b", 20, SECOND));
    assert_false(ask(limiter, "a", 20, SECOND + 99999)); /* a rejection costs nothing */
    assert_true(ask(limiter, "a", 20, SECOND + 100000));
    assert_false(ask(limiter, "a", 20, SECOND + 100000));
    limiter_unref(&limiter);
}

static void says_what_is_left(void **state)
{
    (void)state;
    struct limiter *limiter = new_rate(2, SECOND);
    struct limiter_check check = check_of(limiter, "a", 1);
    assert_true(limiter_admit(&check, 1, 0));
    assert_int_equal(check.left, 1);
    assert_int_equal(check.more_us, 500000);
    assert_true(limiter_admit(&check, 1, 100000));
    assert_int_equal(check.left, 0);
    assert_int_equal(check.more_us, 400000);
    assert_false(limiter_admit(&check, 1, 200000));
    assert_int_equal(check.more_us, 300000);
    assert_int_equal(check.excess, 1600);
    assert_false(limiter_admit(&check, 1, 499999));
    assert_int_equal(check.more_us, 1);
    assert_true(limiter_admit(&check, 1, 500000));
    limiter_unref(&limiter);
}

static void thirds_of_a_second_are_exact(void **state)
{
    (void)state;
    struct limiter *limiter = new_rate(3, SECOND);
    assert_true(ask(limiter, "a", 1, 0)); /* from here on one is always owed */
    for (uint64_t i = 0; i < 30000; i++) {
        uint64_t due = (i * SECOND + 2) / 3; /* the first whole microsecond */
        if (i > 0)
            assert_false(ask(limiter, "a", 1, due - 1));
        assert_true(ask(limiter, "a", 1, due));
    }
    limiter_unref(&limiter);
}

static void looking_counts_nothing(void **state)
{
    (void)state;
    struct limiter *limiter = new_rate(1, SECOND);
    struct limiter_check check = check_of(limiter, "a", 0);
    check.only_looks = true;
    for (unsigned i = 0; i < 5; i++)
        assert_true(limiter_admit(&check, 1, 0));
    assert_true(ask(limiter, "a", 0, 0));
    assert_false(limiter_admit(&check, 1, 0));
    limiter_unref(&limiter);
}

static void who_only_tells_keeps_nobody(void **state)
{
    (void)state;
    struct limiter *narrow = new_rate(1, SECOND), *wide = new_rate(100, SECOND);
    struct limiter_check checks[2] = {check_of(narrow, "a", 0), check_of(wide, "a", 1)};
    checks[0].only_tells = true;
    assert_true(limiter_admit(checks, 2, 0));
    assert_true(limiter_admit(checks, 2, 0));
    assert_int_equal(checks[0].outcome, LIMITER_REJECTED);
    assert_int_equal(checks[1].outcome, LIMITER_PASSED);
    assert_false(limiter_admit(checks, 2, 0));
    assert_true(ask(narrow, "a", 0, SECOND)); /* its rejections did not count */
    limiter_unref(&narrow);
    limiter_unref(&wide);
}

/* --- windows --- */

static void a_window_bounds_every_period(void **state)
{
    (void)state;
    enum { COUNT = 100, PERIOD = 900, ASKED = 4000 };
    struct limiter *limiter = new_window(COUNT, PERIOD * (uint64_t)SECOND);
    static uint64_t passed[ASKED];
    unsigned count = 0, most = 0;
    uint64_t now = 0;
    draw_state = 1;
    for (unsigned i = 0; i < ASKED; i++, now += draw(4) * (uint64_t)SECOND)
        if (ask(limiter, "a", COUNT - 1, now))
            passed[count++] = now;
    for (unsigned i = 0; i < count; i++) {
        unsigned within = 0;
        while (i + within < count && passed[i + within] < passed[i] + PERIOD * (uint64_t)SECOND)
            within++;
        most = within > most ? within : most;
    }
    assert_in_range(most, COUNT, COUNT + COUNT / 10); /* the previous period is taken for even */
    assert_in_range(count, now / SECOND * COUNT / PERIOD * 9 / 10, now / SECOND * COUNT / PERIOD + COUNT);
    limiter_unref(&limiter);
}

static void a_window_says_when(void **state)
{
    (void)state;
    struct limiter *limiter = new_window(4, 8 * SECOND);
    struct limiter_check check = check_of(limiter, "a", 3);
    for (unsigned i = 0; i < 4; i++)
        assert_true(limiter_admit(&check, 1, 0));
    assert_false(limiter_admit(&check, 1, SECOND));
    assert_int_equal(check.more_us, 9 * SECOND); /* a quarter of the next period after this one */
    assert_false(ask(limiter, "a", 3, 10 * SECOND - 1));
    assert_true(limiter_admit(&check, 1, 10 * SECOND));
    assert_int_equal(check.left, 0);
    assert_int_equal(check.more_us, 2 * SECOND);
    assert_false(ask(limiter, "a", 3, 12 * SECOND - 1));
    assert_true(ask(limiter, "a", 3, 12 * SECOND));
    limiter_unref(&limiter);
}

static void what_is_said_is_what_happens(void **state)
{
    (void)state;
    draw_state = 2;
    for (unsigned round = 0; round < 200; round++) {
        uint32_t count = 1 + draw(50);
        bool is_window = draw(2);
        uint64_t period = (1 + draw(100)) * (uint64_t)SECOND;
        struct limiter *limiter = is_window ? new_window(count, period) : new_rate(count, period);
        struct limiter_check check = check_of(limiter, "a", is_window ? count - 1 : draw(10)), look = check;
        look.only_looks = true;
        uint64_t now = draw(1000000);
        for (unsigned i = 0; i < 200; i++, now += draw((uint32_t)(period / count))) {
            bool admitted = limiter_admit(&check, 1, now);
            uint64_t left = check.left, at = now + check.more_us;
            assert_true(admitted || left == 0);
            if (check.more_us == 0)
                continue;
            assert_true(limiter_admit(&look, 1, at - 1) == (left > 0));
            assert_int_equal(look.left, left);
            assert_true(limiter_admit(&look, 1, at));
            assert_true(look.left > left);
        }
        limiter_unref(&limiter);
    }
}

/* --- full tables --- */

static void rotating_keys_do_not_evict_heavy_ones(void **state)
{
    (void)state;
    struct limiter *limiter = new_rate(1, SECOND);
    for (unsigned i = 0; i < 5; i++)
        assert_true(ask(limiter, "heavy", 4, 0));
    for (unsigned i = 0; i < 200000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        bool answer = ask(limiter, key, 4, 0);
        (void)answer;
    }
    assert_false(ask(limiter, "heavy", 4, 0));
    assert_true(ask(limiter, "heavy", 4, SECOND));
    limiter_unref(&limiter);
}

/* Fills every place with keys that hold two requests. */
static void fill(struct limiter *limiter)
{
    for (unsigned i = 0; i < 200000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        struct limiter_check check = check_of(limiter, key, 9);
        bool answer = limiter_admit(&check, 1, 0) && limiter_admit(&check, 1, 0);
        (void)answer;
    }
}

static void a_full_table_answers_as_it_is_told(void **state)
{
    (void)state;
    struct limiter *limiter = new_rate(1, SECOND);
    fill(limiter);
    struct limiter_check check = check_of(limiter, "late", 9);
    assert_false(limiter_admit(&check, 1, 0));
    assert_int_equal(check.left, 0);
    assert_int_equal(check.more_us, SECOND); /* then it may displace one that holds no more than it will */
    check.passes_when_full = true;
    for (unsigned i = 0; i < 20; i++)
        assert_true(limiter_admit(&check, 1, 0));
    check.passes_when_full = false;
    assert_true(limiter_admit(&check, 1, SECOND));
    limiter_unref(&limiter);
}

static void a_key_that_holds_nothing_gives_way(void **state)
{
    (void)state;
    struct limiter *limiter = new_rate(1, SECOND);
    fill(limiter);
    for (unsigned i = 200000; i < 201000; i++) { /* fewer than there are places */
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        assert_true(ask(limiter, key, 0, 2 * SECOND));
    }
    limiter_unref(&limiter);
}

static bool ask_number(struct limiter *limiter, uint32_t number, bool only_looks)
{
    struct slice key = slice_make((const char *)&number, sizeof number);
    struct limiter_check check = {.limiter = limiter, .key = hash_bytes(key, limiter_seed(limiter))};
    check.only_looks = only_looks;
    return limiter_admit(&check, 1, 0);
}

static void a_million_keys_fit(void **state)
{
    (void)state;
    enum { MILLION = 1000000, KEYS_MEMORY = 16 << 20 };
    struct limiter *limiter = limiter_new(
        &(struct limiter_terms){.count = 100, .period_us = 900 * (uint64_t)SECOND, .memory = KEYS_MEMORY}, 0);
    assert_true(limiter_memory(limiter) <= KEYS_MEMORY);
    unsigned forgotten = 0, mistaken = 0;
    for (uint32_t i = 0; i < MILLION; i++)
        mistaken += !ask_number(limiter, i, false);
    assert_true(mistaken <= 3); /* a tag has 32 bits: once in some 750 runs, two keys of a set are one */
    for (uint32_t i = 0; i < MILLION; i++)
        forgotten += ask_number(limiter, i, true);
    assert_true(forgotten < MILLION / 50); /* all of them hold something at the same time */
    limiter_unref(&limiter);
}

/* --- threads --- */

enum { THREADS = 4, TRIES = 20000, SHARED_KEYS = 5 };

struct worker {
    struct limiter *limiters[2];
    bool swapped;
    unsigned passed;
};

/* Both limits, in one order or the other. */
static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    for (unsigned i = 0; i < TRIES; i++) {
        char key[16];
        snprintf(key, sizeof key, "%u", i % SHARED_KEYS);
        struct limiter_check checks[2] = {check_of(worker->limiters[worker->swapped], key, 999),
                                          check_of(worker->limiters[!worker->swapped], key, 999)};
        worker->passed += limiter_admit(checks, 2, 0);
    }
    return NULL;
}

static void threads_count_together(void **state)
{
    (void)state;
    struct limiter *limiters[2] = {new_rate(1, SECOND), new_rate(2, SECOND)};
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    unsigned passed = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.limiters = {limiters[0], limiters[1]}, .swapped = i % 2};
        assert_int_equal(pthread_create(&threads[i], NULL, run_worker, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        passed += workers[i].passed;
    }
    assert_int_equal(passed, SHARED_KEYS * 1000);
    limiter_unref(&limiters[0]);
    limiter_unref(&limiters[1]);
}

static void references_keep_it(void **state)
{
    (void)state;
    struct limiter *limiter = new_rate(1, SECOND), *other = limiter_ref(limiter);
    assert_true(ask(limiter, "a", 0, 0));
    limiter_unref(&limiter);
    assert_null(limiter);
    assert_false(ask(other, "a", 0, 0));
    limiter_unref(&other);
    limiter_unref(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_as_nginx_does),
        cmocka_unit_test(one_and_the_burst_pass_at_once),
        cmocka_unit_test(says_what_is_left),
        cmocka_unit_test(thirds_of_a_second_are_exact),
        cmocka_unit_test(looking_counts_nothing),
        cmocka_unit_test(who_only_tells_keeps_nobody),
        cmocka_unit_test(a_window_bounds_every_period),
        cmocka_unit_test(a_window_says_when),
        cmocka_unit_test(what_is_said_is_what_happens),
        cmocka_unit_test(rotating_keys_do_not_evict_heavy_ones),
        cmocka_unit_test(a_full_table_answers_as_it_is_told),
        cmocka_unit_test(a_key_that_holds_nothing_gives_way),
        cmocka_unit_test(a_million_keys_fit),
        cmocka_unit_test(threads_count_together),
        cmocka_unit_test(references_keep_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
