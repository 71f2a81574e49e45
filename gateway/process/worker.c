/*
 * From messages to the verbs of server.h, for process/worker.h. Everything that it serves arrives over the
 * link: it opens no file of the configuration by itself and binds no port.
 */
#include "process/worker.h"

#include "base/log.h"
#include "observe/access_log.h"
#include "process/child.h"
#include "process/crash.h"
#include "process/limits.h"
#include "process/link.h"
#include "process/loop.h"
#include "process/sandbox.h"
#include "process/server.h"
#include "process/tls_setup.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* What the supervisor obeys, and a terminal or a service manager may send to both. */
static const int NOT_OURS[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ};

struct worker {
    const struct generation_source *source;
    int link;
    struct event_base *base;
    struct event *on_link;
    struct server *server;  /* NULL until there is something to serve */
    struct sockets sockets; /* that have arrived for the next LINK_SERVE */
    int log_destination;    /* until the server has it */
    bool failed;
};

/* Called with the supervisor gone, too: that is noticed at the next look. */
static void say(const struct worker *worker, enum link_kind kind)
{
    if (!link_say(worker->link, kind))
        log_warn("worker", "the supervisor does not listen: %s", strerror(errno));
}

static void become(const struct link_message *message)
{
    crash_watch(message->fd_count > 0 ? message->fds[0] : -1);
    if (!privileges_take(&message->privileges) || !sandbox_enter(message->sandbox))
        exit(EXIT_FAILURE);
}

static void on_answered(void *arg, bool taken)
{
    say(arg, taken ? LINK_TAKEN : LINK_REFUSED);
}

/* --- what is served --- */

static void take_sockets(struct worker *worker, const struct link_message *message)
{
    if (worker->sockets.at == NULL)
        worker->sockets = sockets_new(message->threads, message->listeners);
    CHECK(message->threads == worker->sockets.threads && message->listeners == worker->sockets.listeners);
    for (uint32_t i = 0; i < message->fd_count; i++) {
        CHECK(message->places[i] < (size_t)message->threads * message->listeners);
        worker->sockets.at[message->places[i]] = message->fds[i];
    }
}

/* The configuration as the supervisor has read it. Its generation is what the supervisor calls it: numbers go
 * on when a worker is replaced. */
static struct snapshot *load(const struct worker *worker, const struct link_message *message)
{
    struct archive archive = {0};
    struct snapshot *snapshot = NULL;
    if (archive_from_memory(&archive, message->fds[0])) {
        archive_replay(&archive);
        snapshot = worker->source->load(worker->source->arg,
                                        worker->server ? server_snapshot(worker->server) : NULL);
        archive_replay(NULL);
    }
    archive_fini(&archive);
    if (snapshot)
        snapshot->generation = message->generation;
    return snapshot;
}

static void start(struct worker *worker, struct snapshot *snapshot, uint32_t patience_ms)
{
    struct server_settings settings = {.base = worker->base,
                                       .snapshot = snapshot,
                                       .sockets = &worker->sockets,
                                       .log_destination = worker->log_destination,
                                       .patience_ms = patience_ms,
                                       .answered = on_answered,
                                       .arg = worker};
    worker->log_destination = -1;
    worker->server = server_start(&settings);
    snapshot_unref(&snapshot);
    if (worker->server)
        say(worker, LINK_READY);
}

static void serve(struct worker *worker, const struct link_message *message)
{
    CHECK(message->fd_count == 1);
    if (worker->sockets.at == NULL)
        worker->sockets = sockets_new(message->threads, message->listeners);
    struct snapshot *snapshot = load(worker, message);
    if (worker->server == NULL) {
        if (snapshot)
            start(worker, snapshot, message->patience_ms);
        worker->failed = worker->server == NULL;
    } else if (snapshot) {
        server_serve(worker->server, snapshot, &worker->sockets);
    } else {
        sockets_close(&worker->sockets);
        say(worker, LINK_REFUSED);
    }
}

static void renew_tls(struct worker *worker, int archive_fd)
{
    struct archive archive = {0};
    struct config_findings findings;
    config_findings_init(&findings);
    if (archive_from_memory(&archive, archive_fd)) {
        archive_replay(&archive);
        struct tls_context *tls = tls_setup_load(server_snapshot(worker->server)->config, &findings);
        archive_replay(NULL);
        if (tls)
            server_set_tls(worker->server, tls);
        log_info("tls", tls ? "certificates have changed on disk and are in use"
                            : "certificates have changed on disk and cannot be used");
        tls_context_unref(&tls);
    }
    config_findings_fini(&findings);
    archive_fini(&archive);
}

static void take_log(struct worker *worker, const struct link_message *message)
{
    int destination = message->fd_count > 0 ? message->fds[0] : -1;
    if (worker->server && destination >= 0)
        server_reopen_log(worker->server, destination);
    else
        worker->log_destination = destination;
}

/* --- obeying --- */

static void obey(struct worker *worker, const struct link_message *message)
{
    switch (message->kind) {
    case LINK_BECOME: become(message); break;
    case LINK_LOG: take_log(worker, message); break;
    case LINK_SOCKETS: take_sockets(worker, message); break;
    case LINK_SERVE: serve(worker, message); break;
    case LINK_TLS: renew_tls(worker, message->fds[0]); break;
    case LINK_DRAIN: server_drain(worker->server); break;
    case LINK_KILL: server_kill(worker->server, "asked twice"); break;
    default: CHECK(!"a message of a supervisor");
    }
}

static void on_link(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct worker *worker = arg;
    struct link_message message;
    enum link_end end = link_receive(worker->link, false, &message);
    if (end == LINK_GOT)
        obey(worker, &message);
    if (end != LINK_CLOSED)
        return;
    log_error("worker", "the supervisor has gone");
    event_del(worker->on_link);
    server_drain(worker->server);
}

/* --- life --- */

static void ignore_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (size_t i = 0; i < sizeof NOT_OURS / sizeof NOT_OURS[0]; i++)
        sigaction(NOT_OURS[i], &ignore, NULL);
}

/* Everything up to the first configuration, in the order in which it was sent. */
static void begin(struct worker *worker)
{
    struct link_message message;
    while (worker->server == NULL && !worker->failed) {
        worker->failed = link_receive(worker->link, true, &message) != LINK_GOT;
        if (!worker->failed)
            obey(worker, &message);
    }
}

int worker_link(void)
{
    const char *text = getenv(CHILD_LINK_VARIABLE);
    return text ? atoi(text) : -1;
}

int worker_run(int link, const struct generation_source *source)
{
    struct worker worker = {.source = source, .link = link, .log_destination = -1};
    unsetenv(CHILD_LINK_VARIABLE);
    prctl(PR_SET_NAME, "portico-worker");
    ignore_signals();
    limits_raise();
    worker.base = loop_base_new();
    begin(&worker);
    if (worker.server) {
        worker.on_link = event_new(worker.base, link, EV_READ | EV_PERSIST, on_link, &worker);
        CHECK(worker.on_link != NULL && event_add(worker.on_link, NULL) == 0);
        event_base_dispatch(worker.base);
        log_info("server", "stopped");
        event_free(worker.on_link);
    }
    server_end(&worker.server);
    sockets_close(&worker.sockets);
    event_base_free(worker.base);
    close(link);
    return worker.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
