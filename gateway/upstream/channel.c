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
    struct task task; /* something has changed; in the end frees this */
    struct timer idle_timer;
    bool counts, spare; /* as the slots know it: takes streams, has none */
};

static void free_channel(struct task *task)
{
    free(CONTAINER_OF(task, channel, task));
}

/* Tells the slots what has become of the connection. */
static void note(struct channel *channel)
{
    struct endpoint *endpoint = channel->endpoint;
    bool counts = endpoint->tally && list_linked(&channel->node);
    bool spare = counts && h2_outbound_load(channel->session).lent == 0;
    if (endpoint->tally && (counts != channel->counts || spare != channel->spare))
        slots_note(&endpoint->cluster->slots, counts - channel->counts, spare - channel->spare);
    channel->counts = counts;
    channel->spare = spare;
}

static void channel_close(struct channel *channel)
{
    struct loop *loop = channel->endpoint->cluster->home->loop;
    list_remove(&channel->endpoint->channels, &channel->node);
    note(channel);
    timer_clear(loop->timers, &channel->idle_timer);
    h2_outbound_close(&channel->session);
    endpoint_lose(channel->endpoint, false);
    endpoint_unref(&channel->endpoint);
    task_end(&loop->tasks, &channel->task, free_channel);
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
    note(channel);
    if (endpoint->tally && list_linked(&channel->node) && load.room > 0)
        slots_call(&cluster->slots, load.room);
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

bool channel_has_room(struct endpoint *endpoint, bool fresh)
{
    return find(endpoint, fresh) != NULL;
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

enum fault channel_take(struct endpoint *endpoint, struct claim *claim, struct stream **stream_out)
{
    struct channel *channel = find(endpoint, claim->fresh);
    bool is_new = channel == NULL;
    if (is_new)
        channel = channel_dial(endpoint);
    if (channel == NULL)
        return pool_fault_of_dial(errno);
    if (is_new) {
        endpoint_gain(endpoint, claim);
        task_wake(&channel->task); /* others may wait for the room it has */
    }
    timer_clear(endpoint->cluster->home->loop->timers, &channel->idle_timer);
    *stream_out = h2_outbound_lend(channel->session);
    note(channel);
    return FAULT_NONE;
}

void channels_retire(struct endpoint *endpoint)
{
    struct list_node *node;
    while ((node = list_pop(&endpoint->channels)) != NULL) {
        struct channel *channel = CONTAINER_OF(node, channel, node);
        note(channel);
        if (h2_outbound_load(channel->session).lent == 0)
            channel_close(channel);
    }
}

bool channels_give_up(struct endpoint *endpoint, bool busy)
{
    struct list_node *node = list_first(&endpoint->channels);
    for (; node; node = list_next(&endpoint->channels, node)) {
        struct channel *channel = CONTAINER_OF(node, channel, node);
        if (h2_outbound_load(channel->session).lent > 0)
            continue;
        channel_close(channel);
        return true;
    }
    if (!busy || (node = list_last(&endpoint->channels)) == NULL)
        return false;
    list_remove(&endpoint->channels, node);
    note(CONTAINER_OF(node, channel, node));
    return true;
}

void channels_note(struct endpoint *endpoint)
{
    for (struct list_node *node = list_first(&endpoint->channels); node;
         node = list_next(&endpoint->channels, node))
        note(CONTAINER_OF(node, channel, node));
}
