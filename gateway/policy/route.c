/*
 * The router: for each snapshot, the sites' host names and each site's routes compiled into trees and
 * regexes; for each request, the site of its host and the first route that matches its canonical path. Called
 * by the exchange, by explain and by check. Knows nothing of what a route leads to.
 */
#include "policy/internal.h"

#include <stdlib.h>

enum { ROUTER_MAGIC = 0x726f7574 };

/* Longer names (DNS ends at 253 bytes) are no site's but "*"'s. */
enum { HOST_MAX = 255 };

/* A name and whose it is. */
struct host_entry {
    const struct config_host *host;
    const struct config_site *site;
};

/* Host names stand reversed in their tree, "*.example.com" as the RAW key "moc.elpmaxe.": a walk finds the
 * exact name and the longest wildcard together. Values are places in host_entries, which are in the order of
 * the file. */
struct router {
    uint32_t magic;
    struct arena arena;
    struct site_routes *sites;
    uint32_t site_count;
    struct host_entry *host_entries;
    uint32_t host_count;
    struct tree hosts;
    uint32_t *wildcard_entry; /* by bucket */
    uint32_t any_host;        /* the entry of "*", or TREE_NONE */
    bool has_names;           /* there are other hosts */
};

/* Compiling ------------------------------------------------------------------------------------------- */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct slice route_prefix_base(const struct config_route *route)
{
    struct slice base = route->pattern;
    if (base.len > 0 && base.at[base.len - 1] == '/')
        base.len--;
    return base;
}

/* Compiles the site's regexes that are right; the wrong ones are findings. */
static void compile_regexes(struct site_routes *routes, struct arena *arena, struct config_findings *findings)
{
    const struct config_site *site = routes->site;
    routes->regexes = arena_alloc(arena, ((size_t)site->route_count + 1) * sizeof *routes->regexes);
    for (uint32_t i = 0; i < site->route_count; i++) {
        if (site->routes[i].match != CONFIG_MATCH_REGEX)
            continue;
        if (route_regex_compile(&routes->regexes[routes->regex_count], arena, &site->routes[i], findings))
            routes->regex_count++;
    }
}

/* The literals of the site, the regexes' last. `keys` has room for one per route. */
static uint32_t site_keys(const struct site_routes *routes, struct tree_key *keys)
{
    const struct config_site *site = routes->site;
    uint32_t count = 0;
    for (uint32_t i = 0; i < site->route_count; i++) {
        const struct config_route *route = &site->routes[i];
        if (route->match == CONFIG_MATCH_PREFIX)
            keys[count++] = (struct tree_key){route_prefix_base(route), TREE_UNDER, i, TREE_NONE};
        else if (route->match == CONFIG_MATCH_EXACT)
            keys[count++] = (struct tree_key){route->pattern, TREE_EXACT, i, TREE_NONE};
    }
    for (uint32_t i = 0; i < routes->regex_count; i++)
        keys[count++] =
            (struct tree_key){routes->regexes[i].literal, TREE_RAW, routes->regexes[i].route, TREE_NONE};
    return count;
}

static int compare_regexes(const void *left, const void *right)
{
    const struct route_regex *a = left, *b = right;
    if (a->bucket != b->bucket)
        return a->bucket < b->bucket ? -1 : 1;
    return (a->route > b->route) - (a->route < b->route);
}

/* Brings the regexes of a bucket together. `bucket_of` is by route. */
static void fill_buckets(struct site_routes *routes, struct arena *arena, const uint32_t *bucket_of)
{
    for (uint32_t i = 0; i < routes->regex_count; i++)
        routes->regexes[i].bucket = bucket_of[routes->regexes[i].route];
    qsort(routes->regexes, routes->regex_count, sizeof *routes->regexes, compare_regexes);

    uint32_t buckets = routes->tree.bucket_count, regex = 0;
    routes->bucket_first = arena_alloc(arena, ((size_t)buckets + 1) * sizeof *routes->bucket_first);
    for (uint32_t bucket = 0; bucket < buckets; bucket++) {
        uint32_t first = routes->bucket_first[bucket] = regex;
        while (regex < routes->regex_count && routes->regexes[regex].bucket == bucket)
            regex++;
        route_regex_join(&routes->regexes[first], regex - first);
    }
    routes->bucket_first[buckets] = regex;
}

