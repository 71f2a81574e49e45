/*
 * The control thread behind process/server.h: signals, the resolver, the life of the workers. Called by the
 * commands that serve; knows nothing of requests.
 */
#include "process/server.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "net/tls_tickets.h"
#include "process/loop.h"
#include "process/sockets.h"
#include "process/thread.h"
#include "process/tls_watch.h"
#include "upstream/resolver.h"

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { THREADS_MAX = 256, PATIENCE_US = 500 * 1000 };

static const int SIGNALS[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP};
enum { SIGNAL_COUNT = sizeof SIGNALS / sizeof SIGNALS[0] };

/* A configuration that has been loaded and waits for the addresses of its new upstreams. */
struct coming {
    struct snapshot *snapshot; /* NULL when there is none */
    struct sockets sockets;
    bool outdated; /* asked to reload once more since */
};

struct server {
    const struct server_settings *settings;
    struct snapshot *snapshot;
    struct coming coming;
    struct event_base *base;
    struct mailbox mailbox; /* workers ask for lookups */
    struct access_log *log;
    struct resolver *resolver;
    struct tls_watch *tls_watch;
    struct event *signals[SIGNAL_COUNT];
    struct event *deadline; /* of the drain */
    struct event *patience; /* with upstreams that have no address yet */
    bool *has_address;      /* by upstream of the newest configuration: its names have given one */
    uint32_t without_address;
    struct thread *threads[THREADS_MAX];
    uint32_t thread_count;
    uint32_t ended_count;
    bool stopping;
};

/* --- names --- */

static const struct config *newest(const struct server *server)
{
    return server->coming.snapshot ? server->coming.snapshot->config : server->snapshot->config;
}

static void note_address(struct server *server, const struct endpoint_set *set)
{
    const struct config *config = newest(server);
    for (uint32_t i = 0; i < config->upstream_count && set->count > 0; i++) {
        if (server->has_address[i] || !slice_equal(config->upstreams[i].name, slice_of(set->upstream)))
            continue;
        server->has_address[i] = true;
        server->without_address--;
    }
    if (server->without_address == 0)
        event_active(server->patience, EV_TIMEOUT, 0);
}

/* Names that resolve do so in a moment: waiting for them spares the first clients a 503. Those that do not
 * are not waited for: the gateway serves the other routes. An upstream that was known stays known. */
static void follow_names(struct server *server)
{
    const struct config *config = newest(server);
    const struct config *before = server->coming.snapshot ? server->snapshot->config : NULL;
    bool *had_address = server->has_address;
    server->has_address = calloc(config->upstream_count + 1u, sizeof(bool));
    CHECK(server->has_address != NULL);
    server->without_address = 0;
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        for (uint32_t j = 0; before && j < before->upstream_count; j++)
            if (slice_equal(config->upstreams[i].name, before->upstreams[j].name))
                server->has_address[i] = had_address[j];
        server->without_address += !server->has_address[i];
    }
    free(had_address);
    struct timeval patience = {.tv_usec = server->without_address > 0 ? PATIENCE_US : 0};
    event_add(server->patience, &patience);
    resolver_follow(server->resolver, config);
}

static void publish(void *arg, struct endpoint_set *set)
{
    struct server *server = arg;
    note_address(server, set);
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_adopt(server->threads[i], set);
}

struct hurry_letter {
    struct letter letter;
    char upstream[];
};

static void deliver_hurry(struct letter *letter, void *receiver)
{
    struct hurry_letter *hurry = CONTAINER_OF(letter, hurry_letter, letter);
    struct server *server = receiver;
    if (server->resolver)
        resolver_hurry(server->resolver, slice_of(hurry->upstream));
    free(hurry);
}

/* On a worker's thread. */
static void ask_to_hurry(void *arg, const char *upstream)
{
    struct server *server = arg;
    struct hurry_letter *hurry = malloc(sizeof *hurry + strlen(upstream) + 1);
    CHECK(hurry != NULL);
    hurry->letter.deliver = deliver_hurry;
    strcpy(hurry->upstream, upstream);
    mailbox_post(&server->mailbox, &hurry->letter);
}

