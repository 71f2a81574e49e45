/*
 * Signals, the life of the worker and the way to the next configuration, for process/supervisor.h. Must not
 * serve, and must not trust the worker: whatever happens to it, it is replaced.
 */
#include "process/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "observe/access_log.h"
#include "process/child.h"
#include "process/limits.h"
#include "process/link.h"
#include "process/loop.h"
#include "process/notify.h"
#include "process/pidfile.h"
#include "process/server.h"
#include "process/tls_watch.h"
#include "process/upgrade.h"
#include "process/value_watch.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    LIVED_US = 10 * 1000 * 1000, /* a worker that died after as long is replaced at once */
    BACKOFF_US = 100 * 1000,     /* before the second replacement; doubled for each one after it */
    BACKOFF_MAX_US = 10 * 1000 * 1000,
    OVERTIME_US = 5 * 1000 * 1000 /* for a worker that does not end after shutdown_timeout */
};

static const int SIGNALS[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGHUP, SIGCHLD};
enum { SIGNAL_COUNT = sizeof SIGNALS / sizeof SIGNALS[0] };

struct supervisor {
    const struct generation_source *source;
    char **argv;
    struct event_base *base;
    struct event *signals[SIGNAL_COUNT];
    struct generation in_force;
    struct generation coming; /* the worker has it and has not answered yet */
    bool outdated;            /* asked to reload since, or since the upgrade began */
    bool wants_upgrade;       /* asked to since */
    uint32_t threads;
    char *log_path; /* "off", "stdout" or a file, until a restart */
    int log_destination;
    struct tls_watch *tls_watch;
    struct value_watch *value_watch;
    struct upgrade *upgrade; /* a new process is starting; NULL otherwise */
    struct child child;
    struct event *on_link;
    struct event *restart;  /* a worker, after a while */
    struct event *overtime; /* when a worker that is to end should have */
    uint64_t child_started_us;
    unsigned deaths; /* one soon after the other */
    bool has_served, stopping;
    int exit_code;
};

static void after(struct event *event, uint64_t us)
{
    struct timeval time = {(time_t)(us / 1000000), (suseconds_t)(us % 1000000)};
    event_add(event, &time);
}

/* A worker that does not take what it is sent is replaced by one that begins with it. */
static void expect(struct supervisor *supervisor, bool sent)
{
    if (!sent)
        kill(supervisor->child.pid, SIGKILL);
}

/* --- files that change --- */

static void renew_tls(void *arg, const struct archive *files)
{
    struct supervisor *supervisor = arg;
    if (archive_agrees(&supervisor->in_force.archive, files))
        return;
    archive_update(&supervisor->in_force.archive, files);
    if (supervisor->child.pid > 0)
        expect(supervisor, child_renew_tls(&supervisor->child, files));
}

static bool renew_values(void *arg, const struct archive *files);

static void stop_following(struct supervisor *supervisor)
{
    tls_watch_stop(&supervisor->tls_watch);
    value_watch_stop(&supervisor->value_watch);
}

static void follow_files(struct supervisor *supervisor)
{
    const struct generation *in_force = &supervisor->in_force;
    struct tls_watcher tls = {.publish = renew_tls, .arg = supervisor};
    struct value_watcher values = {.publish = renew_values, .arg = supervisor};
    supervisor->tls_watch = tls_watch_start(supervisor->base, in_force->snapshot->config, tls);
    supervisor->value_watch = value_watch_start(supervisor->base, in_force, values);
}

/* --- the next configuration --- */

static void notify_serving(const struct supervisor *supervisor)
{
    notify("READY=1\nSTATUS=Serving generation %llu",
           (unsigned long long)supervisor->in_force.snapshot->generation);
}

static void catch_up(struct supervisor *supervisor);

static void keep_the_old(struct supervisor *supervisor)
{
    generation_fini(&supervisor->coming);
    log_error("server", "the old configuration stays");
    notify("READY=1\nSTATUS=Serving; the last reload failed, see the log");
}