static void compile_site(struct site_routes *routes, struct arena *arena, struct config_findings *findings)
{
    compile_regexes(routes, arena, findings);
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    size_t room = (size_t)routes->site->route_count + 1;
    struct tree_key *keys = arena_alloc(&scratch, room * sizeof *keys);
    uint32_t *bucket_of = arena_alloc(&scratch, room * sizeof *bucket_of);
    uint32_t count = site_keys(routes, keys);
    tree_build(&routes->tree, arena, keys, count);
    for (uint32_t i = 0; i < count; i++)
        bucket_of[keys[i].value] = keys[i].bucket;
    fill_buckets(routes, arena, bucket_of);
    arena_fini(&scratch);
}

static bool host_is_any(struct slice name)
{
    return name.len == 1 && name.at[0] == '*';
}

static bool host_is_wildcard(struct slice name)
{
    return name.len > 2 && name.at[0] == '*' && name.at[1] == '.';
}

static struct slice reverse(struct slice name, char *buffer)
{
    for (size_t i = 0; i < name.len; i++)
        buffer[i] = name.at[name.len - 1 - i];
    return slice_make(buffer, name.len);
}

/* The name as it stands in the tree; a wildcard goes without its star. */
static struct tree_key host_key(struct slice name, uint32_t entry, struct arena *arena)
{
    bool wildcard = host_is_wildcard(name);
    if (wildcard)
        name = slice_after(name, 1);
    struct slice text = reverse(name, arena_alloc(arena, name.len + 1));
    return (struct tree_key){text, wildcard ? TREE_RAW : TREE_EXACT, entry, TREE_NONE};
}

static void build_hosts(struct router *router, struct arena *scratch)
{
    struct tree_key *keys = arena_alloc(scratch, ((size_t)router->host_count + 1) * sizeof *keys);
    uint32_t count = 0;
    for (uint32_t i = 0; i < router->host_count; i++) {
        struct slice name = router->host_entries[i].host->name;
        if (host_is_any(name))
            router->any_host = smaller(router->any_host, i);
        else
            keys[count++] = host_key(name, i, scratch);
    }
    router->has_names = count > 0;
    tree_build(&router->hosts, &router->arena, keys, count);

    uint32_t buckets = router->hosts.bucket_count;
    router->wildcard_entry =
        arena_alloc(&router->arena, ((size_t)buckets + 1) * sizeof *router->wildcard_entry);
    for (uint32_t i = 0; i < buckets; i++)
        router->wildcard_entry[i] = TREE_NONE;
    for (uint32_t i = 0; i < count; i++)
        if (keys[i].kind == TREE_RAW)
            router->wildcard_entry[keys[i].bucket] =
                smaller(router->wildcard_entry[keys[i].bucket], keys[i].value);
}

/* The first entry with the name of this one. */
static uint32_t first_entry(const struct router *router, uint32_t entry, struct arena *scratch)
{
    struct slice name = router->host_entries[entry].host->name;
    if (host_is_any(name))
        return router->any_host;
    struct tree_key key = host_key(name, entry, scratch);
    struct tree_hit hit = tree_walk(&router->hosts, key.text);
    return key.kind == TREE_RAW ? router->wildcard_entry[hit.bucket] : hit.exact;
}

