/*
 * Clusters and endpoints, see upstream/cluster.h. Called by process/thread.c when a configuration or a
 * resolution arrives; knows nothing of requests.
 */
#include "upstream/cluster.h"

#include "upstream/pool.h"

#include <stdlib.h>

enum { SHED_PART = 8 };

void clusters_init(struct clusters *clusters, struct loop *loop, struct slots_book *book,
                   clusters_hurry_fn *hurry, void *arg)
{
    *clusters = (struct clusters){.loop = loop, .book = book, .hurry = hurry, .arg = arg};
    list_init(&clusters->all);
}

static struct cluster *find(struct clusters *clusters, struct slice name)
{
    for (struct list_node *node = list_first(&clusters->all); node; node = list_next(&clusters->all, node)) {
        struct cluster *cluster = CONTAINER_OF(node, cluster, node);
        if (slice_equal(slice_of(cluster->name), name))
            return cluster;
    }
    return NULL;
}

/* Another thread waits for connections that rest here. */
static void give_up(struct slots_member *member, uint32_t count, bool busy)
{
    struct cluster *cluster = CONTAINER_OF(member, cluster, slots);
    struct list_node *node = list_first(&cluster->endpoints);
    for (; node && count > 0; node = list_next(&cluster->endpoints, node))
        count -= pool_give_up(CONTAINER_OF(node, endpoint, node), count, busy);
}

static struct cluster *find_or_make(struct clusters *clusters, struct slice name)
{
    struct cluster *cluster = find(clusters, name);
    if (cluster)
        return cluster;
    cluster = calloc(1, sizeof *cluster);
    CHECK(cluster != NULL);
    cluster->home = clusters;
    cluster->name = strndup(name.at, name.len);
    CHECK(cluster->name != NULL);
    cluster->slots.mailbox = clusters->loop->mailbox;
    cluster->slots.give_up = give_up;
    list_init(&cluster->endpoints);
    list_append(&clusters->all, &cluster->node);
    return cluster;
}

/* What is spoken has changed. */
static void close_idle(struct cluster *cluster)
{
    for (struct list_node *node = list_first(&cluster->endpoints); node;
         node = list_next(&cluster->endpoints, node))
        pool_close_idle(CONTAINER_OF(node, endpoint, node));
}

void clusters_shed(struct clusters *clusters)
{
    for (struct list_node *node = list_first(&clusters->all); node; node = list_next(&clusters->all, node)) {
        struct list *endpoints = &CONTAINER_OF(node, cluster, node)->endpoints;
        for (struct list_node *at = list_first(endpoints); at; at = list_next(endpoints, at)) {
            struct endpoint *endpoint = CONTAINER_OF(at, endpoint, node);
            pool_give_up(endpoint, (uint32_t)endpoint->idle.count / SHED_PART + 1, false);
        }
    }
}

/* --- connections that are bounded over all threads --- */

static void bind_one(struct endpoint *endpoint)
{
    endpoint->tally = tally_join(&endpoint->cluster->slots, &endpoint->address, endpoint->connections);
    pool_note(endpoint);
}

static void unbind_one(struct endpoint *endpoint)
{
    tally_retire(endpoint->tally);
    tally_quit(&endpoint->tally, &endpoint->cluster->slots, endpoint->connections);
    pool_note(endpoint);
}

static void unbind_all(struct cluster *cluster)
{
    if (cluster->slots.slots == NULL)
        return;
    for (struct list_node *node = list_first(&cluster->endpoints); node;
         node = list_next(&cluster->endpoints, node))
        unbind_one(CONTAINER_OF(node, endpoint, node));
    slots_quit(&cluster->slots);
}

/* More than there may be now are closed, as far as they rest; the others when they come to rest. */
static void bind_all(struct cluster *cluster, const struct config_upstream *upstream)
{
    struct list_node *first = list_first(&cluster->endpoints), *node;
    bool joins = cluster->slots.slots == NULL;
    if (joins)
        slots_join(cluster->home->book, &cluster->slots, cluster->name);
    for (node = joins ? first : NULL; node; node = list_next(&cluster->endpoints, node))
        bind_one(CONTAINER_OF(node, endpoint, node));
    slots_bound(&cluster->slots, upstream->connections_max, upstream->queue.length);
    for (node = first; node; node = list_next(&cluster->endpoints, node))
        pool_shrink(CONTAINER_OF(node, endpoint, node));
}

void endpoint_gain(struct endpoint *endpoint, struct claim *claim)
{
    endpoint->connections++;
    if (endpoint->tally)
        claim_use(claim);
}

void endpoint_lose(struct endpoint *endpoint, bool spare)
{
    endpoint->connections--;
    if (endpoint->tally)
        slots_free(&endpoint->cluster->slots, endpoint->tally, spare);
}

/* --- following the configuration --- */

struct cluster *clusters_follow(struct clusters *clusters, const struct config_upstream *upstream)
{
    struct cluster *cluster = find_or_make(clusters, upstream->name);
    cluster->holders++;
    cluster->connect_timeout_us = upstream->connect_timeout_us;
    cluster->idle_timeout_us = upstream->idle_timeout_us;
    cluster->idle_max = upstream->idle_max;
    cluster->head_max = (uint32_t)upstream->head_max;
    if (cluster->protocol != upstream->protocol)
        close_idle(cluster);
    cluster->protocol = upstream->protocol;
    cluster->queue_timeout_us = upstream->queue.timeout_us;
    if (upstream->connections_max > 0)
        bind_all(cluster, upstream);
    else
        unbind_all(cluster);
    return cluster;
}

