/*
 * base/pipe: what is given back is used again, unless something is left in it; a thread's pipes are bounded,
 * and a kernel that gives none is left alone for a while.
 */
#include "base/pipe.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

static struct pipe_pool pool;

static void test_a_pipe_is_large_and_used_again(void **state)
{
    (void)state;
    struct pipe *pipe = pipe_take(&pool), *first = pipe;
    assert_non_null(pipe);
    assert_in_range(pipe->capacity, PIPE_CAPACITY_MIN, PIPE_CAPACITY);
    assert_int_equal(write(pipe->in, "ab", 2), 2);
    char got[2];
    assert_int_equal(read(pipe->out, got, sizeof got), 2);
    assert_int_equal(read(pipe->out, got, sizeof got), -1); /* it does not wait */
    pipe_give(&pipe);
    assert_null(pipe);
    pipe = pipe_take(&pool);
    assert_ptr_equal(pipe, first);
    pipe_give(&pipe);
    pipe_give(&pipe);
    pipe_pool_fini(&pool);
    assert_int_equal(pool.count, 0);
}

/* Somebody's bytes must never reach somebody else. */
static void test_what_is_left_goes_with_its_pipe(void **state)
{
    (void)state;
    struct pipe *pipe = pipe_take(&pool);
    int out = pipe->out;
    assert_int_equal(write(pipe->in, "secret", 6), 6);
    pipe->held = 6;
    pipe_give(&pipe);
    assert_int_equal(pool.count, 0);
    assert_int_equal(fcntl(out, F_GETFD), -1);
}

static void test_pipes_are_bounded(void **state)
{
    (void)state;
    struct pipe *pipes[PIPES_MAX];
    for (unsigned i = 0; i < PIPES_MAX; i++) {
        pipes[i] = pipe_take(&pool);
        assert_non_null(pipes[i]);
    }
    assert_null(pipe_take(&pool));
    pipe_give(&pipes[0]);
    pipes[0] = pipe_take(&pool);
    assert_non_null(pipes[0]);
    for (unsigned i = 0; i < PIPES_MAX; i++)
        pipe_give(&pipes[i]);
    assert_int_equal(pool.count, PIPES_KEPT);
    pipe_pool_fini(&pool);
}

static void test_a_refusal_is_remembered(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_null(pipe_take(&pool));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned i = 0; i < PIPES_REST; i++)
        assert_null(pipe_take(&pool));
    struct pipe *pipe = pipe_take(&pool);
    assert_non_null(pipe);
    pipe_give(&pipe);
    pipe_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pipe_is_large_and_used_again),
        cmocka_unit_test(test_what_is_left_goes_with_its_pipe),
        cmocka_unit_test(test_pipes_are_bounded),
        cmocka_unit_test(test_a_refusal_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
