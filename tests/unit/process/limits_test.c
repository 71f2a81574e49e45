/*
 * process/limits: how many of a process's files are left for connections.
 */
#include "process/limits.h"

#include "base/pipe.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/resource.h>
#include <cmocka.h>

enum { FILES = 4096, LISTENERS = 3 };

static uint64_t sockets_of(uint32_t threads)
{
    static const struct config config = {.listener_count = LISTENERS};
    return limits_sockets(&config, threads);
}

static void allow(uint64_t files)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_max >= files);
    limit.rlim_cur = files;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void a_thread_has_listeners_and_pipes(void **state)
{
    (void)state;
    allow(FILES);
    uint64_t one = sockets_of(1), two = sockets_of(2);
    assert_true(one < FILES - LISTENERS - 2 * PIPES_MAX);
    assert_true(one - two > LISTENERS + 2 * PIPES_MAX);
    assert_true(one - two < LISTENERS + 2 * PIPES_MAX + 16); /* a loop and what belongs to it */
}

static void half_of_few_files_are_for_connections(void **state)
{
    (void)state;
    allow(FILES / 16);
    assert_int_equal(sockets_of(8), FILES / 16 / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_has_listeners_and_pipes),
        cmocka_unit_test(half_of_few_files_are_for_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
