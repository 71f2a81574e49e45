/*
 * The connections behind upstream/pool.h. Called by the exchange (take, give) and by cluster.c when an
 * endpoint retires; knows which codec speaks to an endpoint, but no request.
 */
#include "upstream/pool.h"

#include "codec/h1_outbound.h"
#include "upstream/channel.h"

#include <errno.h>
#include <stdlib.h>

static void free_outbound(struct task *task)
{
    free(CONTAINER_OF(task, outbound, idle_task));
}

static void outbound_close(struct outbound *outbound, enum fault fault)
{
    struct clusters *home = outbound->endpoint->cluster->home;
    bool spare = list_linked(&outbound->node);
    list_remove(&outbound->endpoint->idle, &outbound->node);
    timer_clear(home->loop->timers, &outbound->idle_timer);
    outbound->stream->ops->close(outbound->stream, fault);
    if (!outbound->shared)
        endpoint_lose(outbound->endpoint, spare);
    endpoint_unref(&outbound->endpoint);
    task_end(&home->loop->tasks, &outbound->idle_task, free_outbound);
}

/* An idle connection has ended or has said something. */
static void on_idle_fact(struct task *task)
{
    outbound_close(CONTAINER_OF(task, outbound, idle_task), FAULT_upstream_closed);
}

static void on_idle_timeout(struct timer *timer)
{
    struct outbound *outbound = CONTAINER_OF(timer, outbound, idle_timer);
    if (list_linked(&outbound->node)) /* else it runs on from an earlier rest; the next one sets it again */
        outbound_close(outbound, FAULT_NONE);
}

enum fault pool_fault_of_dial(int error)
{
    if (error == EMFILE || error == ENFILE)
        return FAULT_out_of_files;
    return error == ECONNREFUSED || error == ENOENT ? FAULT_connect_refused : FAULT_connect_failed;
}

static enum fault open_stream(struct endpoint *endpoint, struct claim *claim, struct stream **stream_out)
{
    if (endpoint->cluster->protocol != CONFIG_PROTOCOL_H1)
        return channel_take(endpoint, claim, stream_out);
    struct loop *loop = endpoint->cluster->home->loop;
    struct h1_outbound_settings settings = {endpoint->cluster->head_max, POOL_RESPONSE_FIELDS_MAX,
                                            endpoint->cluster->tls};
    *stream_out = h1_outbound_open(loop, &endpoint->address, &settings);
    if (*stream_out == NULL)
        return pool_fault_of_dial(errno);
    endpoint_gain(endpoint, claim);
    return FAULT_NONE;
}

