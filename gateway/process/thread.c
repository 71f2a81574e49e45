/*
 * The worker of process/thread.h. Its loop is visible: wait for sockets, run what they woke, show the log its
 * records. Called by server.c on the control thread; everything below a verb runs on the worker itself.
 */
#include "process/thread.h"

#include "base/check.h"
#include "base/counters.h"
#include "base/mailbox.h"
#include "codec/session.h"
#include "exchange/exchange.h"
#include "net/listener.h"
#include "process/limits.h"
#include "process/loop.h"
#include "process/tls_setup.h"

#include <stdlib.h>
#include <unistd.h>

enum { REFUSED_MAX = 64, REFUSED_PART = 16 };

/* A listener and what it asks of who comes in. */
struct door {
    struct door *next;
    struct thread *thread;
    char *text; /* the address as configured: its identity across reloads */
    struct listener *listener;
    struct session_entrance entrance;
};

struct thread {
    pthread_t pthread;
    struct mailbox mailbox;
    struct loop loop;
    struct counters counters;
    struct session_home sessions;
    struct exchange_home exchanges;
    struct clusters clusters;
    struct door *doors;
    struct crowd *crowd;
    uint32_t threads; /* of the process */
    bool started, draining;
    void (*ended)(void *arg);
    void *arg;
};

/* --- the loop, on the worker --- */

static bool is_over(const struct thread *thread)
{
    return thread->draining && session_home_count(&thread->sessions) == 0 &&
           thread->exchanges.exchanges.count == 0;
}

static void *run(void *arg)
{
    struct thread *thread = arg;
    mailbox_deliver(&thread->mailbox);
    while (!is_over(thread)) {
        loop_turn(&thread->loop);
        access_log_turn(thread->exchanges.lane);
    }
    clusters_close(&thread->clusters);
    thread->ended(thread->arg);
    return NULL;
}

static void on_accept(void *arg, int fd, const struct address *remote, struct crowd_place place)
{
    struct door *door = arg;
    counters_add(&door->thread->counters, COUNTER_inbound_accepted, 1);
    session_open(&door->thread->sessions, &door->entrance, fd, remote, place);
}

/* --- letters --- */

struct adopt_letter {
    struct letter letter;
    struct endpoint_set *set;
};

static void deliver_adopt(struct letter *letter, void *receiver)
{
    struct adopt_letter *adopt = CONTAINER_OF(letter, adopt_letter, letter);
    struct thread *thread = receiver;
    clusters_adopt(&thread->clusters, adopt->set);
    endpoint_set_unref(&adopt->set);
    free(adopt);
}

static void close_doors(struct door **doors)
{
    struct door *door;
    while ((door = *doors) != NULL) {
        *doors = door->next;
        listener_stop(&door->listener);
        free(door->text);
        free(door);
    }
}

static void drain(struct thread *thread)
{
    if (thread->draining)
        return;
    thread->draining = true;
    close_doors(&thread->doors);
    session_home_drain(&thread->sessions);
    exchange_home_drain(&thread->exchanges);
}

static void deliver_drain(struct letter *letter, void *receiver)
{
    drain(receiver);
    free(letter);
}

static void deliver_kill(struct letter *letter, void *receiver)
{
    struct thread *thread = receiver;
    drain(thread);
    session_home_kill(&thread->sessions);
    free(letter);
}

static void deliver_shed(struct letter *letter, void *receiver)
{
    struct thread *thread = receiver;
    session_home_shed(&thread->sessions);
    clusters_shed(&thread->clusters);
    free(letter);
}

static void post(struct thread *thread, struct letter *letter,
                 void (*deliver)(struct letter *letter, void *receiver))
{
    CHECK(letter != NULL);
    letter->deliver = deliver;
    mailbox_post(&thread->mailbox, letter);
}

void thread_adopt(struct thread *thread, struct endpoint_set *set)
{
    struct adopt_letter *adopt = malloc(sizeof *adopt);
    CHECK(adopt != NULL);
    adopt->set = endpoint_set_ref(set);
    post(thread, &adopt->letter, deliver_adopt);
}

struct tls_letter {
    struct letter letter;
    struct tls_context *server;
};

static void deliver_tls(struct letter *letter, void *receiver)
{
    struct tls_letter *tls = CONTAINER_OF(letter, tls_letter, letter);
    struct thread *thread = receiver;
    session_home_set_tls(&thread->sessions, tls->server);
    tls_context_unref(&tls->server);
    free(tls);
}

void thread_set_tls(struct thread *thread, struct tls_context *server)
{
    struct tls_letter *tls = malloc(sizeof *tls);
    CHECK(tls != NULL);
    tls->server = tls_context_ref(server);
    post(thread, &tls->letter, deliver_tls);
}

/* Enough to tell everybody who comes in a usual crowd, and few beside what the process may open. */
static uint32_t refused_max(const struct config *config, uint32_t threads)
{
    uint64_t share = limits_sockets(config, threads) / threads / REFUSED_PART;
    return share < REFUSED_MAX ? (uint32_t)share + 1 : REFUSED_MAX;
}

static struct session_settings settings_of(const struct config *config, uint32_t threads)
{
    const struct config_client *client = &config->client;
    return (struct session_settings){.limits = {(uint32_t)client->request_line_max,
                                                (uint32_t)client->head_max, (uint16_t)client->fields_max},
                                     .head_timeout_us = client->head_timeout_us,
                                     .keep_alive_timeout_us = client->keep_alive_timeout_us,
                                     .openings_max = config->tls.handshakes_max,
                                     .refused_max = refused_max(config, threads),
                                     .trusted = config->trusted_proxies,
                                     .trusted_count = config->trusted_proxy_count};
}

