/*
 * Upstreams and their endpoint sets, see upstream/resolver.h: composes the sets from what
 * upstream/name_cache.h knows of the servers' names and publishes what differs. Decides what the log says
 * about names. The control thread's alone; knows nothing of DNS or of the loop.
 */
#include "upstream/resolver.h"

#include "base/list.h"
#include "base/log.h"
#include "upstream/name_cache.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    RESOLVER_MAGIC = 0x52534c56,
    LOGGED_MAX = 8, /* addresses of a set that a line names */
    SET_TEXT_MAX = (LOGGED_MAX + 1) * (ADDRESS_TEXT_MAX + 1)
};

struct resolver {
    uint32_t magic;
    struct event_base *base;
    struct name_cache *names;
    struct name_trial *trial; /* NULL unless a configuration waits for its names */
    resolver_publish_fn *publish;
    void *arg;
    struct list upstreams;
};

/* A server of an upstream: a name, or an address (of length 0 when a path was too long). */
struct server {
    char *text;
    struct name *name; /* NULL for an address */
    struct address address;
    unsigned port;
};

struct upstream {
    struct list_node node;
    char *name;
    struct endpoint_set *set; /* as published last; NULL before */
    bool holding;             /* keeps `set` until its names are settled */
    uint32_t server_count;
    struct server servers[];
};

static char *copy_slice(struct slice text)
{
    char *copy = strndup(text.len ? text.at : "", text.len);
    CHECK(copy != NULL);
    return copy;
}

static struct upstream *find_upstream(const struct list *upstreams, struct slice name)
{
    for (struct list_node *node = list_first(upstreams); node; node = list_next(upstreams, node)) {
        struct upstream *upstream = CONTAINER_OF(node, upstream, node);
        if (slice_equal(slice_of(upstream->name), name))
            return upstream;
    }
    return NULL;
}

static void server_init(struct server *server, struct resolver *resolver, const struct config_server *config)
{
    struct slice host = config->name.host;
    server->text = copy_slice(config->text);
    server->port = config->name.port;
    if (config->name.is_unix) {
        if (!address_from_unix_path(host, &server->address))
            log_warn("resolver", "server %s: not a usable path", server->text);
    } else if (!address_from_literal(host, server->port, &server->address)) {
        server->name = name_cache_get(resolver->names, host);
    }
}

static struct upstream *upstream_new(struct resolver *resolver, const struct config_upstream *config)
{
    struct upstream *upstream =
        calloc(1, sizeof *upstream + config->server_count * sizeof upstream->servers[0]);
    CHECK(upstream != NULL);
    upstream->name = copy_slice(config->name);
    upstream->server_count = config->server_count;
    for (uint32_t i = 0; i < config->server_count; i++)
        server_init(&upstream->servers[i], resolver, &config->servers[i]);
    return upstream;
}

static void upstream_free(struct upstream *upstream)
{
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        if (upstream->servers[i].name)
            name_put(&upstream->servers[i].name);
        free(upstream->servers[i].text);
    }
    endpoint_set_unref(&upstream->set);
    free(upstream->name);
    free(upstream);
}

static void free_upstreams(struct list *upstreams)
{
    struct list_node *node;
    while ((node = list_pop(upstreams)) != NULL)
        upstream_free(CONTAINER_OF(node, upstream, node));
}

static bool is_settled(const struct upstream *upstream)
{
    for (uint32_t i = 0; i < upstream->server_count; i++)
        if (upstream->servers[i].name && !name_state(upstream->servers[i].name).settled)
            return false;
    return true;
}

/* The addresses of a server, without the port where they are those of a name. */
static struct name_state server_state(const struct server *server)
{
    if (server->name)
        return name_state(server->name);
    return (struct name_state){.addresses = &server->address, .count = server->address.len > 0};
}

/* Writes the server's addresses with its port; gives their number. */
static uint32_t put_addresses(const struct server *server, struct address *addresses_out)
{
    struct name_state state = server_state(server);
    for (uint32_t i = 0; i < state.count; i++) {
        addresses_out[i] = state.addresses[i];
        if (addresses_out[i].any.sa_family == AF_INET)
            addresses_out[i].in.sin_port = htons((uint16_t)server->port);
        else if (addresses_out[i].any.sa_family == AF_INET6)
            addresses_out[i].in6.sin6_port = htons((uint16_t)server->port);
    }
    return state.count;
}

static struct endpoint_set *compose(const struct upstream *upstream)
{
    uint32_t count = 0, at = 0;
    for (uint32_t i = 0; i < upstream->server_count; i++)
        count += server_state(&upstream->servers[i]).count;
    struct endpoint_set *set = endpoint_set_new(slice_of(upstream->name), count);
    for (uint32_t i = 0; i < upstream->server_count; i++)
        at += put_addresses(&upstream->servers[i], &set->addresses[at]);
    return set;
}

static const char *print_set(const struct endpoint_set *set, char text[SET_TEXT_MAX])
{
    uint32_t shown = set->count < LOGGED_MAX ? set->count : LOGGED_MAX;
    size_t len = 0;
    if (set->count == 0)
        return "nothing";
    for (uint32_t i = 0; i < shown; i++) {
        if (i > 0)
            text[len++] = ' ';
        len += address_print(&set->addresses[i], text + len);
    }
    if (shown < set->count)
        snprintf(text + len, SET_TEXT_MAX - len, " and %u more", set->count - shown);
    return text;
}

