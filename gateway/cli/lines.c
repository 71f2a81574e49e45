/*
 * The lines of cli/lines.h. Hosts and paths are guesses that the router must confirm; a route for which none
 * is found gets a comment instead of a line. Names need no DNS: a line says itself where they are. What a
 * line trusts is the certificate file that has the name, so it works with a development authority, too. Sends
 * nothing.
 */
#include "cli/lines.h"

#include "http/target.h"
#include "net/tls_context.h"
#include "policy/route.h"

#include <stdlib.h>

enum { ROUTES_PRINTED_MAX = 40 };

/* How to reach a host. */
struct way {
    const struct config_listener *listener;
    struct slice host;
    struct slice trust; /* file with the certificate that has the host; empty when none has */
};

/* A page in the making. */
struct lines {
    const struct snapshot *snapshot;
    const struct router *router;
    struct router_scratch *scratch;
    struct arena arena;
    FILE *out;
    const struct config_listener *serving;     /* where the lines go */
    const struct config_listener *redirecting; /* NULL when none does */
    unsigned printed;
    struct way first; /* to the first route that has a line and an upstream */
    struct slice first_path;
};

/* --- where the gateway is --- */

/* Of several listeners, the lines go to one that serves, on a port, over TLS. */
static unsigned merit(const struct config_listener *listener)
{
    return (listener->redirect == CONFIG_REDIRECT_OFF) * 8u + !listener->proxy_protocol * 4u +
           !listener->name.is_unix * 2u + listener->tls;
}

static void choose_listeners(struct lines *lines)
{
    const struct config *config = lines->snapshot->config;
    lines->serving = &config->listeners[0];
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        bool redirects = listener->redirect != CONFIG_REDIRECT_OFF;
        if (redirects && (!lines->redirecting || merit(listener) > merit(lines->redirecting)))
            lines->redirecting = listener;
        if (merit(listener) > merit(lines->serving))
            lines->serving = listener;
    }
}

/* An address of this machine on which the listener accepts. */
static struct slice address_of(const struct config_listener *listener)
{
    struct slice host = listener->name.host;
    if (host.len == 0 || slice_equal(host, SLICE("0.0.0.0")))
        return SLICE("127.0.0.1");
    return slice_equal(host, SLICE("::")) ? SLICE("::1") : host;
}

/* Whether the host's name alone leads to the listener. */
static bool is_resolved(const struct way *way)
{
    struct slice address = address_of(way->listener);
    bool is_loopback = slice_equal(address, SLICE("127.0.0.1")) || slice_equal(address, SLICE("::1"));
    return is_loopback && slice_equal(way->host, SLICE("localhost"));
}

/* The file of the first certificate that has the host, by a path without detours. */
static struct slice trust_for(struct lines *lines, struct slice host)
{
    const struct config_tls *tls = &lines->snapshot->config->tls;
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
    struct slice trust = path ? slice_of(arena_copy(&lines->arena, slice_of(path))) : slice_make(NULL, 0);
    free(path);
    return trust;
}