static void take_the_new(struct supervisor *supervisor)
{
    stop_following(supervisor);
    generation_replace(&supervisor->in_force, &supervisor->coming);
    follow_files(supervisor);
    limits_check(supervisor->in_force.snapshot->config, supervisor->threads);
    log_set_level(supervisor->in_force.snapshot->config->log.level);
    notify_serving(supervisor);
}

static void on_answer(struct supervisor *supervisor, bool taken)
{
    if (supervisor->coming.snapshot == NULL)
        return;
    if (taken)
        take_the_new(supervisor);
    else
        keep_the_old(supervisor);
    catch_up(supervisor);
}

/* Whole or not at all: whatever is wrong, the old configuration stays. Without a worker at the moment there
 * is nobody to ask; the next one begins with the new configuration. */
static void offer(struct supervisor *supervisor, bool made)
{
    if (!made)
        keep_the_old(supervisor);
    else if (supervisor->child.pid == 0)
        take_the_new(supervisor);
    else
        expect(supervisor, child_serve(&supervisor->child, &supervisor->coming));
}

/* Nobody has asked for what else may have changed: somebody may be at work on it. */
static bool renew_values(void *arg, const struct archive *files)
{
    struct supervisor *supervisor = arg;
    if (supervisor->coming.snapshot || supervisor->stopping || supervisor->upgrade)
        return false;
    notify_reloading();
    offer(supervisor, generation_make_again(&supervisor->coming, supervisor->source, &supervisor->in_force,
                                            supervisor->threads, files));
    return true;
}

/* One at a time; and while an upgrade is under way, the new process may or may not have read the file. */
static void reload(struct supervisor *supervisor)
{
    supervisor->outdated = supervisor->coming.snapshot || supervisor->upgrade;
    if (supervisor->stopping)
        log_error("server", "no reload: this process is draining");
    else if (supervisor->upgrade)
        log_info("server", "the reload waits for the end of the upgrade");
    if (supervisor->stopping || supervisor->outdated)
        return;
    notify_reloading();
    offer(supervisor, generation_make(&supervisor->coming, supervisor->source, &supervisor->in_force,
                                      supervisor->threads));
}

/* --- the worker --- */

static void on_serving(struct supervisor *supervisor)
{
    if (!supervisor->has_served)
        pidfile_write(&supervisor->in_force.snapshot->config->process);
    supervisor->has_served = true;
    notify_serving(supervisor);
    upgrade_done();
}

static void on_link(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct supervisor *supervisor = arg;
    struct link_message message;
    enum link_end end = link_receive(supervisor->child.link, false, &message);
    if (end == LINK_CLOSED)
        event_del(supervisor->on_link); /* SIGCHLD follows */
    else if (end == LINK_GOT && message.kind == LINK_READY)
        on_serving(supervisor);
    else if (end == LINK_GOT)
        on_answer(supervisor, message.kind == LINK_TAKEN);
}

static bool start_worker(struct supervisor *supervisor)
{
    struct child *child = &supervisor->child;
    if (!child_start(child, supervisor->argv))
        return false;
    supervisor->child_started_us = clock_monotonic_us();
    supervisor->on_link = event_new(supervisor->base, child->link, EV_READ | EV_PERSIST, on_link, supervisor);
    CHECK(supervisor->on_link != NULL && event_add(supervisor->on_link, NULL) == 0);
    uint32_t patience_ms = upgrade_is_awaited() ? SERVER_PATIENCE_UPGRADE_MS : SERVER_PATIENCE_MS;
    expect(supervisor, child_begin(child, &supervisor->in_force, supervisor->log_destination, patience_ms));
    return true;
}

static void start_later(struct supervisor *supervisor)
{
    bool lived = clock_monotonic_us() - supervisor->child_started_us > LIVED_US;
    supervisor->deaths = lived ? 0 : supervisor->deaths + 1;
    uint64_t wait_us = 0;
    for (unsigned i = 1; i < supervisor->deaths && wait_us < BACKOFF_MAX_US; i++)
        wait_us = wait_us ? 2 * wait_us : BACKOFF_US;
    wait_us = wait_us < BACKOFF_MAX_US ? wait_us : BACKOFF_MAX_US;
    log_info("supervisor", "starting another worker in %llu ms", (unsigned long long)wait_us / 1000);
    after(supervisor->restart, wait_us);
}

