/*
 * For the tests of clusters, balancer and pools: one cluster whose addresses are given as text, the requests
 * to resolve again counted.
 */
#ifndef PORTICO_TESTS_UNIT_UPSTREAM_CLUSTER_SCENE_H
#define PORTICO_TESTS_UNIT_UPSTREAM_CLUSTER_SCENE_H

#include "upstream/cluster.h"

#include "../turning.h"

#include <stdio.h>

static struct slots_book *book;
static struct clusters clusters;
static struct cluster *cluster;
static struct config_upstream upstream;
static unsigned hurried;

static inline void on_hurry(void *arg, const char *name)
{
    assert_ptr_equal(arg, &hurried);
    assert_string_equal(name, "api");
    hurried++;
}

static inline void start_cluster(void)
{
    start_loop();
    hurried = 0;
    upstream = (struct config_upstream){.name = SLICE("api"),
                                        .connect_timeout_us = SECOND_US,
                                        .idle_timeout_us = 10 * SECOND_US,
                                        .idle_max = 2,
                                        .head_max = 8192};
    book = slots_book_new();
    clusters_init(&clusters, &loop, book, on_hurry, &hurried);
    cluster = clusters_follow(&clusters, &upstream);
}

static inline void stop_cluster(void)
{
    clusters_fini(&clusters);
    slots_book_free(&book);
    turn();
    stop_loop();
}

/* Gives the upstream of this name these addresses. */
static inline void adopt_as(const char *name, const char *const *texts, uint32_t count)
{
    struct endpoint_set *set = endpoint_set_new(slice_of(name), count);
    for (uint32_t i = 0; i < count; i++) {
        struct endpoint_name parts;
        assert_true(endpoint_name_parse(slice_of(texts[i]), &parts));
        assert_true(address_from_literal(parts.host, parts.port, &set->addresses[i]));
    }
    clusters_adopt(&clusters, set);
    endpoint_set_unref(&set);
}

/* ADOPT("10.0.0.1:80", ...) gives the cluster these addresses. */
#define ADOPT(...)                                                           \
    do {                                                                     \
        static const char *const texts_[] = {__VA_ARGS__};                   \
        adopt_as("api", texts_, (uint32_t)(sizeof texts_ / sizeof *texts_)); \
    } while (0)

static inline struct endpoint *endpoint_at(unsigned index)
{
    struct list_node *node = list_first(&cluster->endpoints);
    while (node && index-- > 0)
        node = list_next(&cluster->endpoints, node);
    assert_non_null(node);
    return CONTAINER_OF(node, endpoint, node);
}

/* The endpoints' texts, a space behind each. */
static inline const char *endpoints_text(void)
{
    static char text[512];
    size_t len = 0;
    text[0] = '\0';
    for (struct list_node *node = list_first(&cluster->endpoints); node;
         node = list_next(&cluster->endpoints, node))
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s ",
                                SLICE_ARGS(CONTAINER_OF(node, endpoint, node)->text));
    return text;
}

#endif
