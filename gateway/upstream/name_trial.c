/*
 * The names behind upstream/name_trial.h: each held as by an upstream, so that what one question has found is
 * there when the configuration is followed, and is forgotten when it is not. Called by the resolver.
 */
#include "upstream/name_trial.h"

#include "upstream/dns_channel.h"
#include "upstream/name_cache.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

/* A server whose name is new. */
struct tried {
    const struct config_upstream *upstream;
    const struct config_server *server;
    struct name *name;
};

struct name_trial {
    const struct name_cache *names;
    struct name_trial_terms terms;
    struct event timer; /* pending until somebody is told */
    uint32_t count;
    struct tried tried[];
};

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct name_trial *trial = arg;
    event_del(&trial->timer);
    trial->terms.ended(trial->terms.arg); /* may free the trial */
}

static bool has_name(const struct config_server *server)
{
    struct address ignored;
    return !server->name.is_unix && !address_from_literal(server->name.host, server->name.port, &ignored);
}

static void add_server(struct name_trial *trial, struct name_cache *names,
                       const struct config_upstream *upstream, const struct config_server *server)
{
    if (!has_name(server))
        return;
    struct name *name = name_cache_get(names, server->name.host);
    if (name_is_new(name))
        trial->tried[trial->count++] = (struct tried){upstream, server, name};
    else
        name_put(&name);
}

static uint32_t count_servers(const struct config *config)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < config->upstream_count; i++)
        count += config->upstreams[i].server_count;
    return count;
}

struct name_trial *name_trial_new(struct event_base *base, struct name_cache *names,
                                  const struct config *config, const struct name_trial_terms *terms)
{
    struct timeval patience = {terms->patience_ms / 1000, terms->patience_ms % 1000 * 1000};
    struct name_trial *trial = calloc(1, sizeof *trial + count_servers(config) * sizeof trial->tried[0]);
    CHECK(trial != NULL);
    trial->names = names;
    trial->terms = *terms;
    event_assign(&trial->timer, base, -1, 0, on_timer, trial);
    event_add(&trial->timer, &patience);
    for (uint32_t i = 0; i < config->upstream_count; i++)
        for (uint32_t j = 0; j < config->upstreams[i].server_count; j++)
            add_server(trial, names, &config->upstreams[i], &config->upstreams[i].servers[j]);
    name_cache_look_up(names);
    name_trial_look(trial);
    return trial;
}

void name_trial_look(struct name_trial *trial)
{
    for (uint32_t i = 0; i < trial->count; i++)
        if (!name_state(trial->tried[i].name).settled)
            return;
    if (event_pending(&trial->timer, EV_TIMEOUT, NULL))
        event_active(&trial->timer, EV_TIMEOUT, 0);
}

static void report(const struct name_trial *trial, const struct tried *tried,
                   struct config_findings *findings)
{
    const struct config_server *server = tried->server;
    const char *failure = name_state(tried->name).failure;
    struct slice shown = server->origin.redacted ? slice_of(server->origin.redacted) : server->text;
    config_error(findings, server->origin,
                 "upstream %.*s: server %.*s does not resolve: %s (asked %s); correct the name, or reload "
                 "when it resolves",
                 SLICE_ARGS(tried->upstream->name), SLICE_ARGS(shown),
                 failure ? failure : DNS_CHANNEL_NO_ANSWER, name_cache_servers(trial->names));
}

void name_trial_report(const struct name_trial *trial, struct config_findings *findings)
{
    for (uint32_t i = 0; i < trial->count; i++)
        if (name_state(trial->tried[i].name).count == 0)
            report(trial, &trial->tried[i], findings);
}

void name_trial_free(struct name_trial **trial)
{
    struct name_trial *old = *trial;
    *trial = NULL;
    if (old == NULL)
        return;
    event_del(&old->timer);
    for (uint32_t i = 0; i < old->count; i++)
        name_put(&old->tried[i].name);
    free(old);
}
