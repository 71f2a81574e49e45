/*
 * The server of process/server.h. Called on the control thread by worker.c and solo.c; knows nothing of
 * requests, of signals and of where sockets and files come from.
 */
#include "process/server.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/offload.h"
#include "net/crowd.h"
#include "config/diff.h"
#include "observe/access_log.h"
#include "process/ocsp.h"
#include "process/overload.h"
#include "process/thread.h"
#include "process/tls_setup.h"

#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>

enum { OFFLOAD_WAITING_MAX = 64, DIFFERENCES_LOGGED = 100, TIDYING_S = 1 };

/* A configuration whose new names are being looked up. */
struct coming {
    struct snapshot *snapshot; /* NULL when there is none */
    struct sockets sockets;
};

struct server {
    struct snapshot *snapshot;
    struct coming coming;
    struct event_base *base;
    server_answered_fn *answered;
    void *arg;
    struct mailbox mailbox; /* workers ask for lookups */
    struct access_log *log;
    struct offload *offload; /* half as many threads as serve */
    struct resolver *resolver;
    struct ocsp *ocsp;      /* NULL until a certificate has a responder */
    struct event *deadline; /* of the drain */
    struct event *tidying;  /* when the configuration before is likely to have gone */
    struct slots_book *slots;
    struct crowd *crowd;
    struct overload *overload;
    struct thread *threads[SOCKETS_THREADS_MAX];
    uint32_t thread_count;
    uint32_t ended_count;
    bool stopping;
};

/* --- names --- */

