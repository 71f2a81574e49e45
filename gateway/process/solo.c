/*
 * From signals to the verbs of server.h, for process/solo.h. What the supervisor and its worker share among
 * them is done here by one process.
 */
#include "process/solo.h"

#include "base/log.h"
#include "observe/access_log.h"
#include "process/limits.h"
#include "process/loop.h"
#include "process/server.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>

static const int SIGNALS[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP};
enum { SIGNAL_COUNT = sizeof SIGNALS / sizeof SIGNALS[0] };

struct solo {
    const struct generation_source *source;
    struct event_base *base;
    struct event *signals[SIGNAL_COUNT];
    struct generation in_force;
    struct generation coming; /* the server has it and has not answered yet */
    bool outdated;            /* asked to reload since */
    struct server *server;
    uint32_t threads;
    bool stopping;
};

/* One at a time. */
static void reload(struct solo *solo)
{
    struct generation *coming = &solo->coming;
    solo->outdated = coming->snapshot;
    if (solo->outdated)
        return;
    if (generation_make(coming, solo->source, &solo->in_force, solo->threads))
        server_serve(solo->server, snapshot_ref(coming->snapshot), &coming->sockets);
    else
        log_error("server", "the old configuration stays");
}

static void on_answered(void *arg, bool taken)
{
    struct solo *solo = arg;
    if (taken) {
        generation_replace(&solo->in_force, &solo->coming);
    } else {
        generation_fini(&solo->coming);
        log_error("server", "the old configuration stays");
    }
    if (solo->outdated)
        reload(solo);
}

static void stop(struct solo *solo)
{
    if (solo->stopping)
        server_kill(solo->server, "asked twice");
    else
        server_drain(solo->server);
    solo->stopping = true;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct solo *solo = arg;
    if (number != SIGHUP)
        stop(solo);
    else if (!solo->stopping)
        reload(solo);
}

static void watch_signals(struct solo *solo)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        solo->signals[i] = evsignal_new(solo->base, SIGNALS[i], on_signal, solo);
        CHECK(solo->signals[i] != NULL && evsignal_add(solo->signals[i], NULL) == 0);
    }
}

static bool start(struct solo *solo)
{
    struct generation *first = &solo->in_force;
    struct legacy none = {0};
    char error[ACCESS_LOG_ERROR_MAX];
    if (!generation_make_first(first, solo->source, &none))
        return false;
    solo->threads = first->sockets.threads;
    int log_destination = access_log_destination(&first->snapshot->config->log, error);
    if (error[0]) {
        log_error("server", "cannot open the access log: %s", error);
        return false;
    }
    struct server_settings settings = {.base = solo->base,
                                       .snapshot = first->snapshot,
                                       .sockets = &first->sockets,
                                       .log_destination = log_destination,
                                       .patience_ms = SERVER_PATIENCE_MS,
                                       .answered = on_answered,
                                       .arg = solo};
    solo->server = server_start(&settings);
    return solo->server != NULL;
}

int solo_run(const struct generation_source *source, solo_ready_fn *ready, void *arg)
{
    struct solo solo = {.source = source, .base = loop_base_new()};
    limits_raise();
    bool started = start(&solo);
    if (started) {
        watch_signals(&solo);
        ready(arg, solo.in_force.snapshot);
        event_base_dispatch(solo.base);
        log_info("server", "stopped");
        for (int i = 0; i < SIGNAL_COUNT; i++)
            event_free(solo.signals[i]);
    }
    server_end(&solo.server);
    generation_fini(&solo.coming);
    generation_fini(&solo.in_force);
    event_base_free(solo.base);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}