static void publish_tls(void *arg, struct tls_context *tls)
{
    struct server *server = arg;
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_set_tls(server->threads[i], tls);
}

/* --- stopping --- */

static void deliver_ended(struct letter *letter, void *receiver)
{
    struct server *server = receiver;
    free(letter);
    if (++server->ended_count == server->thread_count)
        event_base_loopbreak(server->base);
}

/* On a worker's thread. */
static void tell_ended(void *arg)
{
    struct server *server = arg;
    struct letter *letter = malloc(sizeof *letter);
    CHECK(letter != NULL);
    letter->deliver = deliver_ended;
    mailbox_post(&server->mailbox, letter);
}

static void stop_now(struct server *server, const char *why)
{
    log_warn("server", "stopping at once: %s", why);
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_kill(server->threads[i]);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    stop_now(arg, "shutdown_timeout has passed");
}

static void drain(struct server *server)
{
    uint64_t timeout_us = server->snapshot->config->process.shutdown_timeout_us;
    struct timeval timeout = {(time_t)(timeout_us / 1000000), (suseconds_t)(timeout_us % 1000000)};
    server->stopping = true;
    log_info("server", "draining");
    event_add(server->deadline, &timeout);
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_drain(server->threads[i]);
}

/* --- reloading --- */

static void follow_certificates(struct server *server)
{
    struct tls_watcher watcher = {.publish = publish_tls, .arg = server};
    tls_watch_stop(&server->tls_watch);
    server->tls_watch = tls_watch_start(server->base, server->snapshot->config, watcher);
}

/* What is decided once, at the start, and cannot change under a running process. */
static void say_what_needs_a_restart(const struct config *before, const struct config *now)
{
    if (before->process.threads != now->process.threads)
        log_warn("server", "process.threads takes effect at the next restart");
    if (!slice_equal(before->log.access, now->log.access) || before->log.format != now->log.format)
        log_warn("server", "log.access and log.format take effect at the next restart");
}

static void reload(struct server *server);

/* The new configuration counts from here on; the old one ends with the last request that began under it. */
static void take_over(struct server *server)
{
    struct coming *coming = &server->coming;
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_serve(server->threads[i], coming->snapshot, sockets_of(&coming->sockets, i));
    sockets_forget(&coming->sockets);
    say_what_needs_a_restart(server->snapshot->config, coming->snapshot->config);
    log_set_level(coming->snapshot->config->log.level);
    tls_watch_stop(&server->tls_watch);
    snapshot_unref(&server->snapshot);
    server->snapshot = coming->snapshot;
    coming->snapshot = NULL;
    follow_certificates(server);
    log_info("server", "serving the new configuration");
    if (coming->outdated)
        reload(server);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct server *server = arg;
    event_del(server->patience);
    if (server->coming.snapshot && !server->stopping)
        take_over(server);
}

/* Whole or not at all: whatever is wrong, the old configuration stays. */
static void reload(struct server *server)
{
    struct coming *coming = &server->coming;
    coming->outdated = coming->snapshot != NULL;
    if (coming->outdated)
        return;
    coming->snapshot = server->settings->load(server->settings->arg, server->snapshot);
    const struct config *before = server->snapshot->config;
    if (coming->snapshot &&
        sockets_bind(coming->snapshot->config, before, server->thread_count, &coming->sockets)) {
        follow_names(server);
        return;
    }
    snapshot_unref(&coming->snapshot);
    log_error("server", "the old configuration stays");
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    (void)what;
    struct server *server = arg;
    char error[ACCESS_LOG_ERROR_MAX];
    if (number == SIGUSR1) {
        if (!access_log_reopen(server->log, error))
            log_error("server", "the access log stays as it is: %s", error);
    } else if (number == SIGHUP) {
        if (!server->stopping)
            reload(server);
    } else if (server->stopping) {
        stop_now(server, "asked twice");
    } else {
        drain(server);
    }
}

/* --- starting --- */

static uint32_t usable_cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (uint32_t)count : 1;
}