static void log_change(const struct endpoint_set *old, const struct endpoint_set *set)
{
    char before[SET_TEXT_MAX], after[SET_TEXT_MAX];
    log_info("resolver", "upstream %s: %s -> %s", set->upstream, print_set(old, before),
             print_set(set, after));
}

static void publish_change(struct resolver *resolver, struct upstream *upstream)
{
    if (upstream->holding && !is_settled(upstream))
        return;
    upstream->holding = false;
    struct endpoint_set *set = compose(upstream);
    if (upstream->set && endpoint_set_equal(upstream->set, set)) {
        endpoint_set_unref(&set);
        return;
    }
    if (upstream->set)
        log_change(upstream->set, set);
    endpoint_set_unref(&upstream->set);
    upstream->set = set;
    resolver->publish(resolver->arg, set);
}

static void publish_changes(struct resolver *resolver)
{
    struct list *upstreams = &resolver->upstreams;
    for (struct list_node *node = list_first(upstreams); node; node = list_next(upstreams, node))
        publish_change(resolver, CONTAINER_OF(node, upstream, node));
}

static void on_names_changed(void *owner)
{
    struct resolver *resolver = MAGIC_CAST(resolver, owner, RESOLVER_MAGIC);
    publish_changes(resolver);
    if (resolver->trial)
        name_trial_look(resolver->trial);
}

static void log_failing(const struct upstream *upstream, const struct server *server)
{
    struct name_state state = name_state(server->name);
    log_warn("resolver", "upstream %s: server %s does not resolve: %s; %s", upstream->name, server->text,
             state.failure, state.count ? "its last addresses stay in use" : "it has no address");
}

/* Names every server that bears the name. */
static void on_name_failing(void *owner, const struct name *name)
{
    const struct list *upstreams = &MAGIC_CAST(resolver, owner, RESOLVER_MAGIC)->upstreams;
    for (struct list_node *node = list_first(upstreams); node; node = list_next(upstreams, node)) {
        const struct upstream *upstream = CONTAINER_OF(node, upstream, node);
        for (uint32_t i = 0; i < upstream->server_count; i++)
            if (upstream->servers[i].name == name)
                log_failing(upstream, &upstream->servers[i]);
    }
}

/* For an upstream that is new: its names may have been failing before. */
static void log_failing_already(const struct upstream *upstream)
{
    for (uint32_t i = 0; i < upstream->server_count; i++)
        if (upstream->servers[i].name && name_state(upstream->servers[i].name).failure)
            log_failing(upstream, &upstream->servers[i]);
}

struct resolver *resolver_new(struct event_base *base, const struct resolver_settings *settings)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);
    CHECK(resolver != NULL);
    struct name_cache_owner owner = {
        .owner = resolver, .changed = on_names_changed, .failing = on_name_failing};
    resolver->magic = RESOLVER_MAGIC;
    resolver->base = base;
    resolver->publish = settings->publish;
    resolver->arg = settings->arg;
    list_init(&resolver->upstreams);
    resolver->names = name_cache_new(base, settings, &owner);
    if (resolver->names == NULL)
        resolver_free(&resolver);
    return resolver;
}

void resolver_try(struct resolver *resolver, const struct config *config,
                  const struct name_trial_terms *terms)
{
    CHECK(resolver->trial == NULL);
    resolver->trial = name_trial_new(resolver->base, resolver->names, config, terms);
}

void resolver_report(const struct resolver *resolver, struct config_findings *findings)
{
    name_trial_report(resolver->trial, findings);
}

void resolver_let_go(struct resolver *resolver)
{
    name_trial_free(&resolver->trial);
    name_cache_look_up(resolver->names);
}

void resolver_follow(struct resolver *resolver, const struct config *config)
{
    struct list old;
    struct list_node *node;
    list_init(&old);
    while ((node = list_pop(&resolver->upstreams)) != NULL)
        list_append(&old, node);
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        struct upstream *upstream = upstream_new(resolver, &config->upstreams[i]);
        struct upstream *before = find_upstream(&old, config->upstreams[i].name);
        list_append(&resolver->upstreams, &upstream->node);
        if (before && before->set)
            upstream->set = endpoint_set_ref(before->set);
        upstream->holding = upstream->set != NULL;
        if (!before)
            log_failing_already(upstream);
    }
    free_upstreams(&old);
    name_trial_free(&resolver->trial);
    name_cache_look_up(resolver->names);
    publish_changes(resolver);
}

void resolver_hurry(struct resolver *resolver, struct slice upstream)
{
    struct upstream *found = find_upstream(&resolver->upstreams, upstream);
    for (uint32_t i = 0; found && i < found->server_count; i++)
        if (found->servers[i].name)
            name_hurry(found->servers[i].name);
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *old = *resolver;
    *resolver = NULL;
    if (old == NULL)
        return;
    free_upstreams(&old->upstreams);
    name_trial_free(&old->trial);
    name_cache_free(&old->names);
    free(old);
}
