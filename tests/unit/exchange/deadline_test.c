/*
 * exchange/deadline: when an exchange that waits is woken and what it then knows, with the clock set by hand.
 * How often the timer looks in between is its own affair.
 */
#include "exchange/deadline.h"

#include "../turning.h"

/* What the clock is set forward by: a loaded machine may lose a second of its own in between. */
enum { UNIT_US = 10 * SECOND_US };

static struct exchange_home home;
static struct exchange x;
static struct stream in;
static unsigned woken;

static void run(struct task *task)
{
    assert_ptr_equal(task, &x.task);
    woken++;
}

static int set_up(void **state)
{
    (void)state;
    start_loop();
    home = (struct exchange_home){.loop = &loop};
    in = (struct stream){.facts = STREAM_OPEN};
    x = (struct exchange){.magic = EXCHANGE_MAGIC,
                          .step = STEP_queue,
                          .home = &home,
                          .in = &in,
                          .terms = {.write_timeout_us = 60 * UNIT_US,
                                    .half_close_timeout_us = 3 * UNIT_US,
                                    .body_min_rate = 100,
                                    .body_grace_us = 5 * UNIT_US}};
    woken = 0;
    task_init(&x.task, &loop.tasks, run, false);
    deadline_start(&x);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    deadline_stop(&x);
    task_cancel(&x.task);
    stop_loop();
    return 0;
}

/* Waits until the timer wakes it: it must do so about then, and not before. */
static void assert_woken_after(unsigned units)
{
    unsigned before = woken;
    pass((uint64_t)units * UNIT_US - UNIT_US / 2);
    assert_int_equal(woken, before);
    pass(UNIT_US);
    assert_int_equal(woken, before + 1);
}

static void the_first_limit_is_the_write_timeout(void **state)
{
    (void)state;
    deadline_watch(&x);
    assert_woken_after(60);
    assert_true(x.expired);
}

static void who_does_not_wait_is_not_woken(void **state)
{
    (void)state;
    deadline_set(&x, UNIT_US);
    pass(10 * UNIT_US);
    assert_int_equal(woken, 0);
    assert_false(x.expired);
}

static void a_shorter_limit_counts_at_once(void **state)
{
    (void)state;
    deadline_watch(&x);
    deadline_set(&x, 2 * UNIT_US);
    deadline_watch(&x);
    assert_woken_after(2);
    assert_true(x.expired);
}

static void a_longer_limit_replaces_a_shorter(void **state)
{
    (void)state;
    deadline_set(&x, 2 * UNIT_US);
    deadline_watch(&x);
    pass(UNIT_US);
    deadline_set(&x, 7 * UNIT_US);
    deadline_watch(&x);
    assert_woken_after(7);
}

static void progress_moves_the_end(void **state)
{
    (void)state;
    deadline_set(&x, 3 * UNIT_US);
    deadline_watch(&x);
    for (unsigned i = 0; i < 4; i++) {
        pass(2 * UNIT_US);
        deadline_progress(&x);
        deadline_watch(&x);
    }
    assert_int_equal(woken, 0);
    assert_woken_after(3);
}

static void the_same_limit_again_is_no_progress(void **state)
{
    (void)state;
    deadline_set(&x, 6 * UNIT_US);
    deadline_watch(&x);
    pass(4 * UNIT_US);
    deadline_limit(&x, 6 * UNIT_US);
    deadline_watch(&x);
    assert_woken_after(2);
}

static void an_expiry_is_told_once(void **state)
{
    (void)state;
    deadline_set(&x, UNIT_US);
    deadline_watch(&x);
    assert_woken_after(1);
    deadline_watch(&x); /* the step has not cared */
    pass(100 * UNIT_US);
    assert_int_equal(woken, 1);
    deadline_set(&x, UNIT_US);
    assert_false(x.expired);
    deadline_watch(&x);
    assert_woken_after(1);
}

static void half_closed_clients_have_less_time(void **state)
{
    (void)state;
    x.half_closed = true;
    deadline_set(&x, 60 * UNIT_US);
    deadline_watch(&x);
    assert_woken_after(3);
    struct tunnel tunnel = {.decided = false};
    x.tunnel = &tunnel;
    deadline_set(&x, 60 * UNIT_US);
    deadline_watch(&x);
    assert_woken_after(60);
}

/* --- uploads --- */

static void upload(void)
{
    x.step = STEP_forward;
    deadline_upload(&x, 60 * UNIT_US);
    x.step = STEP_respond;
    deadline_watch(&x);
}

static void a_slow_upload_starves_after_its_grace(void **state)
{
    (void)state;
    upload();
    in.rx.total = 4000;
    assert_woken_after(5);
    assert_true(x.starved);
    assert_false(x.expired);
}

static void an_upload_at_the_rate_goes_on(void **state)
{
    (void)state;
    upload();
    for (unsigned i = 0; i < 20; i++) {
        in.rx.total += 5000;
        pass(UNIT_US);
    }
    assert_int_equal(woken, 0);
    pass(5 * UNIT_US); /* the rest of a window in which something came, and one without */
    pass(5 * UNIT_US);
    assert_true(woken > 0);
    assert_true(x.starved);
}

static void the_wait_for_a_connection_is_not_the_clients(void **state)
{
    (void)state;
    deadline_set(&x, 60 * UNIT_US);
    deadline_watch(&x);
    in.rx.total = 1000; /* read while it waited */
    pass(50 * UNIT_US);
    upload();
    in.rx.total += 20000;
    pass(5 * UNIT_US);
    assert_int_equal(woken, 0);
    assert_false(x.starved);
}

static void without_a_rate_an_upload_may_take_its_time(void **state)
{
    (void)state;
    x.terms.body_min_rate = 0;
    upload();
    assert_woken_after(60);
    assert_true(x.expired);
    assert_false(x.starved);
}

/* --- leaving --- */

static void leaving_has_its_own_time(void **state)
{
    (void)state;
    deadline_watch(&x);
    deadline_leave(&x, FAULT_shutdown, 4 * UNIT_US);
    assert_woken_after(4);
    assert_true(x.leaving);
    assert_false(x.expired);
    assert_woken_after(55); /* and the limit goes on */
    assert_true(x.expired);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_first_limit_is_the_write_timeout),
        TEST(who_does_not_wait_is_not_woken),
        TEST(a_shorter_limit_counts_at_once),
        TEST(a_longer_limit_replaces_a_shorter),
        TEST(progress_moves_the_end),
        TEST(the_same_limit_again_is_no_progress),
        TEST(an_expiry_is_told_once),
        TEST(half_closed_clients_have_less_time),
        TEST(a_slow_upload_starves_after_its_grace),
        TEST(an_upload_at_the_rate_goes_on),
        TEST(the_wait_for_a_connection_is_not_the_clients),
        TEST(without_a_rate_an_upload_may_take_its_time),
        TEST(leaving_has_its_own_time),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