static void compile_hosts(struct router *router, const struct config *config,
                          struct config_findings *findings)
{
    size_t total = 0;
    for (uint32_t i = 0; i < config->site_count; i++)
        total += config->sites[i].host_count;
    router->host_entries = arena_alloc(&router->arena, (total + 1) * sizeof *router->host_entries);
    for (uint32_t i = 0; i < config->site_count; i++)
        for (uint32_t j = 0; j < config->sites[i].host_count; j++)
            router->host_entries[router->host_count++] =
                (struct host_entry){&config->sites[i].hosts[j], &config->sites[i]};

    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    build_hosts(router, &scratch);
    for (uint32_t i = 0; i < router->host_count; i++) {
        const struct config_host *host = router->host_entries[i].host;
        const struct config_host *first = router->host_entries[first_entry(router, i, &scratch)].host;
        struct slice name = as_written(host->name, host->origin);
        if (first != host)
            config_error(findings, host->origin, "host \"%.*s\" is already named at %s:%u", SLICE_ARGS(name),
                         first->origin.file, first->origin.line);
    }
    arena_fini(&scratch);
}

static void router_free(void *part)
{
    if (part == NULL)
        return;
    struct router *router = MAGIC_CAST(router, part, ROUTER_MAGIC);
    for (uint32_t i = 0; i < router->site_count; i++)
        for (uint32_t j = 0; j < router->sites[i].regex_count; j++)
            route_regex_fini(&router->sites[i].regexes[j]);
    arena_fini(&router->arena);
    router->magic = 0;
    free(router);
}

static void *router_compile(const struct config *config, const void *previous,
                            struct config_findings *findings)
{
    (void)previous;
    unsigned errors = findings->errors;
    struct router *router = calloc(1, sizeof *router);
    CHECK(router != NULL);
    router->magic = ROUTER_MAGIC;
    router->any_host = TREE_NONE;
    router->site_count = config->site_count;
    arena_init(&router->arena, NULL, 0);
    router->sites = arena_zalloc(&router->arena, ((size_t)config->site_count + 1) * sizeof *router->sites);
    compile_hosts(router, config, findings);
    struct router_scratch *scratch = router_scratch_new();
    for (uint32_t i = 0; i < config->site_count; i++) {
        router->sites[i].site = &config->sites[i];
        compile_site(&router->sites[i], &router->arena, findings);
        route_warn_shadowed(&router->sites[i], scratch, findings);
        route_warn_loops(config, &router->sites[i], scratch, findings);
    }
    router_scratch_free(&scratch);
    if (findings->errors == errors)
        return router;
    router_free(router);
    return NULL;
}

const struct config_module route_module = {.name = "route", .compile = router_compile, .free = router_free};

/* Serving --------------------------------------------------------------------------------------------- */

const struct config_site *router_find_site(const struct router *router, struct slice host)
{
    CHECK(router->magic == ROUTER_MAGIC);
    uint32_t entry = TREE_NONE;
    char buffer[HOST_MAX];
    if (router->has_names && host.len > 0 && host.len <= sizeof buffer) {
        struct tree_hit hit = tree_walk(&router->hosts, reverse(host, buffer));
        entry = hit.exact;
        if (entry == TREE_NONE && hit.bucket != TREE_NONE &&
            host.at[0] != '.') /* a wildcard stands for a label */
            entry = router->wildcard_entry[hit.bucket];
    }
    if (entry == TREE_NONE)
        entry = router->any_host;
    return entry == TREE_NONE ? NULL : router->host_entries[entry].site;
}

/* Lowers *best to the first regex of the bucket that comes before it and matches, or cannot say within its
 * limits. */
static enum regex_outcome try_bucket(const struct site_routes *routes, uint32_t bucket, struct slice path,
                                     struct router_scratch *scratch, uint32_t *best)
{
    uint32_t at = routes->bucket_first[bucket], end = routes->bucket_first[bucket + 1];
    while (at < end && routes->regexes[at].route < *best) {
        const struct route_regex *regex = &routes->regexes[at];
        if (regex->any.code && regex_run(&regex->any, path, scratch) == REGEX_NO) {
            at += regex->any_count;
            continue;
        }
        enum regex_outcome outcome = regex_run(&regex->own, path, scratch);
        if (outcome != REGEX_NO) {
            *best = regex->route;
            return outcome;
        }
        at++;
    }
    return REGEX_NO;
}

