/*
 * The set of stand-ins and its thread, see cli/standin.h. Built from what the workers are built from:
 * listeners, inbound sessions, a mailbox by which the control thread says that it is over.
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

/* One of them. */
struct standin {
    struct list_node node; /* standins->all */
    struct listener *listener;
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
    bool started, stopping;
};

/* --- on the thread --- */

static void on_accept(void *arg, int fd, const struct address *remote, struct crowd_place place)
{
    struct standin *standin = arg;
    session_open(&standin->sessions, &(struct session_entrance){.tls = false}, fd, remote, place);
}

static bool is_over(const struct standins *standins)
{
    if (!standins->stopping)
        return false;
    for (struct list_node *node = list_first(&standins->all); node; node = list_next(&standins->all, node))
        if (session_home_count(&CONTAINER_OF(node, standin, node)->sessions) > 0)
            return false;
    return true;
}

static void *run(void *arg)
{
    struct standins *standins = arg;
    while (!is_over(standins))
        loop_turn(&standins->loop);
    return NULL;
}

static void stop(struct standins *standins)
{
    standins->stopping = true;
    for (struct list_node *node = list_first(&standins->all); node; node = list_next(&standins->all, node)) {
        struct standin *standin = CONTAINER_OF(node, standin, node);
        listener_stop(&standin->listener);
        session_home_kill(&standin->sessions);
    }
}

static void deliver_stop(struct letter *letter, void *receiver)
{
    stop(receiver);
    free(letter);
}

/* --- on the control thread --- */

struct standins *standins_new(void)
{
    size_t align = _Alignof(struct standins), size = (sizeof(struct standins) + align - 1) / align * align;
    struct standins *standins = aligned_alloc(align, size);
    CHECK(standins != NULL);
    memset(standins, 0, sizeof *standins);
    list_init(&standins->all);
    loop_open(&standins->loop, &standins->counters);
    mailbox_open(&standins->mailbox, standins->loop.base, standins);
    return standins;
}

static unsigned port_of(int fd)
{
    struct address address = {.len = sizeof address.un};
    CHECK(getsockname(fd, &address.any, &address.len) == 0);
    return address_port(&address);
}

unsigned standins_add(struct standins *standins, struct slice name, unsigned port)
{
    CHECK(!standins->started);
    int fd = listener_bind(&(struct endpoint_name){.host = SLICE("127.0.0.1"), .port = port});
    if (fd < 0)
        return 0;
    struct standin *standin = calloc(1, sizeof *standin + name.len + 1);
    CHECK(standin != NULL);
    memcpy(standin->name, name.at, name.len);
    standin->desk =
        (struct standin_desk){.name = slice_make(standin->name, name.len), .loop = &standins->loop};
    session_home_init(&standin->sessions, &standins->loop, standin_answer, &standin->desk);
    standin->sessions.settings =
        (struct session_settings){.limits = {LINE_MAX_BYTES, HEAD_MAX_BYTES, FIELDS_MAX},
                                  .head_timeout_us = MINUTES(1),
                                  .keep_alive_timeout_us = DAYS(2)};
    standin->listener = listener_start(&standins->loop, fd, NULL, on_accept, standin);
    list_append(&standins->all, &standin->node);
    return port_of(fd);
}

void standins_start(struct standins *standins)
{
    standins->started = true;
    loop_start_pthread(&standins->pthread, run, standins);
}

/* A thread that never ran is stopped by running it to its end here. */
static void end_thread(struct standins *standins)
{
    if (standins->started) {
        struct letter *letter = malloc(sizeof *letter);
        CHECK(letter != NULL);
        letter->deliver = deliver_stop;
        mailbox_post(&standins->mailbox, letter);
        pthread_join(standins->pthread, NULL);
    } else {
        stop(standins);
        run(standins);
    }
}

void standins_stop(struct standins **standins_at)
{
    struct standins *standins = *standins_at;
    *standins_at = NULL;
    if (standins == NULL)
        return;
    end_thread(standins);
    mailbox_close(&standins->mailbox);
    struct list_node *node;
    while ((node = list_pop(&standins->all)) != NULL) {
        struct standin *standin = CONTAINER_OF(node, standin, node);
        session_home_fini(&standin->sessions);
        free(standin);
    }
    loop_close(&standins->loop);
    free(standins);
}
