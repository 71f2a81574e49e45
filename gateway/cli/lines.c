/*
 * The lines of cli/lines.h. Hosts and paths are guesses that the router must confirm; a route for which none
 * is found gets a comment instead of a line. Sends nothing.
 */
#include "cli/lines.h"

#include "http/target.h"
#include "policy/route.h"

enum { ROUTES_PRINTED_MAX = 40 };

/* A page in the making. */
struct lines {
    const struct snapshot *snapshot;
    const struct router *router;
    struct router_scratch *scratch;
    struct arena arena;
    FILE *out;
    const char *socket;  /* path of a Unix socket, or NULL: then host and port count */
    struct slice server; /* host as a URL has it */
    unsigned port;
    unsigned printed;
    struct slice first_host, first_path; /* of the first route with a line */
};

/* --- where the gateway is --- */

static struct slice reachable_host(struct lines *lines, struct slice host)
{
    if (host.len == 0 || slice_equal(host, SLICE("0.0.0.0")) || slice_equal(host, SLICE("::")))
        return SLICE("localhost");
    bool is_ipv6 = memchr(host.at, ':', host.len) != NULL;
    return is_ipv6 ? arena_printf(&lines->arena, "[%.*s]", SLICE_ARGS(host)) : host;
}

/* The first listener on a port, else the first one. */
static void choose_listener(struct lines *lines)
{
    const struct config *config = lines->snapshot->config;
    const struct endpoint_name *name = &config->listeners[0].name;
    for (uint32_t i = 0; i < config->listener_count && name->is_unix; i++)
        name = &config->listeners[i].name;
    lines->server = name->is_unix ? SLICE("localhost") : reachable_host(lines, name->host);
    lines->port = name->port;
    lines->socket = name->is_unix ? arena_copy(&lines->arena, name->host) : NULL;
}

/* --- hosts and paths that lead somewhere --- */

static bool is_site_of(const struct lines *lines, const struct config_site *site, struct slice host)
{
    return router_find_site(lines->router, host) == site;
}

/* A host that the configured one stands for. */
static struct slice example_of(struct lines *lines, struct slice name)
{
    if (slice_equal(name, SLICE("*")))
        return lines->server;
    if (slice_starts_with(name, SLICE("*.")))
        return arena_printf(&lines->arena, "any%.*s", SLICE_ARGS(slice_after(name, 1)));
    return name;
}

