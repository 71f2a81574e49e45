/*
 * Starting and addressing the worker, for process/child.h. Called by supervisor.c. The worker is executed
 * anew, not forked: nothing of the supervisor's memory, descriptors and locks gets into it.
 */
#include "process/child.h"

#include "base/log.h"
#include "process/link.h"
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINK_FD = 3 };

/* --- starting --- */

/* The link under its number, open across exec; nothing else that matters has the number any more. */
static bool inherit(int link)
{
    return link == LINK_FD ? fcntl(link, F_SETFD, 0) == 0 : dup2(link, LINK_FD) == LINK_FD;
}

/* In the new process: the same program, even if the file has been replaced. */
static void become_worker(int link, char **argv)
{
    char number[16];
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (inherit(link)) {
        snprintf(number, sizeof number, "%d", LINK_FD);
        setenv(CHILD_LINK_VARIABLE, number, 1);
        execv("/proc/self/exe", argv);
        execvp(argv[0], argv);
    }
    log_error("supervisor", "cannot execute %s: %s", argv[0], strerror(errno));
    _exit(EXIT_FAILURE);
}

bool child_start(struct child *child, char **argv)
{
    int ends[2];
    if (!link_pair(ends)) {
        log_error("supervisor", "cannot start a worker: %s", strerror(errno));
        return false;
    }
    pid_t pid = fork();
    if (pid == 0)
        become_worker(ends[1], argv);
    close(ends[1]);
    if (pid < 0) {
        log_error("supervisor", "cannot start a worker: %s", strerror(errno));
        close(ends[0]);
        return false;
    }
    *child = (struct child){.pid = pid, .link = ends[0]};
    return true;
}

/* --- sending --- */

static bool send_logged(const struct child *child, const struct link_message *message)
{
    if (link_send(child->link, message))
        return true;
    log_error("supervisor", "the worker does not listen: %s", strerror(errno));
    return false;
}

/* Sends a message with a copy of the archive, which the worker owns alone then. */
static bool send_archive(const struct child *child, struct link_message *message,
                         const struct archive *archive)
{
    int fd = archive_to_memory(archive);
    if (fd < 0) {
        log_error("supervisor", "cannot hand over the configuration: %s", strerror(errno));
        return false;
    }
    message->fds[0] = fd;
    message->fd_count = 1;
    bool sent = send_logged(child, message);
    close(fd);
    return sent;
}

static bool send_sockets(const struct child *child, const struct sockets *sockets)
{
    struct link_message message = {
        .kind = LINK_SOCKETS, .threads = sockets->threads, .listeners = sockets->listeners};
    size_t count = (size_t)sockets->threads * sockets->listeners;
    for (size_t i = 0; i < count; i++) {
        if (sockets->at[i] < 0)
            continue;
        message.places[message.fd_count] = (uint32_t)i;
        message.fds[message.fd_count++] = sockets->at[i];
        if (message.fd_count < LINK_FDS_MAX)
            continue;
        if (!send_logged(child, &message))
            return false;
        message.fd_count = 0;
    }
    return message.fd_count == 0 || send_logged(child, &message);
}

static bool send_generation(const struct child *child, const struct generation *generation,
                            uint32_t patience_ms)
{
    struct link_message message = {.kind = LINK_SERVE,
                                   .generation = generation->snapshot->generation,
                                   .patience_ms = patience_ms,
                                   .threads = generation->sockets.threads,
                                   .listeners = generation->sockets.listeners};
    return send_sockets(child, &generation->sockets) && send_archive(child, &message, &generation->archive);
}

bool child_serve(const struct child *child, const struct generation *generation)
{
    return send_generation(child, generation, 0);
}

bool child_renew_tls(const struct child *child, const struct archive *files)
{
    struct link_message message = {.kind = LINK_TLS};
    return send_archive(child, &message, files);
}

bool child_reopen_log(const struct child *child, int log_destination)
{
    struct link_message message = {.kind = LINK_LOG, .fd_count = log_destination >= 0};
    message.fds[0] = log_destination;
    return send_logged(child, &message);
}

bool child_begin(struct child *child, const struct generation *generation, int log_destination,
                 uint32_t patience_ms)
{
    struct link_message message = {.kind = LINK_BECOME};
    const struct config_process *settings = &generation->snapshot->config->process;
    message.privileges = privileges_of(settings);
    message.sandbox = (enum config_sandbox)settings->sandbox;
    child->scene = crash_scene_new(&message.fds[0]);
    message.fd_count = child->scene != NULL;
    bool sent = send_logged(child, &message);
    if (child->scene)
        close(message.fds[0]);
    return sent && child_reopen_log(child, log_destination) &&
           send_generation(child, generation, patience_ms);
}

/* --- its end --- */

static void report_syscall(int number)
{
    char *name = sandbox_syscall_name(number);
    log_error(
        "supervisor",
        "the worker has made a system call that the sandbox forbids: %s (%d); process: { sandbox: log } "
        "lets it pass",
        name ? name : "unknown", number);
    free(name);
}

void child_report(const struct child *child, int status)
{
    const struct crash_scene *scene = child->scene;
    if (!WIFSIGNALED(status)) {
        log_error("supervisor", "worker %d has ended with exit code %d", (int)child->pid,
                  WEXITSTATUS(status));
        return;
    }
    int number = WTERMSIG(status);
    bool told = scene && scene->signal != 0;
    if (told && number == SIGSYS)
        report_syscall(scene->syscall);
    log_error("supervisor", "worker %d has died of signal %d (%s) step=%s request=%s", (int)child->pid,
              number, strsignal(number), told && scene->step[0] ? scene->step : "none",
              told && scene->request[0] ? scene->request : "none");
}

void child_forget(struct child *child)
{
    if (child->pid > 0)
        close(child->link);
    crash_scene_free(&child->scene);
    *child = (struct child){0};
}
