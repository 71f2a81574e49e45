/*
 * process/crash: a process that dies of its own fault leaves what it was doing in the shared page; one that
 * is killed leaves nothing.
 */
#include "process/crash.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct crash_scene *scene;
static char long_id[200];

static void in_no_step(void) {}

static void in_a_step(void)
{
    check_scene = (struct check_scene){"connect", "abc-123"};
}

static void in_a_step_with_a_long_id(void)
{
    check_scene = (struct check_scene){"connect", long_id};
}

/* Lets a child do something and die of the signal; gives the signal that it died of. */
static int die(void (*prepare)(void), int number)
{
    int fd, status;
    scene = crash_scene_new(&fd);
    assert_non_null(scene);
    assert_int_equal(scene->signal, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        for (int i = SIGHUP; i < SIGRTMIN; i++)
            signal(i, SIG_DFL);
        crash_watch(fd);
        prepare();
        raise(number);
        _exit(0);
    }
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    return WTERMSIG(status);
}

static int tear_down(void **state)
{
    (void)state;
    crash_scene_free(&scene);
    crash_scene_free(&scene);
    return scene != NULL;
}

static void test_a_crash_tells_step_and_request(void **state)
{
    (void)state;
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(die(in_a_step, numbers[i]), numbers[i]);
        assert_int_equal(scene->signal, numbers[i]);
        assert_string_equal(scene->step, "connect");
        assert_string_equal(scene->request, "abc-123");
        crash_scene_free(&scene);
    }
}

static void test_a_crash_outside_of_a_step(void **state)
{
    (void)state;
    assert_int_equal(die(in_no_step, SIGSEGV), SIGSEGV);
    assert_int_equal(scene->signal, SIGSEGV);
    assert_string_equal(scene->step, "");
    assert_string_equal(scene->request, "");
}

static void test_a_long_id_is_cut(void **state)
{
    (void)state;
    memset(long_id, 'x', sizeof long_id - 1);
    die(in_a_step_with_a_long_id, SIGSEGV);
    assert_int_equal(strlen(scene->request), sizeof scene->request - 1);
}

static void test_a_killed_process_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(die(in_a_step, SIGKILL), SIGKILL);
    assert_int_equal(scene->signal, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_crash_tells_step_and_request, tear_down),
        cmocka_unit_test_teardown(test_a_crash_outside_of_a_step, tear_down),
        cmocka_unit_test_teardown(test_a_long_id_is_cut, tear_down),
        cmocka_unit_test_teardown(test_a_killed_process_leaves_nothing, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
