/*
 * base/offload: every job is run once, beside the caller; too many are refused; low ranks wait but are not
 * forgotten; what waits at the end is given back.
 */
#include "base/offload.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { JOBS = 64 };

/* A job that waits for leave and notes its turn. */
struct noted {
    struct offload_job job;
    unsigned number;
};

static sem_t leave, ended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned order[JOBS], run_count, stopped_count;
static pthread_t ran_on;

static void note(struct offload_job *job, bool stopping)
{
    if (!stopping)
        sem_wait(&leave);
    pthread_mutex_lock(&lock);
    order[run_count++] = ((struct noted *)job)->number;
    stopped_count += stopping;
    ran_on = pthread_self();
    pthread_mutex_unlock(&lock);
    free(job);
    sem_post(&ended);
}

static bool submit(struct offload *offload, unsigned number, enum offload_rank rank)
{
    struct noted *noted = calloc(1, sizeof *noted);
    noted->job.run = note;
    noted->number = number;
    bool taken = offload_submit(offload, &noted->job, rank);
    if (!taken)
        free(noted);
    return taken;
}

static int set_up(void **state)
{
    (void)state;
    run_count = stopped_count = 0;
    sem_init(&leave, 0, 0);
    sem_init(&ended, 0, 0);
    return 0;
}

static void let_end(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sem_post(&leave);
    for (unsigned i = 0; i < count; i++)
        sem_wait(&ended);
}

static void beside_the_caller(void **state)
{
    (void)state;
    struct offload *offload = offload_new(3, JOBS);
    for (unsigned i = 0; i < JOBS; i++)
        assert_true(submit(offload, i, i % 2 ? OFFLOAD_LOW : OFFLOAD_HIGH));
    let_end(JOBS);
    bool seen[JOBS] = {false};
    for (unsigned i = 0; i < JOBS; i++) {
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
    }
    assert_false(pthread_equal(ran_on, pthread_self()));
    offload_free(&offload);
    assert_null(offload);
    offload_free(&offload);
}

/* One thread, which has taken the first job when the queue has room again. */
static struct offload *occupied(unsigned waiting_max)
{
    struct offload *offload = offload_new(1, waiting_max);
    assert_true(submit(offload, 99, OFFLOAD_HIGH));
    for (unsigned tries = 0; waiting_max == 1 && !submit(offload, 0, OFFLOAD_HIGH); tries++) {
        assert_true(tries < 100000);
        usleep(100);
    }
    return offload;
}

static void too_many_are_refused(void **state)
{
    (void)state;
    struct offload *offload = occupied(1);
    assert_false(submit(offload, 1, OFFLOAD_HIGH));
    assert_true(submit(offload, 2, OFFLOAD_LOW)); /* a queue of its own */
    assert_false(submit(offload, 3, OFFLOAD_LOW));
    let_end(3);
    assert_int_equal(run_count, 3);
    offload_free(&offload);
}

static void low_ranks_wait(void **state)
{
    (void)state;
    struct offload *offload = occupied(JOBS);
    for (unsigned i = 0; i < 8; i++)
        assert_true(submit(offload, 100 + i, OFFLOAD_LOW));
    for (unsigned i = 0; i < 8; i++)
        assert_true(submit(offload, i, OFFLOAD_HIGH));
    let_end(17);
    unsigned lows_before_last_high = 0, highs = 0;
    for (unsigned i = 0; i < run_count && highs < 9; i++) {
        highs += order[i] < 100;
        lows_before_last_high += order[i] >= 100;
    }
    assert_in_range(lows_before_last_high, 1, 3); /* one turn in four */
    offload_free(&offload);
}

static void what_waits_is_given_back(void **state)
{
    (void)state;
    struct offload *offload = occupied(JOBS);
    for (unsigned i = 0; i < 5; i++)
        assert_true(submit(offload, i, OFFLOAD_HIGH));
    for (unsigned i = 0; i < 6; i++) /* for those that are begun before the end is seen */
        sem_post(&leave);
    offload_free(&offload);
    assert_int_equal(run_count, 6);
    assert_in_range(stopped_count, 0, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(beside_the_caller, set_up),
        cmocka_unit_test_setup(too_many_are_refused, set_up),
        cmocka_unit_test_setup(low_ranks_wait, set_up),
        cmocka_unit_test_setup(what_waits_is_given_back, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
