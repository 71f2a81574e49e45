/*
 * The lines of cli/lines.h. A route for which no path is found gets a comment instead of a line. Names need
 * no DNS: a line says itself where they are. What a line trusts is the certificate file that has the name, so
 * it works with a development authority, too.
 */
#include "cli/lines.h"

#include "cli/reach.h"

enum { ROUTES_PRINTED_MAX = 40 };

/* How to reach a host. */
struct way {
    const struct config_listener *listener;
    struct slice host;
    struct slice trust; /* file with the certificate that has the host; empty when none has */
};

/* A page in the making. */
struct lines {
    struct reach reach;
    FILE *out;
    unsigned printed;
    struct way first; /* to the first route that has a line and an upstream */
    struct slice first_path;
};

/* Whether the host's name alone leads to the listener. */
static bool is_resolved(const struct way *way)
{
    struct slice address = reach_address(way->listener);
    bool is_loopback = slice_equal(address, SLICE("127.0.0.1")) || slice_equal(address, SLICE("::1"));
    return is_loopback && slice_equal(way->host, SLICE("localhost"));
}

static struct way way_to(struct lines *lines, const struct config_listener *listener, struct slice host)
{
    return (struct way){listener, host,
                        listener->tls ? reach_trust(&lines->reach, host) : slice_make(NULL, 0)};
}

/* --- lines --- */

/* The text as a shell takes it for one word. */
static struct slice quoted(struct lines *lines, struct slice text)
{
    char *word = arena_alloc(&lines->reach.arena, 4 * text.len + 3), *end = word;
    bool is_plain = true;
    *end++ = '\'';
    for (size_t i = 0; i < text.len; i++) {
        is_plain = is_plain && reach_is_plain(text.at[i]);
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
    return is_ipv6 ? arena_printf(&lines->reach.arena, "[%.*s]", SLICE_ARGS(host)) : host;
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
    struct slice port = listener->name.port ? arena_printf(&lines->reach.arena, ":%u", listener->name.port)
                                            : slice_make(NULL, 0);
    print_word(lines, "",
               arena_printf(&lines->reach.arena, "%s%s://%.*s%.*s%.*s", scheme, listener->tls ? "s" : "",
                            SLICE_ARGS(way->host), SLICE_ARGS(port), SLICE_ARGS(path)));
}

/* For curl: where the host is. It looks up names only, addresses must be led elsewhere. */
static void print_place(struct lines *lines, const struct way *way)
{
    struct slice host = way->host, place = bracketed(lines, reach_address(way->listener));
    unsigned port = way->listener->name.port;
    struct address ignored;
    bool is_address = host.at[0] == '[' || address_from_literal(host, 0, &ignored);
    if (way->listener->name.is_unix)
        print_word(lines, "--unix-socket", way->listener->name.host);
    else if (is_address)
        print_word(lines, "--connect-to",
                   arena_printf(&lines->reach.arena, "%.*s:%u:%.*s:%u", SLICE_ARGS(host), port,
                                SLICE_ARGS(place), port));
    else if (!is_resolved(way))
        print_word(
            lines, "--resolve",
            arena_printf(&lines->reach.arena, "%.*s:%u:%.*s", SLICE_ARGS(host), port, SLICE_ARGS(place)));
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
    struct slice address = reach_address(way->listener);
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
        return arena_printf(&lines->reach.arena, "%u, answered here", route->scope.respond->status);
    struct slice to =
        redirect->to.origin.redacted ? slice_of(redirect->to.origin.redacted) : redirect->to.text;
    return arena_printf(&lines->reach.arena, "a redirect to %.*s", SLICE_ARGS(to));
}

static void print_route(struct lines *lines, const struct config_route *route, const struct way *way)
{
    static const char *const kinds[] = {
        [CONFIG_MATCH_PREFIX] = "prefix", [CONFIG_MATCH_EXACT] = "path", [CONFIG_MATCH_REGEX] = "regex"};
    struct slice pattern =
        route->pattern_origin.redacted ? slice_of(route->pattern_origin.redacted) : route->pattern;
    struct slice path = reach_path(&lines->reach, route);
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
    struct slice host = reach_host(&lines->reach, site);
    const char *why_not = unreachable(site, host);
    struct way way = way_to(lines, lines->reach.serving, host);
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
    const struct config *config = lines->reach.snapshot->config;
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
    if (lines->reach.redirecting) {
        struct way plain = way_to(lines, lines->reach.redirecting, way->host);
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
    struct lines lines = {.out = out};
    reach_init(&lines.reach, snapshot);
    print_sites(&lines);
    if (lines.first_path.len > 0)
        print_more(&lines);
    reach_fini(&lines.reach);
}