static void on_restart(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct supervisor *supervisor = arg;
    if (!start_worker(supervisor))
        start_later(supervisor);
}

static void end(struct supervisor *supervisor, int exit_code)
{
    supervisor->exit_code = exit_code;
    event_base_loopbreak(supervisor->base);
}

/* It may be the configuration that the worker has died of: who has asked for it may ask again. */
static void give_up(struct supervisor *supervisor)
{
    log_error("server", "the worker has ended before it took the new configuration");
    keep_the_old(supervisor);
}

static void on_death(struct supervisor *supervisor, int status)
{
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!well || !supervisor->stopping)
        child_report(&supervisor->child, status);
    event_free(supervisor->on_link);
    supervisor->on_link = NULL;
    child_forget(&supervisor->child);
    if (supervisor->coming.snapshot)
        give_up(supervisor);
    if (supervisor->stopping || !supervisor->has_served) {
        end(supervisor, well ? EXIT_SUCCESS : EXIT_FAILURE);
        return;
    }
    start_later(supervisor);
    catch_up(supervisor);
}

/* --- signals --- */

/* The first process of a container inherits orphans, too. */
static void reap(struct supervisor *supervisor)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == supervisor->child.pid)
            on_death(supervisor, status);
}

static void on_overtime(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct supervisor *supervisor = arg;
    log_error("supervisor", "the worker does not end; it is killed");
    kill(supervisor->child.pid, SIGKILL);
}

/* The sockets are closed here first: when the worker closes them, nobody can connect any more. */
static void drain(struct supervisor *supervisor)
{
    enum link_kind order = supervisor->stopping ? LINK_KILL : LINK_DRAIN;
    supervisor->stopping = true;
    sockets_close(&supervisor->in_force.sockets);
    generation_fini(&supervisor->coming);
    if (supervisor->child.pid == 0) {
        end(supervisor, EXIT_SUCCESS);
        return;
    }
    after(supervisor->overtime,
          supervisor->in_force.snapshot->config->process.shutdown_timeout_us + OVERTIME_US);
    expect(supervisor, link_say(supervisor->child.link, order));
}

static void stop(struct supervisor *supervisor)
{
    notify("STOPPING=1\nSTATUS=Draining");
    upgrade_stop(&supervisor->upgrade);
    drain(supervisor);
}

static void on_upgraded(void *arg, pid_t pid, const char *problem)
{
    struct supervisor *supervisor = arg;
    upgrade_stop(&supervisor->upgrade);
    if (problem) {
        log_error("supervisor", "no upgrade, this process goes on: process %d: %s", (int)pid, problem);
        if (supervisor->outdated)
            reload(supervisor);
        return;
    }
    log_info("supervisor", "upgraded: process %d serves, this one drains", (int)pid);
    if (supervisor->outdated)
        kill(pid, SIGHUP);
    notify("MAINPID=%d\nSTATUS=Serving after an upgrade", (int)pid); /* until then nobody listens to it */
    drain(supervisor);
}

/* Sockets must not change hands while a reload changes them. */
static void upgrade(struct supervisor *supervisor)
{
    const char *problem = getpid() == 1             ? "the first process of a container cannot be replaced"
                          : supervisor->upgrade     ? "one is under way"
                          : supervisor->stopping    ? "this process is draining"
                          : !supervisor->has_served ? "the first configuration is on its way"
                                                    : NULL;
    supervisor->wants_upgrade = !problem && supervisor->coming.snapshot;
    if (problem)
        log_error("supervisor", "no upgrade: %s", problem);
    else if (supervisor->wants_upgrade)
        log_info("supervisor", "the upgrade waits for the end of the reload");
    else
        supervisor->upgrade =
            upgrade_start(supervisor->base, &supervisor->in_force, supervisor->argv, on_upgraded, supervisor);
}

/* With what was asked for while a configuration was on its way. The process that an upgrade starts reads the
 * newest file, so a reload comes after it. */
