/*
 * What a scope says about who may come in, as config/compile_networks.c and
 * config/compile_basic_auth.c read it. Shared by the
 * scopes that inherit it, immutable.
 */
#ifndef PORTICO_CONFIG_ACCESS_H
#define PORTICO_CONFIG_ACCESS_H

#include "base/address.h"
#include "config/origin.h"

/* Where a client may be: in a network, at a Unix socket, or anywhere. */
enum config_place_kind { CONFIG_PLACE_NETWORK, CONFIG_PLACE_UNIX, CONFIG_PLACE_ALL };

/* An element of allow: or deny: */
struct config_place {
    enum config_place_kind kind;
    struct network network; /* with CONFIG_PLACE_NETWORK */
    struct config_text text;
};

/* allow: or deny: */
struct config_places {
    struct config_place *at;
    uint32_t count; /* 0: nothing is said */
};

/* satisfy: of access, in the order of the words. */
enum config_satisfy { CONFIG_SATISFY_ALL, CONFIG_SATISFY_ANY };

/* access: with both lists empty, off. */
struct config_access {
    struct config_places allow, deny;
    uint32_t satisfy; /* enum config_satisfy */
    struct config_origin origin;
    struct config_origin *origins;
};

/* A user of basic_auth: */
struct config_user {
    struct config_text name;
    struct config_text hash; /* as config/htpasswd.h accepts it, terminated */
};

/* basic_auth: */
struct config_basic_auth {
    struct config_user *users; /* by name, no two alike */
    uint32_t user_count;       /* 0: off */
    struct config_text file;   /* the path that they were read from; empty: they stand in the configuration */
    struct config_text realm;
    bool forward; /* the service gets the Authorization field */
    struct config_origin origin;
    struct config_origin *origins;
};

struct config_upstream;

/* forward_auth: */
struct config_forward_auth {
    const struct config_upstream *upstream; /* NULL: off */
    const void *upstream_node;              /* what names it, while the configuration is being read */
    struct config_text path;
    struct config_text *copy;
    uint32_t copy_count;
    uint64_t timeout_us;
    struct config_origin origin;
    struct config_origin *origins;
};

#endif
