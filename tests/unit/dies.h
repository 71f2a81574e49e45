/*
 * For the unit tests: whether a call ends in a failed CHECK. It runs in a child process, whose last words are
 * dropped.
 */
#ifndef PORTICO_TESTS_UNIT_DIES_H
#define PORTICO_TESTS_UNIT_DIES_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether `call` aborts the process. */
static inline bool dies(void (*call)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        call();
        _exit(0);
    }
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