static uint32_t choose_threads(const struct config *config)
{
    uint32_t threads = config->process.threads ? config->process.threads : usable_cores();
    return threads < THREADS_MAX ? threads : THREADS_MAX;
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("server", "cannot raise the limit of open files to %llu: %s",
                 (unsigned long long)limit.rlim_max, strerror(errno));
}

static void make_threads(struct server *server, const struct sockets *sockets)
{
    for (uint32_t i = 0; i < sockets->threads; i++) {
        struct thread_settings settings = {.snapshot = server->snapshot,
                                           .log = server->log,
                                           .listening = sockets_of(sockets, i),
                                           .hurry = ask_to_hurry,
                                           .ended = tell_ended,
                                           .arg = server};
        server->threads[server->thread_count++] = thread_new(&settings);
    }
}

static void watch_signals(struct server *server)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        server->signals[i] = evsignal_new(server->base, SIGNALS[i], on_signal, server);
        CHECK(server->signals[i] != NULL && evsignal_add(server->signals[i], NULL) == 0);
    }
    server->deadline = event_new(server->base, -1, 0, on_deadline, server);
    server->patience = event_new(server->base, -1, 0, on_patience, server);
    CHECK(server->deadline != NULL && server->patience != NULL);
}

static bool start_resolver(struct server *server)
{
    struct resolver_settings settings = {.hosts_path = getenv("PORTICO_HOSTS"),
                                         .servers = getenv("PORTICO_DNS"),
                                         .publish = publish,
                                         .arg = server};
    server->resolver = resolver_new(server->base, &settings);
    if (server->resolver == NULL) {
        log_error("server", "cannot start the resolver");
        return false;
    }
    follow_names(server);
    while (event_pending(server->patience, EV_TIMEOUT, NULL))
        event_base_loop(server->base, EVLOOP_ONCE);
    return true;
}

/* Everything that can go wrong goes wrong before the first thread runs. */
static bool prepare(struct server *server)
{
    const struct config *config = server->snapshot->config;
    char error[ACCESS_LOG_ERROR_MAX];
    log_set_level(config->log.level);
    raise_file_limit();
    const char *period_ms = getenv("PORTICO_TICKET_PERIOD_MS");
    if (period_ms)
        tls_tickets_set_period(strtoull(period_ms, NULL, 10) * 1000);
    follow_certificates(server); /* before anybody can see the old ones in use */
    struct sockets sockets;
    if (!sockets_bind(config, NULL, choose_threads(config), &sockets))
        return false;
    server->log = access_log_open(&config->log, error);
    if (server->log == NULL) {
        log_error("server", "cannot open the access log: %s", error);
        sockets_close(&sockets);
        return false;
    }
    make_threads(server, &sockets);
    sockets_forget(&sockets);
    return start_resolver(server);
}

static void stop(struct server *server)
{
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_end(&server->threads[i]);
    resolver_free(&server->resolver);
    tls_watch_stop(&server->tls_watch);
    mailbox_close(&server->mailbox);
    access_log_close(&server->log);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        event_free(server->signals[i]);
    event_free(server->deadline);
    event_free(server->patience);
    sockets_close(&server->coming.sockets);
    snapshot_unref(&server->coming.snapshot);
    free(server->has_address);
}

static void serve(struct server *server, const struct server_settings *settings)
{
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_start(server->threads[i]);
    log_info("server", "serving threads=%u", server->thread_count);
    if (settings->ready)
        settings->ready(settings->arg);
    event_base_dispatch(server->base);
    log_info("server", "stopped");
}

int server_run(const struct server_settings *settings)
{
    struct server server = {.settings = settings, .base = loop_base_new()};
    server.snapshot = snapshot_ref(settings->snapshot);
    mailbox_open(&server.mailbox, server.base, &server);
    watch_signals(&server);
    bool prepared = prepare(&server);
    if (prepared)
        serve(&server, settings);
    stop(&server);
    snapshot_unref(&server.snapshot);
    event_base_free(server.base);
    return prepared ? 0 : 1;
}
