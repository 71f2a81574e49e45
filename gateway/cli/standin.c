/*
 * The set of stand-ins and its thread, see cli/standin.h. Built from what the workers are built from:
 * listeners, inbound sessions, a mailbox by which other threads say who begins and who ends.
 */
#include "cli/standin.h"

#include "base/counters.h"
#include "base/mailbox.h"
#include "cli/standin_answer.h"
#include "codec/session.h"
#include "config/value.h"
#include "net/listener.h"
#include "process/loop.h"

#include <stdlib.h>

/* What the gateway adds to a head of the largest size that it takes still fits. */
enum { LINE_MAX_BYTES = 62 << 10, HEAD_MAX_BYTES = 96 << 10, FIELDS_MAX = 2000 };

/* One of them. Name and port never change. */
struct standin {
    struct list_node node;  /* standins->all */
    struct list_node known; /* standins->shared.known */
    uint32_t uses;          /* under the lock */
    unsigned port;
    int fd; /* the listener's */
    struct letter beginning, ending;
    struct listener *listener; /* NULL once it accepts nobody any more */
    struct session_home sessions;
    struct standin_desk desk;
    char name[];
};

struct standins {
    struct counters counters;
    struct loop loop;
    struct mailbox mailbox;
    pthread_t pthread;
    struct list all;
    bool stopping;
    struct {
        pthread_mutex_t lock;
        struct list known; /* those with a use */
    } shared;
};

/* --- on the thread --- */

static void on_accept(void *arg, int fd, const struct address *remote, struct crowd_place place)
{
    struct standin *standin = arg;
    session_open(&standin->sessions, &(struct session_entrance){.tls = false}, fd, remote, place);
}

static void deliver_beginning(struct letter *letter, void *receiver)
{
    struct standins *standins = receiver;
    struct standin *standin = CONTAINER_OF(letter, standin, beginning);
    standin->listener = listener_start(&standins->loop, standin->fd, NULL, on_accept, standin);
    list_append(&standins->all, &standin->node);
}

static void deliver_ending(struct letter *letter, void *receiver)
{
    (void)receiver;
    struct standin *standin = CONTAINER_OF(letter, standin, ending);
    listener_stop(&standin->listener);
    session_home_drain(&standin->sessions);
}

static void deliver_stop(struct letter *letter, void *receiver)
{
    struct standins *standins = receiver;
    free(letter);
    standins->stopping = true;
    for (struct list_node *node = list_first(&standins->all); node; node = list_next(&standins->all, node)) {
        struct standin *standin = CONTAINER_OF(node, standin, node);
        listener_stop(&standin->listener);
        session_home_kill(&standin->sessions);
    }
}

/* Frees who has ended. */
static void forget_ended(struct standins *standins)
{
    struct list_node *next;
    for (struct list_node *node = list_first(&standins->all); node; node = next) {
        struct standin *standin = CONTAINER_OF(node, standin, node);
        next = list_next(&standins->all, node);
        if (standin->listener || session_home_count(&standin->sessions) > 0)
            continue;
        list_remove(&standins->all, node);
        session_home_fini(&standin->sessions);
        free(standin);
    }
}

static void *run(void *arg)
{
    struct standins *standins = arg;
    while (!standins->stopping || standins->all.count > 0) {
        loop_turn(&standins->loop);
        forget_ended(standins);
    }
    return NULL;
}

/* --- on any thread --- */

static unsigned port_of(int fd)
{
    struct address address = {.len = sizeof address.un};
    CHECK(getsockname(fd, &address.any, &address.len) == 0);
    return address_port(&address);
}

static struct standin *standin_new(struct standins *standins, struct slice name, int fd)
{
    struct standin *standin = calloc(1, sizeof *standin + name.len + 1);
    CHECK(standin != NULL);
    memcpy(standin->name, name.at, name.len);
    standin->fd = fd;
    standin->port = port_of(fd);
    standin->beginning.deliver = deliver_beginning;
    standin->ending.deliver = deliver_ending;
    standin->desk =
        (struct standin_desk){.name = slice_make(standin->name, name.len), .loop = &standins->loop};
    session_home_init(&standin->sessions, &standins->loop, standin_answer, &standin->desk);
    standin->sessions.settings =
        (struct session_settings){.limits = {LINE_MAX_BYTES, HEAD_MAX_BYTES, FIELDS_MAX},
                                  .head_timeout_us = MINUTES(1),
                                  .keep_alive_timeout_us = DAYS(2)};
    return standin;
}

static struct standin *find(struct standins *standins, struct slice name)
{
    struct list *known = &standins->shared.known;
    for (struct list_node *node = list_first(known); node; node = list_next(known, node)) {
        struct standin *standin = CONTAINER_OF(node, standin, known);
        if (slice_equal(standin->desk.name, name))
            return standin;
    }
    return NULL;
}

static struct standin *begin(struct standins *standins, struct slice name, unsigned port)
{
    int fd = listener_bind(&(struct endpoint_name){.host = SLICE("127.0.0.1"), .port = port});
    if (fd < 0)
        return NULL;
    struct standin *standin = standin_new(standins, name, fd);
    list_append(&standins->shared.known, &standin->known);
    mailbox_post(&standins->mailbox, &standin->beginning);
    return standin;
}

unsigned standins_take(struct standins *standins, struct slice name, unsigned port)
{
    pthread_mutex_lock(&standins->shared.lock);
    struct standin *standin = find(standins, name);
    if (standin == NULL)
        standin = begin(standins, name, port);
    if (standin)
        standin->uses++;
    unsigned found = standin ? standin->port : 0;
    pthread_mutex_unlock(&standins->shared.lock);
    return found;
}

void standins_give_back(struct standins *standins, struct slice name)
{
    pthread_mutex_lock(&standins->shared.lock);
    struct standin *standin = find(standins, name);
    CHECK(standin != NULL && standin->uses > 0);
    if (--standin->uses == 0) {
        list_remove(&standins->shared.known, &standin->known);
        mailbox_post(&standins->mailbox, &standin->ending);
    }
    pthread_mutex_unlock(&standins->shared.lock);
}

/* --- life --- */

struct standins *standins_new(void)
{
    size_t align = _Alignof(struct standins), size = (sizeof(struct standins) + align - 1) / align * align;
    struct standins *standins = aligned_alloc(align, size);
    CHECK(standins != NULL);
    memset(standins, 0, sizeof *standins);
    list_init(&standins->all);
    list_init(&standins->shared.known);
    pthread_mutex_init(&standins->shared.lock, NULL);
    loop_open(&standins->loop, &standins->counters);
    mailbox_open(&standins->mailbox, standins->loop.base, standins);
    loop_start_pthread(&standins->pthread, run, standins);
    return standins;
}

void standins_stop(struct standins **standins_at)
{
    struct standins *standins = *standins_at;
    *standins_at = NULL;
    if (standins == NULL)
        return;
    struct letter *letter = malloc(sizeof *letter);
    CHECK(letter != NULL);
    letter->deliver = deliver_stop;
    mailbox_post(&standins->mailbox, letter);
    pthread_join(standins->pthread, NULL);
    mailbox_close(&standins->mailbox);
    pthread_mutex_destroy(&standins->shared.lock);
    loop_close(&standins->loop);
    free(standins);
}