void cluster_let_go(struct cluster **cluster_at)
{
    struct cluster *cluster = *cluster_at;
    *cluster_at = NULL;
    CHECK(cluster->holders > 0);
    cluster->holders--;
}

void cluster_set_tls(struct cluster *cluster, struct tls_client *tls)
{
    bool same = cluster->tls ? tls_dialer_client(cluster->tls) == tls : tls == NULL;
    if (same)
        return;
    close_idle(cluster);
    tls_dialer_unref(&cluster->tls);
    cluster->tls = tls ? tls_dialer_new(tls) : NULL;
}

static struct endpoint *endpoint_new(struct cluster *cluster, const struct address *address)
{
    struct endpoint *endpoint = calloc(1, sizeof *endpoint);
    CHECK(endpoint != NULL);
    endpoint->cluster = cluster;
    endpoint->address = *address;
    endpoint->text = slice_make(endpoint->text_buffer, address_print(address, endpoint->text_buffer));
    endpoint->refs = 1;
    cluster->living++;
    list_init(&endpoint->idle);
    list_init(&endpoint->channels);
    if (cluster->slots.slots)
        bind_one(endpoint);
    return endpoint;
}

void endpoint_ref(struct endpoint **held, struct endpoint *endpoint)
{
    endpoint->refs++;
    endpoint_unref(held);
    *held = endpoint;
}

void endpoint_unref(struct endpoint **endpoint_at)
{
    struct endpoint *endpoint = *endpoint_at;
    *endpoint_at = NULL;
    if (endpoint == NULL || --endpoint->refs > 0)
        return;
    tally_quit(&endpoint->tally, &endpoint->cluster->slots, endpoint->connections);
    endpoint->cluster->living--;
    free(endpoint);
}

/* Ends every endpoint on the list; those with an outbound in use are freed with it. */
static void retire_all(struct list *endpoints)
{
    struct list_node *node;
    while ((node = list_pop(endpoints)) != NULL) {
        struct endpoint *endpoint = CONTAINER_OF(node, endpoint, node);
        if (endpoint->tally)
            tally_retire(endpoint->tally);
        pool_close_idle(endpoint);
        endpoint_unref(&endpoint);
    }
}

static struct endpoint *take_known(struct list *from, const struct address *address)
{
    for (struct list_node *node = list_first(from); node; node = list_next(from, node)) {
        struct endpoint *endpoint = CONTAINER_OF(node, endpoint, node);
        if (address_equal(&endpoint->address, address)) {
            list_remove(from, node);
            return endpoint;
        }
    }
    return NULL;
}

void clusters_adopt(struct clusters *clusters, const struct endpoint_set *set)
{
    struct cluster *cluster = find_or_make(clusters, slice_of(set->upstream));
    struct list old;
    struct list_node *node;
    list_init(&old);
    while ((node = list_pop(&cluster->endpoints)) != NULL)
        list_append(&old, node);
    for (uint32_t i = 0; i < set->count; i++) {
        struct endpoint *endpoint = take_known(&old, &set->addresses[i]);
        if (endpoint == NULL)
            endpoint = endpoint_new(cluster, &set->addresses[i]);
        list_append(&cluster->endpoints, &endpoint->node);
    }
    retire_all(&old);
    cluster->next_pick = NULL;
}

/* --- the end --- */

static bool is_in_use(const struct cluster *cluster)
{
    if (cluster->living > cluster->endpoints.count)
        return true;
    for (struct list_node *node = list_first(&cluster->endpoints); node;
         node = list_next(&cluster->endpoints, node))
        if (CONTAINER_OF(node, endpoint, node)->refs > 1)
            return true;
    return false;
}

static void cluster_free(struct cluster *cluster)
{
    tls_dialer_unref(&cluster->tls);
    free(cluster->name);
    free(cluster);
}

/* Whether nothing points to it any more. Once its part in the slots has been given up, no other thread sends
 * it letters; one that is on its way has to come first. */
static bool is_let_go(struct cluster *cluster)
{
    if (cluster->holders > 0)
        return false;
    close_idle(cluster);
    if (is_in_use(cluster))
        return false;
    retire_all(&cluster->endpoints);
    cluster->next_pick = NULL;
    unbind_all(cluster);
    return !atomic_load(&cluster->slots.posted);
}

void clusters_tidy(struct clusters *clusters)
{
    struct list_node *node = list_first(&clusters->all), *next;
    for (; node; node = next) {
        struct cluster *cluster = CONTAINER_OF(node, cluster, node);
        next = list_next(&clusters->all, node);
        if (is_let_go(cluster)) {
            list_remove(&clusters->all, node);
            cluster_free(cluster);
        }
    }
}

void clusters_close(struct clusters *clusters)
{
    for (struct list_node *node = list_first(&clusters->all); node; node = list_next(&clusters->all, node)) {
        struct cluster *cluster = CONTAINER_OF(node, cluster, node);
        close_idle(cluster);
        unbind_all(cluster);
    }
}

void clusters_fini(struct clusters *clusters)
{
    struct list_node *node;
    while ((node = list_pop(&clusters->all)) != NULL) {
        struct cluster *cluster = CONTAINER_OF(node, cluster, node);
        retire_all(&cluster->endpoints);
        unbind_all(cluster);
        cluster_free(cluster);
    }
}