static void publish(void *arg, struct endpoint_set *set)
{
    struct server *server = arg;
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

/* --- what changes while a configuration is in force --- */

static struct tls_context *tls_of(const struct snapshot *snapshot)
{
    return (struct tls_context *)snapshot_part(snapshot, &tls_module);
}

static void follow_responders(struct server *server, struct tls_context *tls)
{
    if (server->ocsp == NULL && tls && tls_context_staple(tls, 0))
        server->ocsp = ocsp_start();
    if (server->ocsp)
        ocsp_follow(server->ocsp, tls);
}

void server_set_tls(struct server *server, struct tls_context *tls)
{
    follow_responders(server, tls);
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_set_tls(server->threads[i], tls);
}

static void relieve(void *arg)
{
    struct server *server = arg;
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_shed(server->threads[i]);
}

void server_reopen_log(struct server *server, int log_destination)
{
    access_log_reopen(server->log, log_destination);
}

/* --- the next configuration --- */

/* A change of the configuration, for the log. */
static void log_difference(void *arg, struct slice sentence, bool needs_restart)
{
    unsigned *said = arg;
    if (++*said > DIFFERENCES_LOGGED)
        return;
    if (needs_restart)
        log_warn("server", "%.*s (takes effect at the next restart)", SLICE_ARGS(sentence));
    else
        log_info("server", "%.*s", SLICE_ARGS(sentence));
}

static void log_differences(const struct config *before, const struct config *now)
{
    unsigned said = 0;
    unsigned count = config_diff(before, now, log_difference, &said);
    if (count > DIFFERENCES_LOGGED)
        log_info("server", "%u more differences; check FILE --against OLD says them all",
                 count - DIFFERENCES_LOGGED);
}

/* Both configurations were in memory at once: what the old one took is given back. */
static void on_tidying(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    malloc_trim(0);
}

/* The new configuration counts from here on; the old one ends with the last request that began under it. */
static void take_over(struct server *server)
{
    struct coming *coming = &server->coming;
    resolver_follow(server->resolver, coming->snapshot->config);
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_serve(server->threads[i], coming->snapshot, sockets_of(&coming->sockets, i));
    sockets_forget(&coming->sockets);
    log_differences(server->snapshot->config, coming->snapshot->config);
    log_set_level(coming->snapshot->config->log.level);
    snapshot_unref(&server->snapshot);
    server->snapshot = coming->snapshot;
    coming->snapshot = NULL;
    follow_responders(server, tls_of(server->snapshot));
    overload_follow(server->overload, server->snapshot->config, server->thread_count);
    event_add(server->tidying, &(struct timeval){.tv_sec = TIDYING_S});
}

/* Whatever was begun for a configuration that is not to be. Accepts that there is none. */
static void let_go(struct server *server)
{
    if (server->coming.snapshot)
        resolver_let_go(server->resolver);
    sockets_close(&server->coming.sockets);
    snapshot_unref(&server->coming.snapshot);
}

/* Whether every new name has an address; says which have not. */
static bool check_names(struct server *server)
{
    struct config_findings findings;
    config_findings_init(&findings);
    resolver_report(server->resolver, &findings);
    config_findings_log(&findings);
    bool good = findings.errors == 0;
    config_findings_fini(&findings);
    return good;
}

static void on_tried(void *arg)
{
    struct server *server = arg;
    bool good = check_names(server);
    if (good)
        take_over(server);
    else
        let_go(server);
    server->answered(server->arg, good);
    if (good)
        log_info("server", "serving the new configuration generation=%llu",
                 (unsigned long long)server->snapshot->generation);
}

const struct snapshot *server_snapshot(const struct server *server)
{
    return server->snapshot;
}

void server_serve(struct server *server, struct snapshot *snapshot, struct sockets *sockets)
{
    struct name_trial_terms terms = {RESOLVER_PATIENCE_MS, on_tried, server};
    CHECK(server->coming.snapshot == NULL && !server->stopping);
    server->coming = (struct coming){snapshot, *sockets};
    *sockets = (struct sockets){0};
    resolver_try(server->resolver, snapshot->config, &terms);
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

void server_kill(struct server *server, const char *why)
{
    log_warn("server", "stopping at once: %s", why);
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_kill(server->threads[i]);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    server_kill(arg, "shutdown_timeout has passed");
}

void server_drain(struct server *server)
{
    if (server->stopping)
        return;
    uint64_t timeout_us = server->snapshot->config->process.shutdown_timeout_us;
    struct timeval timeout = {(time_t)(timeout_us / 1000000), (suseconds_t)(timeout_us % 1000000)};
    server->stopping = true;
    log_info("server", "draining");
    let_go(server);
    event_add(server->deadline, &timeout);
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_drain(server->threads[i]);
}

/* --- starting and ending --- */

static void make_threads(struct server *server, struct sockets *sockets)
{
    for (uint32_t i = 0; i < sockets->threads; i++) {
        struct thread_settings settings = {.snapshot = server->snapshot,
                                           .log = server->log,
                                           .slots = server->slots,
                                           .crowd = server->crowd,
                                           .offload = server->offload,
                                           .threads = sockets->threads,
                                           .listening = sockets_of(sockets, i),
                                           .hurry = ask_to_hurry,
                                           .ended = tell_ended,
                                           .arg = server};
        server->threads[server->thread_count++] = thread_new(&settings);
    }
    sockets_forget(sockets);
}

static void on_first_tried(void *arg)
{
    *(bool *)arg = true;
}

/* Names that resolve do so in a moment: waiting for them spares the first clients a 503. Those that do not
 * are no reason not to start, for services start in any order: the gateway serves the other routes. */
static void wait_for_names(struct server *server, uint32_t patience_ms)
{
    bool tried = false;
    struct name_trial_terms terms = {patience_ms, on_first_tried, &tried};
    resolver_try(server->resolver, server->snapshot->config, &terms);
    while (!tried)
        event_base_loop(server->base, EVLOOP_ONCE);
}

static bool start_resolver(struct server *server, uint32_t patience_ms)
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
    wait_for_names(server, patience_ms);
    resolver_follow(server->resolver, server->snapshot->config);
    return true;
}

/* Everything that can go wrong goes wrong before the first thread runs. */
static bool prepare(struct server *server, const struct server_settings *settings)
{
    const struct config *config = server->snapshot->config;
    char error[ACCESS_LOG_ERROR_MAX];
    log_set_level(config->log.level);
    follow_responders(server, tls_of(server->snapshot));
    server->log = access_log_open(&config->log, settings->log_destination, error);
    if (server->log == NULL) {
        log_error("server", "%s", error);
        return false;
    }
    server->offload = offload_new((settings->sockets->threads + 1) / 2, OFFLOAD_WAITING_MAX);
    make_threads(server, settings->sockets);
    overload_follow(server->overload, config, server->thread_count);
    return start_resolver(server, settings->patience_ms);
}

struct server *server_start(const struct server_settings *settings)
{
    struct server *server = calloc(1, sizeof *server);
    CHECK(server != NULL);
    server->base = settings->base;
    server->answered = settings->answered;
    server->arg = settings->arg;
    server->snapshot = snapshot_ref(settings->snapshot);
    server->slots = slots_book_new();
    server->crowd = crowd_new();
    server->overload =
        overload_start(&(struct overload_settings){server->base, server->crowd, relieve, server});
    mailbox_open(&server->mailbox, server->base, server);
    server->deadline = event_new(server->base, -1, 0, on_deadline, server);
    server->tidying = event_new(server->base, -1, 0, on_tidying, NULL);
    CHECK(server->deadline != NULL && server->tidying != NULL);
    if (!prepare(server, settings)) {
        server_end(&server);
        return NULL;
    }
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_start(server->threads[i]);
    log_info("server", "serving threads=%u generation=%llu", server->thread_count,
             (unsigned long long)server->snapshot->generation);
    return server;
}

void server_end(struct server **server_at)
{
    struct server *server = *server_at;
    *server_at = NULL;
    if (server == NULL)
        return;
    offload_free(&server->offload);
    overload_stop(&server->overload);
    for (uint32_t i = 0; i < server->thread_count; i++)
        thread_end(&server->threads[i]);
    slots_book_free(&server->slots);
    crowd_free(&server->crowd);
    let_go(server);
    resolver_free(&server->resolver);
    ocsp_stop(&server->ocsp);
    mailbox_close(&server->mailbox);
    access_log_close(&server->log);
    event_free(server->deadline);
    event_free(server->tidying);
    snapshot_unref(&server->snapshot);
    free(server);
}
