/*
 * process/sandbox: what it forbids ends the process with the name of the call, whichever thread makes it; the
 * file system cannot be written to, threads can be started.
 */
#include "process/sandbox.h"

#include "process/crash.h"
#include "process/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct crash_scene *scene;

static int tear_down(void **state)
{
    (void)state;
    crash_scene_free(&scene);
    return 0;
}

/* The wait status of a child that does something inside; it exits with what that gives. */
static int inside(enum config_sandbox mode, int (*act)(void))
{
    int fd, status;
    scene = crash_scene_new(&fd);
    assert_non_null(scene);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        for (int i = SIGHUP; i < SIGRTMIN; i++)
            signal(i, SIG_DFL);
        crash_watch(fd);
        _exit(sandbox_enter(mode) ? act() : 100);
    }
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int execute(void)
{
    return execl("/bin/true", "true", NULL);
}

static int make_process(void)
{
    return (int)syscall(SYS_fork);
}

static int trace(void)
{
    return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int become_root(void)
{
    return setuid(0);
}

static int accept_connections(void)
{
    return listen(0, 1);
}

static void *in_thread(void *act)
{
    (void)act;
    check_scene = (struct check_scene){"forward", "id-1"};
    execute();
    return NULL;
}

static int execute_in_thread(void)
{
    pthread_t thread;
    loop_start_pthread(&thread, in_thread, NULL);
    return pthread_join(thread, NULL);
}

static void test_forbidden_calls_end_the_process(void **state)
{
    (void)state;
    static const struct {
        int (*act)(void);
        const char *name;
    } rows[] = {{execute, "execve"},
                {make_process, "fork"},
                {trace, "ptrace"},
                {become_root, "setuid"},
                {accept_connections, "listen"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status = inside(CONFIG_SANDBOX_ON, rows[i].act);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
        assert_int_equal(scene->signal, SIGSYS);
        char *name = sandbox_syscall_name(scene->syscall);
        assert_string_equal(name, rows[i].name);
        free(name);
        crash_scene_free(&scene);
    }
}

static void test_a_thread_says_what_it_was_doing(void **state)
{
    (void)state;
    int status = inside(CONFIG_SANDBOX_ON, execute_in_thread);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(scene->signal, SIGSYS);
    assert_int_equal(scene->syscall, SYS_execve);
    assert_string_equal(scene->step, "forward");
    assert_string_equal(scene->request, "id-1");
}

static int do_nothing_wrong(void)
{
    int written = open("/tmp/portico-sandbox", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (written >= 0 || errno != EACCES)
        return 1;
    if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0)
        return 2;
    if (socket(AF_INET, SOCK_STREAM, 0) < 0)
        return 3;
    if (socket(AF_NETLINK, SOCK_RAW, 0) >= 0 || errno != EAFNOSUPPORT)
        return 4;
    return 0;
}

static void test_what_serving_takes_is_allowed_and_writing_is_not(void **state)
{
    (void)state;
    int status = inside(CONFIG_SANDBOX_ON, do_nothing_wrong);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int get_parent(void)
{
    return getppid() > 0 ? 7 : 8; /* on no list */
}

static void test_off_and_log_let_calls_pass(void **state)
{
    (void)state;
    static const enum config_sandbox modes[] = {CONFIG_SANDBOX_OFF, CONFIG_SANDBOX_LOG};
    for (size_t i = 0; i < 2; i++) {
        int status = inside(modes[i], get_parent);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
        crash_scene_free(&scene);
    }
    assert_int_equal(WTERMSIG(inside(CONFIG_SANDBOX_ON, get_parent)), SIGSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_forbidden_calls_end_the_process, tear_down),
        cmocka_unit_test_teardown(test_a_thread_says_what_it_was_doing, tear_down),
        cmocka_unit_test_teardown(test_what_serving_takes_is_allowed_and_writing_is_not, tear_down),
        cmocka_unit_test_teardown(test_off_and_log_let_calls_pass, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