static struct way way_to(struct lines *lines, const struct config_listener *listener, struct slice host)
{
    return (struct way){listener, host, listener->tls ? trust_for(lines, host) : slice_make(NULL, 0)};
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
        return SLICE("localhost");
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

/* The text as a shell takes it for one word. */
static struct slice quoted(struct lines *lines, struct slice text)
{
    char *word = arena_alloc(&lines->arena, 4 * text.len + 3), *end = word;
    bool is_plain = true;
    *end++ = '\'';
    for (size_t i = 0; i < text.len; i++) {
        is_plain = is_plain && needs_no_encoding(text.at[i]);
        if (text.at[i] == '\'')
            end = mempcpy(end, "'\\'", 3);
        *end++ = text.at[i];
    }
    *end++ = '\'';
    return is_plain ? text : slice_make(word, (size_t)(end - word));
}

/* An address as it stands before a port. */
static struct slice bracketed(struct lines *lines, struct slice host)
{
    bool is_ipv6 = memchr(host.at, ':', host.len) != NULL;
    return is_ipv6 ? arena_printf(&lines->arena, "[%.*s]", SLICE_ARGS(host)) : host;
}

static void print_word(struct lines *lines, const char *option, struct slice text)
{
    struct slice word = quoted(lines, text);
    fprintf(lines->out, " %s%s%.*s", option, option[0] ? " " : "", SLICE_ARGS(word));
}

/* The host's own URL, wherever it is. */
static void print_url(struct lines *lines, const struct way *way, const char *scheme, struct slice path)
{
    const struct config_listener *listener = way->listener;
    struct slice port =
        listener->name.port ? arena_printf(&lines->arena, ":%u", listener->name.port) : slice_make(NULL, 0);
    print_word(lines, "",
               arena_printf(&lines->arena, "%s%s://%.*s%.*s%.*s", scheme, listener->tls ? "s" : "",
                            SLICE_ARGS(way->host), SLICE_ARGS(port), SLICE_ARGS(path)));
}

/* For curl: where the host is. It looks up names only, addresses must be led elsewhere. */
static void print_place(struct lines *lines, const struct way *way)
{
    struct slice host = way->host, place = bracketed(lines, address_of(way->listener));
    unsigned port = way->listener->name.port;
    struct address ignored;
    bool is_address = host.at[0] == '[' || address_from_literal(host, 0, &ignored);
    if (way->listener->name.is_unix)
        print_word(lines, "--unix-socket", way->listener->name.host);
    else if (is_address)
        print_word(
            lines, "--connect-to",
            arena_printf(&lines->arena, "%.*s:%u:%.*s:%u", SLICE_ARGS(host), port, SLICE_ARGS(place), port));
    else if (!is_resolved(way))
        print_word(lines, "--resolve",
                   arena_printf(&lines->arena, "%.*s:%u:%.*s", SLICE_ARGS(host), port, SLICE_ARGS(place)));
}

static void print_curl(struct lines *lines, const struct way *way, const char *options, struct slice path)
{
    fprintf(lines->out, "    curl%s", options);
    if (way->trust.len > 0)
        print_word(lines, "--cacert", way->trust);
    else if (way->listener->tls)
        fprintf(lines->out, " -k");
    print_place(lines, way);
    print_url(lines, way, "http", path);
    fprintf(lines->out, "\n");
}

/* The client of Debian's python3-websockets; its own command line knows no address but the URI's. */
static void print_websocket(struct lines *lines, const struct way *way, struct slice path)
{
    const char *tls = !way->listener->tls   ? "None"
                      : way->trust.len == 0 ? "ssl._create_unverified_context()"
                                            : "ssl.create_default_context(cafile=sys.argv[4]); "
                                              "tls.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN";
    fprintf(lines->out,
            "    /usr/bin/python3 -c 'import asyncio, ssl, sys, urllib.parse, websockets; "
            "uri, host, port = sys.argv[1:4]; "
            "tls = %s; name = tls and urllib.parse.urlsplit(uri).hostname; "
            "run = asyncio.get_event_loop().run_until_complete; "
            "ws = run(websockets.connect(uri, host=host, port=port, ssl=tls, server_hostname=name)); "
            "run(ws.send(\"hello\")); print(run(ws.recv())); run(ws.close())'",
            tls);
    print_url(lines, way, "ws", path);
    struct slice address = address_of(way->listener);
    fprintf(lines->out, " %.*s %u", SLICE_ARGS(address), way->listener->name.port);
    if (way->trust.len > 0)
        print_word(lines, "", way->trust);
    fprintf(lines->out, "\n");
}

/* Where the route leads, for its comment. */
static struct slice destination_of(struct lines *lines, const struct config_route *route)
{
    const struct config_route_redirect *redirect = route->scope.redirect;
    if (route->upstream)
        return route->upstream->name;
    if (redirect == NULL)
        return arena_printf(&lines->arena, "%u, answered here", route->scope.respond->status);
    struct slice to =
        redirect->to.origin.redacted ? slice_of(redirect->to.origin.redacted) : redirect->to.text;
    return arena_printf(&lines->arena, "a redirect to %.*s", SLICE_ARGS(to));
}

static void print_route(struct lines *lines, const struct config_route *route, const struct way *way)
{
    static const char *const kinds[] = {
        [CONFIG_MATCH_PREFIX] = "prefix", [CONFIG_MATCH_EXACT] = "path", [CONFIG_MATCH_REGEX] = "regex"};
    struct slice pattern =
        route->pattern_origin.redacted ? slice_of(route->pattern_origin.redacted) : route->pattern;
    struct slice path = encode(lines, path_of(lines, route));
    struct slice destination = destination_of(lines, route);
    fprintf(lines->out, "  # %s %.*s -> %.*s\n", kinds[route->match], SLICE_ARGS(pattern),
            SLICE_ARGS(destination));
    if (path.len == 0) {
        fprintf(lines->out, "    # no path is made up for it\n");
        return;
    }
    print_curl(lines, way, "", path);
    if (lines->first_path.len > 0 || route->upstream == NULL)
        return;
    lines->first = *way;
    lines->first_path = path;
}

/* Why no line can lead to the site; NULL when one can. */
static const char *unreachable(const struct config_site *site, struct slice host)
{
    if (host.len == 0)
        return "other sites have all of its hosts";
    bool asks = site->client_certificates.ca.text.len > 0;
    return asks && site->client_certificates.verify == CONFIG_VERIFY_REQUIRE
               ? "clients must have a certificate; add --cert FILE --key FILE"
               : NULL;
}

static void print_site(struct lines *lines, const struct config_site *site)
{
    struct slice host = host_of(lines, site);
    const char *why_not = unreachable(site, host);
    struct way way = way_to(lines, lines->serving, host);
    fprintf(lines->out, "\n# ");
    for (uint32_t i = 0; i < site->host_count; i++)
        fprintf(lines->out, "%s%.*s", i ? ", " : "", SLICE_ARGS(site->hosts[i].name));
    fprintf(lines->out, "%s%s\n", why_not ? ": " : "", why_not ? why_not : "");
    for (uint32_t i = 0; i < site->route_count && !why_not; i++)
        if (++lines->printed <= ROUTES_PRINTED_MAX)
            print_route(lines, &site->routes[i], &way);
}

static void print_sites(struct lines *lines)
{
    const struct config *config = lines->snapshot->config;
    for (uint32_t i = 0; i < config->site_count && lines->printed <= ROUTES_PRINTED_MAX; i++)
        print_site(lines, &config->sites[i]);
    if (lines->printed > ROUTES_PRINTED_MAX)
        fprintf(lines->out, "\n# ... and more routes, see: portico check %.*s --print\n",
                SLICE_ARGS(config->file));
}

/* What every route can do, shown with the first. */
static void print_more(struct lines *lines)
{
    const struct way *way = &lines->first;
    fprintf(lines->out, "\n# HTTP/2, with the head of the response\n");
    print_curl(lines, way, way->listener->tls ? " -i --http2" : " -i --http2-prior-knowledge",
               lines->first_path);
    if (lines->redirecting) {
        struct way plain = way_to(lines, lines->redirecting, way->host);
        fprintf(lines->out, "\n# plain HTTP is sent to https\n");
        print_curl(lines, &plain, " -i", lines->first_path);
    }
    fprintf(lines->out, "\n# events, one a second\n");
    print_curl(lines, way, " -N -H 'Accept: text/event-stream'", lines->first_path);
    if (!way->listener->name.is_unix) {
        fprintf(lines->out, "\n# a WebSocket: what is sent comes back\n");
        print_websocket(lines, way, lines->first_path);
    }
    fprintf(lines->out, "\n");
}

void lines_print(const struct snapshot *snapshot, FILE *out)
{
    struct lines lines = {.snapshot = snapshot, .out = out};
    lines.router = snapshot_part(snapshot, &route_module);
    lines.scratch = router_scratch_new();
    arena_init(&lines.arena, NULL, 0);
    choose_listeners(&lines);
    print_sites(&lines);
    if (lines.first_path.len > 0)
        print_more(&lines);
    router_scratch_free(&lines.scratch);
    arena_fini(&lines.arena);
}
