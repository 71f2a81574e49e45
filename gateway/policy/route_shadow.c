/*
 * Warnings for routes that can never match because an earlier route of the site takes every path that they
 * would. Asks the compiled routes themselves, so that the cost stays near that of serving one request per
 * route. Only says what is certain: a regex is compared by its text and by the literal that it begins with.
 */
#include "policy/internal.h"

#include <stdlib.h>

/* The earliest prefix that holds the path and everything under it. */
static uint32_t first_above(const struct site_routes *routes, struct slice path)
{
    return tree_walk(&routes->tree, path).under;
}

/* Every path that the regex matches lies under this one. */
static struct slice regex_parent(const struct route_regex *regex)
{
    size_t len = regex->literal.len;
    while (len > 0 && regex->literal.at[len - 1] != '/')
        len--;
    return slice_make(regex->literal.at, len ? len - 1 : 0);
}

static uint32_t first_taking(const struct site_routes *routes, const struct config_route *route,
                             struct router_scratch *scratch)
{
    if (route->match == CONFIG_MATCH_PREFIX)
        return first_above(routes, route_prefix_base(route));
    uint32_t index; /* an exact route is one path: whoever gets that path takes all */
    return routes_find(routes, route->pattern, scratch, &index) == FAULT_NONE ? index : route->index;
}

static int compare_texts(const void *left, const void *right)
{
    const struct route_regex *a = *(const struct route_regex *const *)left;
    const struct route_regex *b = *(const struct route_regex *const *)right;
    if (a->text.len != b->text.len)
        return a->text.len < b->text.len ? -1 : 1;
    int order = a->text.len ? memcmp(a->text.at, b->text.at, a->text.len) : 0;
    return order ? order : (a->route > b->route) - (a->route < b->route);
}

/* Fills takers[] of the regex routes: the first with the same text, or the first prefix above. */
static void regexes_take(const struct site_routes *routes, struct arena *arena, uint32_t *takers)
{
    uint32_t count = routes->regex_count;
    const struct route_regex **sorted = arena_alloc(arena, ((size_t)count + 1) * sizeof *sorted);
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &routes->regexes[i];
    if (count)
        qsort(sorted, count, sizeof *sorted, compare_texts);
    for (uint32_t i = 0, same = 0; i < count; i++) {
        if (!slice_equal(sorted[i]->text, sorted[same]->text))
            same = i;
        uint32_t above = first_above(routes, regex_parent(sorted[i]));
        takers[sorted[i]->route] = above < sorted[same]->route ? above : sorted[same]->route;
    }
}

static void warn(const struct config_route *route, const struct config_route *taker,
                 struct config_findings *findings)
{
    struct slice never = as_written(route->pattern, route->pattern_origin);
    struct slice first = as_written(taker->pattern, taker->pattern_origin);
    config_warning(
        findings, route->origin,
        "route %.*s can never match: %.*s at %s:%u:%u comes before it and matches everything it would",
        SLICE_ARGS(never), SLICE_ARGS(first), taker->origin.file, taker->origin.line, taker->origin.column);
}

void route_warn_shadowed(const struct site_routes *routes, struct router_scratch *scratch,
                         struct config_findings *findings)
{
    const struct config_site *site = routes->site;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    uint32_t *takers = arena_alloc(&arena, ((size_t)site->route_count + 1) * sizeof *takers);
    for (uint32_t i = 0; i < site->route_count; i++)
        takers[i] = i;
    regexes_take(routes, &arena, takers);
    for (uint32_t i = 0; i < site->route_count; i++) {
        if (site->routes[i].match != CONFIG_MATCH_REGEX)
            takers[i] = first_taking(routes, &site->routes[i], scratch);
        if (takers[i] < i)
            warn(&site->routes[i], &site->routes[takers[i]], findings);
    }
    arena_fini(&arena);
}