static void catch_up(struct supervisor *supervisor)
{
    if (supervisor->wants_upgrade)
        upgrade(supervisor);
    if (supervisor->outdated && !supervisor->upgrade)
        reload(supervisor);
}

static void reopen_log(struct supervisor *supervisor)
{
    const struct config_log settings = {.access = slice_of(supervisor->log_path)};
    char error[ACCESS_LOG_ERROR_MAX];
    if (slice_equal(settings.access, SLICE("stdout")))
        return;
    int destination = access_log_destination(&settings, error);
    if (error[0])
        log_error("server", "the access log stays as it is: %s", error);
    if (destination < 0)
        return;
    close(supervisor->log_destination);
    supervisor->log_destination = destination;
    if (supervisor->child.pid > 0)
        expect(supervisor, child_reopen_log(&supervisor->child, destination));
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct supervisor *supervisor = arg;
    if (number == SIGCHLD)
        reap(supervisor);
    else if (number == SIGUSR1)
        reopen_log(supervisor);
    else if (number == SIGUSR2)
        upgrade(supervisor);
    else if (number == SIGHUP)
        reload(supervisor);
    else
        stop(supervisor);
}

static void watch_signals(struct supervisor *supervisor)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        supervisor->signals[i] = evsignal_new(supervisor->base, SIGNALS[i], on_signal, supervisor);
        CHECK(supervisor->signals[i] != NULL && evsignal_add(supervisor->signals[i], NULL) == 0);
    }
    supervisor->restart = event_new(supervisor->base, -1, 0, on_restart, supervisor);
    supervisor->overtime = event_new(supervisor->base, -1, 0, on_overtime, supervisor);
    CHECK(supervisor->restart != NULL && supervisor->overtime != NULL);
}

/* --- start and end --- */

/* The sockets, one a thread, are those of the process before. */
static void tell_kept_threads(const struct supervisor *supervisor)
{
    uint32_t wanted = generation_threads(supervisor->in_force.snapshot->config);
    if (wanted != supervisor->threads)
        log_warn("server",
                 "process.threads is %u, but an upgrade keeps the %u threads that there were; restart",
                 wanted, supervisor->threads);
}

static bool prepare(struct supervisor *supervisor)
{
    struct generation *first = &supervisor->in_force;
    struct legacy legacy = upgrade_legacy();
    char error[ACCESS_LOG_ERROR_MAX];
    if (!generation_make_first(first, supervisor->source, &legacy))
        return false;
    supervisor->threads = first->sockets.threads;
    log_set_level(first->snapshot->config->log.level);
    tell_kept_threads(supervisor);
    limits_check(first->snapshot->config, supervisor->threads);
    supervisor->log_path = strdup(first->snapshot->config->log.access.at);
    CHECK(supervisor->log_path != NULL);
    supervisor->log_destination = access_log_destination(&first->snapshot->config->log, error);
    if (error[0]) {
        log_error("server", "cannot open the access log: %s", error);
        return false;
    }
    follow_files(supervisor);
    return start_worker(supervisor);
}

int supervisor_run(const struct generation_source *source, char **argv)
{
    struct supervisor supervisor = {
        .source = source, .argv = argv, .log_destination = -1, .exit_code = EXIT_FAILURE};
    prctl(PR_SET_NAME, SUPERVISOR_NAME);
    limits_raise();
    supervisor.base = loop_base_new();
    watch_signals(&supervisor);
    if (prepare(&supervisor))
        event_base_dispatch(supervisor.base);
    stop_following(&supervisor);
    upgrade_stop(&supervisor.upgrade);
    if (supervisor.has_served)
        pidfile_remove(&supervisor.in_force.snapshot->config->process);
    generation_fini(&supervisor.coming);
    generation_fini(&supervisor.in_force);
    if (supervisor.log_destination >= 0)
        close(supervisor.log_destination);
    free(supervisor.log_path);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        event_free(supervisor.signals[i]);
    event_free(supervisor.restart);
    event_free(supervisor.overtime);
    event_base_free(supervisor.base);
    return supervisor.exit_code;
}
