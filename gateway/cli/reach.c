/*
 * The guesses of cli/reach.h: a host that a pattern stands for, a path that an expression matches, and the
 * router's word on each. Called by the commands; starts nothing.
 */
#include "cli/reach.h"

#include "http/target.h"
#include "net/tls_context.h"

#include <stdio.h>
#include <stdlib.h>

/* --- where the gateway is --- */

/* Of several listeners, the lines go to one that serves, on a port, over TLS. */
static unsigned merit(const struct config_listener *listener)
{
    return (listener->redirect == CONFIG_REDIRECT_OFF) * 8u + !listener->proxy_protocol * 4u +
           !listener->name.is_unix * 2u + listener->tls;
}

static void choose_listeners(struct reach *reach)
{
    const struct config *config = reach->snapshot->config;
    reach->serving = &config->listeners[0];
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        bool redirects = listener->redirect != CONFIG_REDIRECT_OFF;
        if (redirects && (!reach->redirecting || merit(listener) > merit(reach->redirecting)))
            reach->redirecting = listener;
        if (merit(listener) > merit(reach->serving))
            reach->serving = listener;
    }
}

/* An address of this machine on which the listener accepts. */
struct slice reach_address(const struct config_listener *listener)
{
    struct slice host = listener->name.host;
    if (host.len == 0 || slice_equal(host, SLICE("0.0.0.0")))
        return SLICE("127.0.0.1");
    return slice_equal(host, SLICE("::")) ? SLICE("::1") : host;
}

/* The file of the first certificate that has the host, by a path without detours. */
struct slice reach_trust(struct reach *reach, struct slice host)
{
    const struct config_tls *tls = &reach->snapshot->config->tls;
    bool covers = false;
    uint32_t i = 0;
    for (; i < tls->certificate_count && !covers; i++) {
        const struct config_certificate *certificate = &tls->certificates[i];
        struct tls_error ignored;
        struct tls_identity *identity =
            tls_identity_load(certificate->chain.text.at, certificate->key.text.at, &ignored);
        covers = identity && tls_identity_covers(identity, host);
        tls_identity_free(&identity);
    }
    char *path = covers ? realpath(tls->certificates[i - 1].chain.text.at, NULL) : NULL;
    struct slice trust = path ? slice_of(arena_copy(&reach->arena, slice_of(path))) : slice_make(NULL, 0);
    free(path);
    return trust;
}

/* --- hosts and paths that lead somewhere --- */

static bool is_site_of(const struct reach *reach, const struct config_site *site, struct slice host)
{
    return router_find_site(reach->router, host) == site;
}

/* A host that the configured one stands for. */
static struct slice example_of(struct reach *reach, struct slice name)
{
    if (slice_equal(name, SLICE("*")))
        return SLICE("localhost");
    if (slice_starts_with(name, SLICE("*.")))
        return arena_printf(&reach->arena, "any%.*s", SLICE_ARGS(slice_after(name, 1)));
    return name;
}

/* A host that leads to the site; empty when none is found. */
struct slice reach_host(struct reach *reach, const struct config_site *site)
{
    for (uint32_t i = 0; i < site->host_count; i++) {
        struct slice host = example_of(reach, site->hosts[i].name);
        if (is_site_of(reach, site, host))
            return host;
        if (is_site_of(reach, site, SLICE("any.test")))
            return SLICE("any.test");
    }
    return slice_make(NULL, 0);
}

static bool is_unreserved(char c)
{
    char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || memchr("-._~/", c, 5) != NULL;
}

/* The only path that a simple expression matches, "^/literal$"; empty for others. */
static struct slice literal_of(struct reach *reach, struct slice regex)
{
    char *path = arena_alloc(&reach->arena, regex.len + 1);
    size_t len = 0;
    if (regex.len > 0 && regex.at[0] == '^')
        regex = slice_after(regex, 1);
    if (regex.len > 0 && regex.at[regex.len - 1] == '$')
        regex.len--;
    for (size_t i = 0; i < regex.len; i++) {
        bool is_escaped = regex.at[i] == '\\' && i + 1 < regex.len && memchr(".-/", regex.at[i + 1], 3);
        if (is_escaped)
            i++;
        if (!is_unreserved(regex.at[i]) || (regex.at[i] == '.' && !is_escaped))
            return slice_make(NULL, 0);
        path[len++] = regex.at[i];
    }
    return slice_make(path, len);
}

bool reach_is_plain(char c)
{
    return is_unreserved(c) || memchr("+,:@=", c, 5) != NULL;
}

/* The path as a URL has it; needs no quotes in a shell. */
static struct slice encode(struct reach *reach, struct slice path)
{
    char *encoded = arena_alloc(&reach->arena, 3 * path.len + 1), *end = encoded;
    for (size_t i = 0; i < path.len; i++) {
        if (reach_is_plain(path.at[i]))
            *end++ = path.at[i];
        else
            end += sprintf(end, "%%%02X", (unsigned char)path.at[i]);
    }
    return slice_make(encoded, (size_t)(end - encoded));
}

static const struct config_route *route_of_path(const struct reach *reach, const struct config_site *site,
                                                struct slice path)
{
    const struct config_route *found = NULL;
    enum fault fault = router_find_route(reach->router, site, path, reach->scratch, &found);
    return fault ? NULL : found;
}

/* As exchange/request.c decides it: what may be read in two ways must come to one route. */
const struct config_route *reach_route(struct reach *reach, const struct config_site *site, struct slice text)
{
    struct target target;
    if (target_parse(text, METHOD_GET, &reach->arena, &target))
        return NULL;
    const struct config_route *found = route_of_path(reach, site, target.path);
    bool agrees = !target.ambiguous || (route_of_path(reach, site, target.raw_path) == found &&
                                        route_of_path(reach, site, target.loose_path) == found);
    return agrees ? found : NULL;
}

static bool leads_to(struct reach *reach, const struct config_route *route, struct slice path)
{
    return reach_route(reach, route->site, encode(reach, path)) == route;
}

/* Before it is encoded. */
static struct slice path_of(struct reach *reach, const struct config_route *route)
{
    bool is_regex = route->match == CONFIG_MATCH_REGEX, is_prefix = route->match == CONFIG_MATCH_PREFIX;
    struct slice path = is_regex ? literal_of(reach, route->pattern) : route->pattern;
    struct slice base = path;
    if (path.len == 0 || path.at[0] != '/')
        return slice_make(NULL, 0);
    if (leads_to(reach, route, path))
        return path;
    if (base.at[base.len - 1] == '/')
        base.len--;
    struct slice below = arena_printf(&reach->arena, "%.*s/any", SLICE_ARGS(base));
    return is_prefix && leads_to(reach, route, below) ? below : slice_make(NULL, 0);
}

struct slice reach_path(struct reach *reach, const struct config_route *route)
{
    return encode(reach, path_of(reach, route));
}

/* --- from birth to death --- */

void reach_init(struct reach *reach, const struct snapshot *snapshot)
{
    *reach = (struct reach){.snapshot = snapshot};
    reach->router = snapshot_part(snapshot, &route_module);
    reach->scratch = router_scratch_new();
    arena_init(&reach->arena, NULL, 0);
    choose_listeners(reach);
}

void reach_fini(struct reach *reach)
{
    router_scratch_free(&reach->scratch);
    arena_fini(&reach->arena);
}
