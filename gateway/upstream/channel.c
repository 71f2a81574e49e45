/*
 * The shared connections behind upstream/channel.h. Called by pool.c; knows how many streams a connection
 * carries, but no request.
 */
#include "upstream/channel.h"

#include "codec/h2_outbound.h"
#include "upstream/pool.h"

#include <errno.h>
#include <stdlib.h>

enum { STREAMS_GUESS = 100 }; /* of a server that has not said how many it takes */

/* One connection. */
struct channel {
    struct list_node node; /* endpoint->channels, while it takes streams */
    struct endpoint *endpoint;
    struct h2_outbound *session;
    struct task task; /* something has changed */
    struct timer idle_timer;
    struct grave grave;
};

static void bury_channel(struct grave *grave)
{
    free(CONTAINER_OF(grave, channel, grave));
}

static void channel_close(struct channel *channel)
{
    struct loop *loop = channel->endpoint->cluster->home->loop;
    list_remove(&channel->endpoint->channels, &channel->node);
    timer_clear(loop->timers, &channel->idle_timer);
    h2_outbound_close(&channel->session);
    task_cancel(&channel->task);
    endpoint_unref(&channel->endpoint);
    task_bury(&loop->tasks, &channel->grave, bury_channel);
}

static void on_idle_timeout(struct timer *timer)
{
    channel_close(CONTAINER_OF(timer, channel, idle_timer));
}

/* A connection that carries nothing waits for the next stream, unless none can come. */
static void on_change(struct task *task)
{
    struct channel *channel = CONTAINER_OF(task, channel, task);
    struct endpoint *endpoint = channel->endpoint;
    struct cluster *cluster = endpoint->cluster;
    struct h2_outbound_load load = h2_outbound_load(channel->session);
    if (load.leaving)
        list_remove(&endpoint->channels, &channel->node);
    if (load.open)
        endpoint->streams_max = load.allowed;
    if (load.lent > 0)
        timer_clear(cluster->home->loop->timers, &channel->idle_timer);
    else if (!load.open || !list_linked(&channel->node))
        channel_close(channel);
    else
        timer_set(cluster->home->loop->timers, &channel->idle_timer, cluster->idle_timeout_us);
}

static struct channel *find(struct endpoint *endpoint, bool fresh)
{
    for (struct list_node *node = list_first(&endpoint->channels); node;
         node = list_next(&endpoint->channels, node)) {
        struct channel *channel = CONTAINER_OF(node, channel, node);
        struct h2_outbound_load load = h2_outbound_load(channel->session);
        if (load.room > 0 && !(fresh && load.open))
            return channel;
    }
    return NULL;
}

static struct channel *channel_dial(struct endpoint *endpoint)
{
    struct cluster *cluster = endpoint->cluster;
    struct loop *loop = cluster->home->loop;
    struct h2_outbound_settings settings = {.address = &endpoint->address,
                                            .head_max = cluster->head_max,
                                            .fields_max = POOL_RESPONSE_FIELDS_MAX,
                                            .tls = cluster->tls,
                                            .streams_max = endpoint->streams_max ? endpoint->streams_max
                                                                                 : STREAMS_GUESS};
    struct channel *channel = calloc(1, sizeof *channel);
    CHECK(channel != NULL);
    task_init(&channel->task, &loop->tasks, on_change, false);
    channel->session = h2_outbound_open(loop, &settings, &channel->task);
    if (channel->session == NULL) {
        int error = errno;
        free(channel);
        errno = error;
        return NULL;
    }
    channel->endpoint = endpoint;
    endpoint->refs++;
    channel->idle_timer.fire = on_idle_timeout;
    list_append(&endpoint->channels, &channel->node);
    return channel;
}

enum fault channel_take(struct endpoint *endpoint, bool fresh, struct stream **stream_out)
{
    struct channel *channel = find(endpoint, fresh);
    if (channel == NULL)
        channel = channel_dial(endpoint);
    if (channel == NULL)
        return pool_fault_of_dial(errno);
    timer_clear(endpoint->cluster->home->loop->timers, &channel->idle_timer);
    *stream_out = h2_outbound_lend(channel->session);
    return FAULT_NONE;
}

void channels_retire(struct endpoint *endpoint)
{
    struct list_node *node;
    while ((node = list_pop(&endpoint->channels)) != NULL) {
        struct channel *channel = CONTAINER_OF(node, channel, node);
        if (h2_outbound_load(channel->session).lent == 0)
            channel_close(channel);
    }
}
