/*
 * Both sides of process/upgrade.h. The old one puts the numbers of its sockets into an environment variable
 * and waits for a byte in a pipe; the new one reads the one and writes the other. Called by supervisor.c.
 */
#include "process/upgrade.h"

#include "base/log.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "PIPE THREADS", then for each listener a line of its sockets' numbers and its address: "7 8 127.0.0.1:80".
 */
#define VARIABLE "PORTICO_UPGRADE"

enum { PATIENCE_MS = 60 * 1000 };

struct upgrade {
    pid_t pid;
    int pipe;
    struct event *event;
    upgrade_ended_fn *ended;
    void *arg;
};

/* --- the old process --- */

static void describe(FILE *out, const struct generation *in_force, int pipe)
{
    const struct config *config = in_force->snapshot->config;
    const struct sockets *sockets = &in_force->sockets;
    fprintf(out, "%d %u\n", pipe, sockets->threads);
    for (uint32_t i = 0; i < sockets->listeners; i++) {
        for (uint32_t thread = 0; thread < sockets->threads; thread++)
            fprintf(out, "%d ", sockets->at[(size_t)thread * sockets->listeners + i]);
        fprintf(out, "%.*s\n", SLICE_ARGS(config->listeners[i].text));
    }
}

/* In the forked process. */
static void become_new(const struct generation *in_force, char **argv, int pipe)
{
    const struct sockets *sockets = &in_force->sockets;
    size_t count = (size_t)sockets->threads * sockets->listeners, len = 0;
    char *text = NULL;
    FILE *out = open_memstream(&text, &len);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (size_t i = 0; i < count; i++)
        fcntl(sockets->at[i], F_SETFD, 0);
    fcntl(pipe, F_SETFD, 0);
    if (out) {
        describe(out, in_force, pipe);
        fclose(out);
        setenv(VARIABLE, text, 1);
        execvp(argv[0], argv);
    }
    log_error("supervisor", "cannot execute %s: %s", argv[0], strerror(errno));
    _exit(EXIT_FAILURE);
}

/* What upgrade_stop() finds in `pid` is killed: a process that serves or has ended must not be. */
static void on_pipe(evutil_socket_t fd, short what, void *arg)
{
    struct upgrade *upgrade = arg;
    pid_t pid = upgrade->pid;
    bool in_vain = what & EV_TIMEOUT;
    char byte;
    if (!in_vain)
        upgrade->pid = 0;
    if (in_vain)
        upgrade->ended(upgrade->arg, pid, "it does not become ready");
    else if (read((int)fd, &byte, 1) == 1)
        upgrade->ended(upgrade->arg, pid, NULL);
    else
        upgrade->ended(upgrade->arg, pid, "it has ended before it was ready");
}

static struct upgrade *watch(struct event_base *base, pid_t pid, int pipe)
{
    const char *patience = getenv("PORTICO_UPGRADE_TIMEOUT_MS");
    long ms = patience ? atol(patience) : PATIENCE_MS;
    struct timeval timeout = {ms / 1000, ms % 1000 * 1000};
    struct upgrade *upgrade = calloc(1, sizeof *upgrade);
    CHECK(upgrade != NULL);
    *upgrade = (struct upgrade){.pid = pid, .pipe = pipe};
    upgrade->event = event_new(base, pipe, EV_READ, on_pipe, upgrade);
    CHECK(upgrade->event != NULL && event_add(upgrade->event, &timeout) == 0);
    return upgrade;
}

struct upgrade *upgrade_start(struct event_base *base, const struct generation *in_force, char **argv,
                              upgrade_ended_fn *ended, void *arg)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        log_error("supervisor", "cannot upgrade: %s", strerror(errno));
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0)
        become_new(in_force, argv, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        log_error("supervisor", "cannot upgrade: %s", strerror(errno));
        close(ends[0]);
        return NULL;
    }
    struct upgrade *upgrade = watch(base, pid, ends[0]);
    upgrade->ended = ended;
    upgrade->arg = arg;
    return upgrade;
}

void upgrade_stop(struct upgrade **upgrade_at)
{
    struct upgrade *upgrade = *upgrade_at;
    *upgrade_at = NULL;
    if (upgrade == NULL)
        return;
    if (upgrade->pid > 0)
        kill(upgrade->pid, SIGKILL);
    event_free(upgrade->event);
    close(upgrade->pipe);
    free(upgrade);
}

/* --- the new process --- */

static int done_pipe = -1;

/* The numbers in front of a line; gives what stands behind them. */
static char *read_sockets(char *line, const struct sockets *sockets, uint32_t listener)
{
    for (uint32_t thread = 0; thread < sockets->threads; thread++) {
        int fd = (int)strtol(line, &line, 10);
        CHECK(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && *line == ' ');
        sockets->at[(size_t)thread * sockets->listeners + listener] = fd;
    }
    return line + 1;
}

struct legacy upgrade_legacy(void)
{
    struct legacy legacy = {0};
    const char *text = getenv(VARIABLE);
    if (text == NULL)
        return legacy;
    unsigned threads = 0;
    uint32_t lines = 0;
    arena_init(&legacy.config.arena, NULL, 0);
    char *rest = arena_copy(&legacy.config.arena, slice_of(text));
    unsetenv(VARIABLE);
    CHECK(sscanf(rest, "%d %u", &done_pipe, &threads) == 2 && fcntl(done_pipe, F_SETFD, FD_CLOEXEC) == 0);
    strsep(&rest, "\n");
    for (const char *at = rest; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    legacy.sockets = sockets_new(threads, lines);
    legacy.config.listeners =
        arena_zalloc(&legacy.config.arena, (lines + 1) * sizeof *legacy.config.listeners);
    for (uint32_t i = 0; i < lines; i++)
        legacy.config.listeners[i].text = slice_of(read_sockets(strsep(&rest, "\n"), &legacy.sockets, i));
    legacy.config.listener_count = lines;
    return legacy;
}

bool upgrade_is_awaited(void)
{
    return done_pipe >= 0;
}

void upgrade_done(void)
{
    if (done_pipe < 0)
        return;
    if (write(done_pipe, "1", 1) != 1)
        log_warn("supervisor", "the process before this one has gone already");
    close(done_pipe);
    done_pipe = -1;
}
