/*
 * A thread's view of the upstreams: each a cluster, the named set of its endpoints with their pooled
 * connections. Clusters are kept by name and endpoints by address, so both outlive the configuration and the
 * resolution they came from: a cluster goes with the next configuration after the last one that names it.
 * Belongs to one worker thread; the resolver's results reach it through the thread's mailbox.
 */
#ifndef PORTICO_UPSTREAM_CLUSTER_H
#define PORTICO_UPSTREAM_CLUSTER_H

#include "base/loop.h"
#include "config/config.h"
#include "net/tls_client.h"
#include "upstream/endpoint_set.h"
#include "upstream/slots.h"

struct cluster;

/* One address of an upstream. */
struct endpoint {
    struct list_node node; /* cluster->endpoints, while the address is in use */
    struct cluster *cluster;
    struct address address;
    struct slice text;       /* the address, printed */
    struct list idle;        /* struct outbound: connections without an exchange, the warmest first */
    struct list channels;    /* struct channel: HTTP/2 connections that take streams */
    uint32_t streams_max;    /* what the last of them was allowed; 0: none has been yet */
    uint32_t refs;           /* the cluster's, each outbound's, and of exchanges that have tried it */
    uint32_t connections;    /* of this thread; with HTTP/2 those that streams share */
    struct tally *tally;     /* those of all threads; NULL: not bounded */
    uint64_t avoid_until_us; /* connecting failed: others are preferred until then */
    char text_buffer[ADDRESS_TEXT_MAX];
};

/* One upstream. */
struct cluster {
    struct list_node node; /* clusters->all */
    struct clusters *home;
    char *name;
    struct list endpoints; /* struct endpoint */
    uint32_t living;       /* endpoints that are not freed yet: these, and former ones in use */
    uint32_t holders;      /* configurations that name it and are not gone */
    struct list_node *next_pick;
    uint64_t connect_timeout_us, idle_timeout_us;
    uint32_t idle_max, head_max;
    enum config_protocol protocol;
    struct tls_dialer *tls;    /* NULL: in clear */
    struct slots_member slots; /* its slots are NULL while connections are not bounded */
    uint64_t queue_timeout_us;
};

/* Asks the control thread to resolve the names of an upstream again; set by the thread that wires the floors.
 */
typedef void clusters_hurry_fn(void *arg, const char *upstream);

/* All of a thread's clusters. */
struct clusters {
    struct loop *loop;
    struct slots_book *book;
    struct list all;
    clusters_hurry_fn *hurry;
    void *arg;
};

/* Makes an empty set of clusters. `book` is shared by all threads. */
void clusters_init(struct clusters *clusters, struct loop *loop, struct slots_book *book,
                   clusters_hurry_fn *hurry, void *arg);

/* The gateway is overloaded: closes an eighth of the idle connections to each endpoint, the coldest first. */
void clusters_shed(struct clusters *clusters);

/* The thread's exchanges have all ended and its loop turns no more: idle connections are closed, and other
 * threads may have their slots. */
void clusters_close(struct clusters *clusters);

/* Closes all idle connections and frees the clusters. No outbound may be in use. */
void clusters_fini(struct clusters *clusters);

/* The cluster of an upstream, made if it is new, with the settings it now has. It is held until
 * cluster_let_go().
 */
struct cluster *clusters_follow(struct clusters *clusters, const struct config_upstream *upstream);

/* One holder less; stores NULL. It is freed by clusters_tidy() or clusters_fini() alone. */
void cluster_let_go(struct cluster **cluster);

/* A configuration has been followed: frees the clusters that nobody holds, as far as no connection is in use;
 * those that are left go another time. */
void clusters_tidy(struct clusters *clusters);

/* How TLS is spoken with the cluster's endpoints from now on; NULL: not at all. Connections and sessions of
 * another way are not used any more. */
void cluster_set_tls(struct cluster *cluster, struct tls_client *tls);

/* Takes over the addresses of an upstream: known endpoints stay with their pools, others come and go. They
 * may arrive before the configuration that names the upstream. */
void clusters_adopt(struct clusters *clusters, const struct endpoint_set *set);

/* The endpoint has one connection more, for which the claim's slot was. */
void endpoint_gain(struct endpoint *endpoint, struct claim *claim);

/* One connection has ended; `spare`: it was resting. */
void endpoint_lose(struct endpoint *endpoint, bool spare);

/* Holds an endpoint instead of the one that was held there, if any. */
void endpoint_ref(struct endpoint **held, struct endpoint *endpoint);

/* Gives up a reference to an endpoint and stores NULL. Accepts NULL. */
void endpoint_unref(struct endpoint **endpoint);

#endif
