/*
 * The connections behind upstream/pool.h. Called by the exchange (take, give) and by cluster.c when an
 * endpoint retires; knows which codec speaks to an endpoint, but no request.
 */
#include "upstream/pool.h"

#include "codec/h1_outbound.h"
#include "upstream/channel.h"

#include <errno.h>
#include <stdlib.h>

static void bury_outbound(struct grave *grave)
{
    free(CONTAINER_OF(grave, outbound, grave));
}

static void outbound_close(struct outbound *outbound, enum fault fault)
{
    struct clusters *home = outbound->endpoint->cluster->home;
    list_remove(&outbound->endpoint->idle, &outbound->node);
    timer_clear(home->loop->timers, &outbound->idle_timer);
    task_cancel(&outbound->idle_task);
    outbound->stream->ops->close(outbound->stream, fault);
    endpoint_unref(&outbound->endpoint);
    task_bury(&home->loop->tasks, &outbound->grave, bury_outbound);
}

/* An idle connection has ended or has said something. */
static void on_idle_fact(struct task *task)
{
    outbound_close(CONTAINER_OF(task, outbound, idle_task), FAULT_upstream_closed);
}

static void on_idle_timeout(struct timer *timer)
{
    outbound_close(CONTAINER_OF(timer, outbound, idle_timer), FAULT_NONE);
}

enum fault pool_fault_of_dial(int error)
{
    if (error == EMFILE || error == ENFILE)
        return FAULT_out_of_files;
    return error == ECONNREFUSED || error == ENOENT ? FAULT_connect_refused : FAULT_connect_failed;
}

static enum fault open_stream(struct endpoint *endpoint, bool fresh, struct stream **stream_out)
{
    if (endpoint->cluster->protocol != CONFIG_PROTOCOL_H1)
        return channel_take(endpoint, fresh, stream_out);
    struct loop *loop = endpoint->cluster->home->loop;
    struct h1_outbound_settings settings = {endpoint->cluster->head_max, POOL_RESPONSE_FIELDS_MAX,
                                            endpoint->cluster->tls};
    *stream_out = h1_outbound_open(loop, &endpoint->address, &settings);
    return *stream_out ? FAULT_NONE : pool_fault_of_dial(errno);
}

static enum fault dial(struct endpoint *endpoint, bool fresh, struct outbound **outbound_out)
{
    struct loop *loop = endpoint->cluster->home->loop;
    struct stream *stream;
    enum fault fault = open_stream(endpoint, fresh, &stream);
    if (fault)
        return fault;
    struct outbound *outbound = calloc(1, sizeof *outbound);
    CHECK(outbound != NULL);
    outbound->endpoint = endpoint;
    endpoint->refs++;
    outbound->stream = stream;
    outbound->tls = endpoint->cluster->tls;
    outbound->shared = endpoint->cluster->protocol != CONFIG_PROTOCOL_H1;
    outbound->idle_timer.fire = on_idle_timeout;
    task_init(&outbound->idle_task, &loop->tasks, on_idle_fact, false);
    *outbound_out = outbound;
    return FAULT_NONE;
}

static struct outbound *take_idle(struct endpoint *endpoint)
{
    struct list_node *node;
    while ((node = list_first(&endpoint->idle)) != NULL) {
        struct outbound *outbound = CONTAINER_OF(node, outbound, node);
        if (outbound->stream->facts & STREAM_FAILED) {
            outbound_close(outbound, FAULT_upstream_closed);
            continue;
        }
        list_remove(&endpoint->idle, node);
        timer_clear(endpoint->cluster->home->loop->timers, &outbound->idle_timer);
        h1_outbound_reuse(outbound->stream);
        return outbound;
    }
    return NULL;
}

enum fault pool_take(struct endpoint *endpoint, bool fresh, struct task *owner, struct arena *arena,
                     struct outbound **outbound_out)
{
    struct outbound *outbound = fresh ? NULL : take_idle(endpoint);
    enum fault fault = outbound ? FAULT_NONE : dial(endpoint, fresh, &outbound);
    if (fault)
        return fault;
    outbound->stream->owner = owner;
    outbound->stream->arena = arena;
    *outbound_out = outbound;
    return FAULT_NONE;
}

void pool_give(struct outbound **outbound_at, enum fault fault)
{
    struct outbound *outbound = *outbound_at;
    *outbound_at = NULL;
    if (outbound == NULL)
        return;
    struct endpoint *endpoint = outbound->endpoint;
    struct cluster *cluster = endpoint->cluster;
    bool welcome = !outbound->shared && cluster->protocol == CONFIG_PROTOCOL_H1 &&
                   outbound->tls == cluster->tls && list_linked(&endpoint->node) &&
                   endpoint->idle.count < cluster->idle_max;
    if (fault || !welcome || !h1_outbound_rest(outbound->stream)) {
        outbound_close(outbound, fault);
        return;
    }
    outbound->stream->owner = &outbound->idle_task;
    list_prepend(&endpoint->idle, &outbound->node);
    timer_set(cluster->home->loop->timers, &outbound->idle_timer, cluster->idle_timeout_us);
}

void pool_close_idle(struct endpoint *endpoint)
{
    struct list_node *node;
    while ((node = list_first(&endpoint->idle)) != NULL)
        outbound_close(CONTAINER_OF(node, outbound, node), FAULT_NONE);
    channels_retire(endpoint);
}