static enum fault dial(struct endpoint *endpoint, struct claim *claim, struct outbound **outbound_out)
{
    struct loop *loop = endpoint->cluster->home->loop;
    struct stream *stream;
    enum fault fault = open_stream(endpoint, claim, &stream);
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

/* --- taking --- */

/* The warmest that is alive, or NULL. */
static struct outbound *first_alive(struct endpoint *endpoint)
{
    struct list_node *node;
    while ((node = list_first(&endpoint->idle)) != NULL) {
        struct outbound *outbound = CONTAINER_OF(node, outbound, node);
        if (!(outbound->stream->facts & STREAM_FAILED))
            return outbound;
        outbound_close(outbound, FAULT_upstream_closed);
    }
    return NULL;
}

static struct outbound *wake_up(struct outbound *outbound)
{
    list_remove(&outbound->endpoint->idle, &outbound->node);
    return outbound;
}

bool pool_reserve(struct endpoint *endpoint, struct claim *claim)
{
    struct slots_member *member = &endpoint->cluster->slots;
    if (endpoint->tally == NULL)
        return true;
    if (endpoint->cluster->protocol != CONFIG_PROTOCOL_H1)
        return channel_has_room(endpoint, claim->fresh) || claim_try(claim, member, endpoint->tally);
    struct outbound *warm = claim->fresh ? NULL : first_alive(endpoint);
    if (warm == NULL || !claim_try_spare(claim, member))
        return claim_try(claim, member, endpoint->tally);
    claim->outbound = wake_up(warm);
    return true;
}

struct endpoint *pool_given(struct cluster *cluster, struct claim *claim)
{
    if (claim->outbound && !(claim->outbound->stream->facts & STREAM_FAILED))
        return claim->outbound->endpoint;
    const struct tally *slot = claim_slot(claim);
    struct list_node *node = slot ? list_first(&cluster->endpoints) : NULL;
    for (; node; node = list_next(&cluster->endpoints, node)) {
        struct endpoint *endpoint = CONTAINER_OF(node, endpoint, node);
        if (endpoint->tally == slot)
            return endpoint;
    }
    pool_leave(claim);
    return NULL;
}

enum fault pool_take(struct endpoint *endpoint, struct claim *claim, struct arena *arena,
                     struct outbound **outbound_out)
{
    struct outbound *outbound = claim->outbound, *warm = NULL;
    enum fault fault = FAULT_NONE;
    claim->outbound = NULL;
    if (outbound == NULL && !claim->fresh && endpoint->tally == NULL &&
        (warm = first_alive(endpoint)) != NULL)
        outbound = wake_up(warm);
    if (outbound)
        h1_outbound_reuse(outbound->stream);
    else
        fault = dial(endpoint, claim, &outbound);
    claim_leave(claim);
    if (fault)
        return fault;
    outbound->stream->owner = claim->task;
    outbound->stream->arena = arena;
    *outbound_out = outbound;
    return FAULT_NONE;
}

/* --- giving --- */

static bool is_welcome(const struct outbound *outbound)
{
    const struct endpoint *endpoint = outbound->endpoint;
    const struct cluster *cluster = endpoint->cluster;
    return !outbound->shared && cluster->protocol == CONFIG_PROTOCOL_H1 && outbound->tls == cluster->tls &&
           list_linked(&endpoint->node) && endpoint->idle.count < cluster->idle_max;
}

/* A connection that could carry another exchange: the first who waits for one gets it. */
static void rest(struct outbound *outbound)
{
    struct endpoint *endpoint = outbound->endpoint;
    struct cluster *cluster = endpoint->cluster;
    struct claim *heir = NULL;
    enum slots_rest then = endpoint->tally ? slots_rest(&cluster->slots, endpoint->tally, &heir) : SLOTS_REST;
    if (then == SLOTS_CLOSE) {
        outbound_close(outbound, FAULT_NONE);
    } else if (then == SLOTS_HEIR) {
        heir->outbound = outbound;
        outbound->stream->owner = heir->task;
        task_wake(heir->task);
    } else {
        outbound->stream->owner = &outbound->idle_task;
        list_prepend(&endpoint->idle, &outbound->node);
        timer_set(cluster->home->loop->timers, &outbound->idle_timer, cluster->idle_timeout_us);
    }
}

void pool_give(struct outbound **outbound_at, enum fault fault)
{
    struct outbound *outbound = *outbound_at;
    *outbound_at = NULL;
    if (outbound == NULL)
        return;
    if (fault || !is_welcome(outbound) || !h1_outbound_rest(outbound->stream))
        outbound_close(outbound, fault);
    else
        rest(outbound);
}

void pool_leave(struct claim *claim)
{
    struct outbound *outbound = claim->outbound;
    claim->outbound = NULL;
    if (outbound && is_welcome(outbound) && !(outbound->stream->facts & STREAM_FAILED))
        rest(outbound);
    else if (outbound)
        outbound_close(outbound, FAULT_NONE);
    claim_leave(claim);
}

/* --- closing what rests --- */

static bool close_coldest(struct endpoint *endpoint)
{
    struct list_node *node = list_last(&endpoint->idle);
    if (node)
        outbound_close(CONTAINER_OF(node, outbound, node), FAULT_NONE);
    return node != NULL;
}

uint32_t pool_give_up(struct endpoint *endpoint, uint32_t count, bool busy)
{
    uint32_t given = 0;
    while (given < count && (close_coldest(endpoint) || channels_give_up(endpoint, busy)))
        given++;
    return given;
}

void pool_shrink(struct endpoint *endpoint)
{
    while (endpoint->tally && tally_is_over(endpoint->tally) && pool_give_up(endpoint, 1, false) > 0)
        continue;
}

void pool_note(struct endpoint *endpoint)
{
    if (endpoint->tally)
        slots_note(&endpoint->cluster->slots, 0, (int)endpoint->idle.count);
    channels_note(endpoint);
}

void pool_close_idle(struct endpoint *endpoint)
{
    struct list_node *node;
    while ((node = list_first(&endpoint->idle)) != NULL)
        outbound_close(CONTAINER_OF(node, outbound, node), FAULT_NONE);
    channels_retire(endpoint);
}