/* A host that leads to the site; empty when none is found. */
static struct slice host_of(struct lines *lines, const struct config_site *site)
{
    for (uint32_t i = 0; i < site->host_count; i++) {
        struct slice host = example_of(lines, site->hosts[i].name);
        if (is_site_of(lines, site, host))
            return host;
        if (is_site_of(lines, site, SLICE("any.test")))
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
static struct slice literal_of(struct lines *lines, struct slice regex)
{
    char *path = arena_alloc(&lines->arena, regex.len + 1);
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

static bool needs_no_encoding(char c)
{
    return is_unreserved(c) || memchr("+,:@=", c, 5) != NULL;
}

/* The path as a URL has it; needs no quotes in a shell. */
static struct slice encode(struct lines *lines, struct slice path)
{
    char *encoded = arena_alloc(&lines->arena, 3 * path.len + 1), *end = encoded;
    for (size_t i = 0; i < path.len; i++) {
        if (needs_no_encoding(path.at[i]))
            *end++ = path.at[i];
        else
            end += sprintf(end, "%%%02X", (unsigned char)path.at[i]);
    }
    return slice_make(encoded, (size_t)(end - encoded));
}

static bool is_routed_to(const struct lines *lines, const struct config_route *route, struct slice path)
{
    const struct config_route *found = NULL;
    enum fault fault = router_find_route(lines->router, route->site, path, lines->scratch, &found);
    return !fault && found == route;
}

/* Whether a request for the path comes to the route, as exchange/request.c decides it. */
static bool leads_to(struct lines *lines, const struct config_route *route, struct slice path)
{
    struct target target;
    if (target_parse(encode(lines, path), METHOD_GET, &lines->arena, &target) ||
        !is_routed_to(lines, route, target.path))
        return false;
    return !target.ambiguous ||
           (is_routed_to(lines, route, target.raw_path) && is_routed_to(lines, route, target.loose_path));
}

/* A path that leads to the route; empty when none is found. */
static struct slice path_of(struct lines *lines, const struct config_route *route)
{
    bool is_regex = route->match == CONFIG_MATCH_REGEX, is_prefix = route->match == CONFIG_MATCH_PREFIX;
    struct slice path = is_regex ? literal_of(lines, route->pattern) : route->pattern;
    struct slice base = path;
    if (path.len == 0 || path.at[0] != '/')
        return slice_make(NULL, 0);
    if (leads_to(lines, route, path))
        return path;
    if (base.at[base.len - 1] == '/')
        base.len--;
    struct slice below = arena_printf(&lines->arena, "%.*s/any", SLICE_ARGS(base));
    return is_prefix && leads_to(lines, route, below) ? below : slice_make(NULL, 0);
}

/* --- lines --- */

/* Behind "curl": how to reach the gateway, as which host, and the path. */
static void print_curl(const struct lines *lines, const char *options, struct slice host, struct slice path)
{
    fprintf(lines->out, "    curl%s", options);
    if (lines->socket)
        fprintf(lines->out, " --unix-socket '%s'", lines->socket);
    if (!slice_equal(host, lines->server))
        fprintf(lines->out, " -H 'Host: %.*s'", SLICE_ARGS(host));
    const char *quote = lines->server.at[0] == '[' ? "'" : ""; /* brackets mean something to a shell */
    fprintf(lines->out, " %shttp://%.*s", quote, SLICE_ARGS(lines->server));
    if (lines->port)
        fprintf(lines->out, ":%u", lines->port);
    fprintf(lines->out, "%.*s%s\n", SLICE_ARGS(path), quote);
}

/* The client of Debian's python3-websockets; its own command line knows no Host but the URI's. */
static void print_websocket(const struct lines *lines)
{
    struct slice host = lines->first_host, path = lines->first_path;
    if (slice_equal(host, lines->server)) {
        const char *quote = host.at[0] == '[' ? "'" : "";
        fprintf(lines->out, "    /usr/bin/python3 -m websockets %sws://%.*s:%u%.*s%s\n", quote,
                SLICE_ARGS(host), lines->port, SLICE_ARGS(path), quote);
        return;
    }
    struct slice server = lines->server;
    if (server.at[0] == '[')
        server = slice_make(server.at + 1, server.len - 2);
    fprintf(lines->out,
            "    /usr/bin/python3 -c 'import asyncio, websockets; run = "
            "asyncio.get_event_loop().run_until_complete; "
            "ws = run(websockets.connect(\"ws://%.*s%.*s\", host=\"%.*s\", port=%u)); "
            "run(ws.send(\"hello\")); print(run(ws.recv())); run(ws.close())'\n",
            SLICE_ARGS(host), SLICE_ARGS(path), SLICE_ARGS(server), lines->port);
}

static void print_route(struct lines *lines, const struct config_route *route, struct slice host)
{
    static const char *const kinds[] = {
        [CONFIG_MATCH_PREFIX] = "prefix", [CONFIG_MATCH_EXACT] = "path", [CONFIG_MATCH_REGEX] = "regex"};
    struct slice pattern =
        route->pattern_origin.redacted ? slice_of(route->pattern_origin.redacted) : route->pattern;
    struct slice path = encode(lines, path_of(lines, route));
    fprintf(lines->out, "  # %s %.*s -> %.*s\n", kinds[route->match], SLICE_ARGS(pattern),
            SLICE_ARGS(route->upstream->name));
    if (path.len == 0) {
        fprintf(lines->out, "    # no path is made up for it\n");
        return;
    }
    print_curl(lines, "", host, path);
    if (lines->first_path.len > 0)
        return;
    lines->first_host = host;
    lines->first_path = path;
}

static void print_site(struct lines *lines, const struct config_site *site)
{
    struct slice host = host_of(lines, site);
    fprintf(lines->out, "\n# ");
    for (uint32_t i = 0; i < site->host_count; i++)
        fprintf(lines->out, "%s%.*s", i ? ", " : "", SLICE_ARGS(site->hosts[i].name));
    fprintf(lines->out, "%s\n", host.len == 0 ? ": other sites have all of its hosts" : "");
    for (uint32_t i = 0; i < site->route_count && host.len > 0; i++)
        if (++lines->printed <= ROUTES_PRINTED_MAX)
            print_route(lines, &site->routes[i], host);
}

static void print_all(struct lines *lines)
{
    const struct config *config = lines->snapshot->config;
    for (uint32_t i = 0; i < config->site_count && lines->printed <= ROUTES_PRINTED_MAX; i++)
        print_site(lines, &config->sites[i]);
    if (lines->printed > ROUTES_PRINTED_MAX)
        fprintf(lines->out, "\n# ... and more routes, see: portico check %.*s --print\n",
                SLICE_ARGS(config->file));
    if (lines->first_path.len == 0)
        return;
    fprintf(lines->out, "\n# events, one a second\n");
    print_curl(lines, " -N -H 'Accept: text/event-stream'", lines->first_host, lines->first_path);
    if (lines->socket)
        return;
    fprintf(lines->out, "\n# a WebSocket: what is sent comes back\n");
    print_websocket(lines);
    fprintf(lines->out, "\n");
}

void lines_print(const struct snapshot *snapshot, FILE *out)
{
    struct lines lines = {.snapshot = snapshot, .out = out};
    lines.router = snapshot_part(snapshot, &route_module);
    lines.scratch = router_scratch_new();
    arena_init(&lines.arena, NULL, 0);
    choose_listener(&lines);
    print_all(&lines);
    router_scratch_free(&lines.scratch);
    arena_fini(&lines.arena);
}