/* Buckets are asked from the longest literal up. A regex over its limit counts as if it had matched: what
 * comes before it in the file may still win, what comes behind must not. */
enum fault routes_find(const struct site_routes *routes, struct slice path, struct router_scratch *scratch,
                       uint32_t *index_out)
{
    struct tree_hit hit = tree_walk(&routes->tree, path);
    uint32_t best = smaller(hit.exact, hit.under);
    enum regex_outcome last = REGEX_YES;
    for (uint32_t bucket = hit.bucket; bucket != TREE_NONE; bucket = routes->tree.bucket_up[bucket]) {
        enum regex_outcome outcome = try_bucket(routes, bucket, path, scratch, &best);
        if (outcome != REGEX_NO)
            last = outcome;
    }
    if (best == TREE_NONE)
        return FAULT_no_route;
    if (last == REGEX_LIMIT)
        return FAULT_route_limit;
    *index_out = best;
    return FAULT_NONE;
}

enum fault router_find_route(const struct router *router, const struct config_site *site, struct slice path,
                             struct router_scratch *scratch, const struct config_route **route_out)
{
    uint32_t index;
    enum fault fault = routes_find(&router->sites[site->index], path, scratch, &index);
    if (fault == FAULT_NONE)
        *route_out = &site->routes[index];
    return fault;
}

/* Explaining ------------------------------------------------------------------------------------------ */

static bool prefix_matches(const struct config_route *route, struct slice path, const char **why_out)
{
    struct slice base = route_prefix_base(route);
    if (base.len == 0) {
        *why_out = "every path lies under /";
        return true;
    }
    if (!slice_starts_with(path, base)) {
        *why_out = "the path does not begin with the prefix";
        return false;
    }
    bool ends = path.len == base.len || path.at[base.len] == '/';
    *why_out = ends ? "the path is the prefix or lies under it"
                    : "the path begins with the prefix, which ends in the middle of a segment";
    return ends;
}

static enum regex_outcome regex_matches(const struct router_query *query, const struct config_route *route,
                                        const char **why_out)
{
    const struct site_routes *routes = &query->router->sites[query->site->index];
    const struct route_regex *regex = routes->regexes;
    while (regex->route != route->index)
        regex++;
    enum regex_outcome outcome = regex_run(&regex->own, query->path, query->scratch);
    *why_out = outcome == REGEX_YES  ? "the regex matches the path"
               : outcome == REGEX_NO ? "the regex does not match the path"
                                     : "the regex exceeded its match limit";
    return outcome;
}

static enum regex_outcome route_matches(const struct router_query *query, const struct config_route *route,
                                        const char **why_out)
{
    if (route->match == CONFIG_MATCH_REGEX)
        return regex_matches(query, route, why_out);
    if (route->match == CONFIG_MATCH_PREFIX)
        return prefix_matches(route, query->path, why_out) ? REGEX_YES : REGEX_NO;
    bool equal = slice_equal(query->path, route->pattern);
    *why_out = equal ? "the path is the same" : "the path is another";
    return equal ? REGEX_YES : REGEX_NO;
}

enum fault router_explain(const struct router_query *query, router_trace_fn *trace, void *arg,
                          const struct config_route **route_out)
{
    const struct config_site *site = query->site;
    for (uint32_t i = 0; i < site->route_count; i++) {
        const struct config_route *route = &site->routes[i];
        const char *why;
        enum regex_outcome outcome = route_matches(query, route, &why);
        trace(arg, route, outcome == REGEX_YES, why);
        if (outcome == REGEX_LIMIT)
            return FAULT_route_limit;
        if (outcome == REGEX_YES) {
            *route_out = route;
            return FAULT_NONE;
        }
    }
    return FAULT_no_route;
}