/* Takes a configuration into service: requests that begin from now on see it. */
static void serve_from(struct thread *thread, struct snapshot *snapshot)
{
    pin_unref(&thread->exchanges.pin);
    thread->exchanges.pin = pin_new(snapshot, &thread->clusters);
    exchange_home_follow(&thread->exchanges);
    thread->sessions.settings = settings_of(snapshot->config, thread->threads);
    session_home_set_tls(&thread->sessions, (struct tls_context *)snapshot_part(snapshot, &tls_module));
}

static struct session_entrance entrance_of(const struct config_listener *listener)
{
    return (struct session_entrance){.tls = listener->tls,
                                     .proxy_protocol = listener->proxy_protocol,
                                     .redirects = listener->redirect == CONFIG_REDIRECT_HTTPS};
}

static struct door *take_door(struct door **doors, struct slice text)
{
    for (struct door **at = doors; *at; at = &(*at)->next) {
        struct door *door = *at;
        if (slice_equal(slice_of(door->text), text)) {
            *at = door->next;
            return door;
        }
    }
    return NULL;
}

static struct door *open_door(struct thread *thread, struct slice text, int socket)
{
    struct door *door = calloc(1, sizeof *door);
    CHECK(door != NULL);
    door->thread = thread;
    door->text = strndup(text.at, text.len);
    CHECK(door->text != NULL);
    door->listener = listener_start(&thread->loop, socket, thread->crowd, on_accept, door);
    return door;
}

/* Opens the new doors, keeps those that stay with their sockets and backlogs, closes the others. */
static void listen_on(struct thread *thread, const struct config *config, const int *sockets)
{
    struct door *before = thread->doors;
    thread->doors = NULL;
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        struct door *door = sockets[i] >= 0 ? open_door(thread, listener->text, sockets[i])
                                            : take_door(&before, listener->text);
        CHECK(door != NULL);
        door->entrance = entrance_of(listener);
        door->next = thread->doors;
        thread->doors = door;
    }
    close_doors(&before);
}

struct serve_letter {
    struct letter letter;
    struct snapshot *snapshot;
    uint32_t count;
    int sockets[];
};

static void deliver_serve(struct letter *letter, void *receiver)
{
    struct serve_letter *serve = CONTAINER_OF(letter, serve_letter, letter);
    struct thread *thread = receiver;
    if (thread->draining) {
        for (uint32_t i = 0; i < serve->count; i++)
            if (serve->sockets[i] >= 0)
                close(serve->sockets[i]);
        snapshot_unref(&serve->snapshot);
    } else {
        listen_on(thread, serve->snapshot->config, serve->sockets);
        serve_from(thread, serve->snapshot);
    }
    free(serve);
}

void thread_serve(struct thread *thread, struct snapshot *snapshot, const int *sockets)
{
    uint32_t count = snapshot->config->listener_count;
    struct serve_letter *serve = malloc(sizeof *serve + count * sizeof *sockets);
    CHECK(serve != NULL);
    serve->snapshot = snapshot_ref(snapshot);
    serve->count = count;
    memcpy(serve->sockets, sockets, count * sizeof *sockets);
    post(thread, &serve->letter, deliver_serve);
}

void thread_shed(struct thread *thread)
{
    post(thread, malloc(sizeof(struct letter)), deliver_shed);
}

void thread_drain(struct thread *thread)
{
    post(thread, malloc(sizeof(struct letter)), deliver_drain);
}

void thread_kill(struct thread *thread)
{
    post(thread, malloc(sizeof(struct letter)), deliver_kill);
}

/* --- birth and death, on the control thread --- */

struct thread *thread_new(const struct thread_settings *settings)
{
    struct thread *thread = aligned_alloc(64, (sizeof *thread + 63) / 64 * 64);
    CHECK(thread != NULL);
    memset(thread, 0, sizeof *thread);
    thread->ended = settings->ended;
    thread->crowd = settings->crowd;
    thread->threads = settings->threads;
    thread->arg = settings->arg;
    counters_init(&thread->counters);
    loop_open(&thread->loop, &thread->counters);
    mailbox_open(&thread->mailbox, thread->loop.base, thread);
    thread->loop.mailbox = &thread->mailbox;
    thread->loop.offload = settings->offload;
    clusters_init(&thread->clusters, &thread->loop, settings->slots, settings->hurry, settings->arg);
    session_home_init(&thread->sessions, &thread->loop, exchange_begin, &thread->exchanges);
    struct exchange_home *exchanges = &thread->exchanges;
    exchanges->loop = &thread->loop;
    exchanges->scratch = router_scratch_new();
    exchanges->lane = access_log_lane_new(settings->log, &thread->counters);
    random_init(&exchanges->random);
    list_init(&exchanges->exchanges);
    serve_from(thread, snapshot_ref(settings->snapshot));
    listen_on(thread, settings->snapshot->config, settings->listening);
    return thread;
}

void thread_start(struct thread *thread)
{
    thread->started = true;
    loop_start_pthread(&thread->pthread, run, thread);
}

void thread_end(struct thread **thread_at)
{
    struct thread *thread = *thread_at;
    *thread_at = NULL;
    if (thread->started)
        pthread_join(thread->pthread, NULL);
    close_doors(&thread->doors);
    mailbox_close(&thread->mailbox);
    session_home_fini(&thread->sessions);
    pin_unref(&thread->exchanges.pin);
    router_scratch_free(&thread->exchanges.scratch);
    clusters_fini(&thread->clusters);
    loop_close(&thread->loop);
    counters_fini(&thread->counters);
    free(thread);
}
