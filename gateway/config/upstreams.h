/*
 * The upstreams of a configuration (config/config.h): their servers, what is spoken with them, and how many
 * connections there may be. Plain structs, filled by config/compile_upstreams.c; immutable afterwards.
 */
#ifndef PORTICO_CONFIG_UPSTREAMS_H
#define PORTICO_CONFIG_UPSTREAMS_H

#include "base/address.h"
#include "config/origin.h"

#include <stdint.h>

/* One server of an upstream. */
struct config_server {
    struct slice text;
    struct endpoint_name name;
    struct config_origin origin;
};

/* What is spoken with the servers of an upstream, in the order of the setting's words. */
enum config_protocol { CONFIG_PROTOCOL_H1, CONFIG_PROTOCOL_H2, CONFIG_PROTOCOL_H2C };

/* tls: of an upstream. */
struct config_upstream_tls {
    bool on;
    bool verify;
    struct config_text ca;          /* a path made absolute; empty: the system's authorities */
    struct config_text server_name; /* empty: the host of the first server */
    struct config_origin *origins;
    struct config_origin origin;
};

/* queue: of an upstream. */
struct config_queue {
    uint32_t length;     /* requests that wait */
    uint64_t timeout_us; /* how long each may */
    struct config_origin *origins;
    struct config_origin origin;
};

/* One upstream. */
struct config_upstream {
    struct slice name;
    struct config_server *servers;
    uint32_t server_count;
    uint32_t index; /* in config.upstreams */
    uint64_t connect_timeout_us;
    uint64_t idle_timeout_us; /* of pooled connections; must be below the upstream's own */
    uint32_t idle_max;        /* pooled connections a thread keeps */
    uint32_t connections_max; /* to each server, of all threads; 0: not bounded */
    struct config_queue queue;
    uint64_t head_max; /* bytes of a response head */
    enum config_protocol protocol;
    struct config_upstream_tls tls;
    struct config_origin *origins;
    struct config_origin origin;
};

#endif
