/*
 * Routing under any bytes: one fixed list of routes and hosts; the input is a path, and a host. The compiled
 * router must find the route that a plain search through the list finds, and so must its own explanation.
 */
#include "policy/route.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>

struct row {
    enum config_match match;
    const char *pattern;
};

#define PREFIX(text)              \
    {                             \
        CONFIG_MATCH_PREFIX, text \
    }
#define EXACT(text)              \
    {                            \
        CONFIG_MATCH_EXACT, text \
    }
#define REGEX(text)              \
    {                            \
        CONFIG_MATCH_REGEX, text \
    }

static const struct row rows[] = {
    PREFIX("/api/v1/streaming"),
    EXACT("/api/v1"),
    REGEX("^/u/([0-9]+)$"),
    REGEX("^/u/[a-z]+/posts"),
    REGEX("\\.php$"),
    REGEX("/secret(/|$)"),
    REGEX("%[0-9a-f]{2}"),
    REGEX("[\\x80-\\xff]{3}"),
    PREFIX("/api/"),
    PREFIX("/join"),
    EXACT("/joint"),
    PREFIX("/_next/static"),
    EXACT("/_next/"),
    PREFIX("/_next"),
    PREFIX("/a"),
    PREFIX("/ab"),
    PREFIX("/a/b/c/d"),
    EXACT("/ab/"),
    REGEX("^/ab+c"),
    REGEX("^/(a|b)/c"),
    REGEX("^/abc|^/abd"),
    REGEX("(?i)\\.ASPX$"),
    REGEX("^/u/"),
    EXACT("*"),
    REGEX("^.{20}$"),
    PREFIX("/zz/zz/zz/"),
    REGEX("z$"),
    REGEX("^/files/.+\\.tar\\.gz$"),
};

static const char *const host_names[] = {"a.example", "*.a.example", "*.b.a.example", "example", "*"};

enum { ROWS = sizeof rows / sizeof *rows, HOSTS = sizeof host_names / sizeof *host_names };

static struct config_route routes[ROWS];
static struct config_host hosts[HOSTS];
static struct config_site sites[HOSTS];
static pcre2_code *codes[ROWS];
static pcre2_match_data *match_data;
static struct router_scratch *scratch;

static void insist(bool condition)
{
    if (!condition)
        abort();
}

static pcre2_code *plain_regex(const char *pattern)
{
    int error;
    size_t offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL, &error, &offset, NULL);
    insist(code != NULL);
    return code;
}

static const struct router *make_router(void)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        routes[i] = (struct config_route){.match = rows[i].match,
                                          .pattern = slice_of(rows[i].pattern),
                                          .index = i,
                                          .origin = {"fuzz", i, 1, NULL}};
        if (rows[i].match == CONFIG_MATCH_REGEX)
            codes[i] = plain_regex(rows[i].pattern);
    }
    for (uint32_t i = 0; i < HOSTS; i++) {
        hosts[i].name = slice_of(host_names[i]);
        sites[i] = (struct config_site){
            .hosts = &hosts[i], .host_count = 1, .routes = routes, .route_count = ROWS, .index = i};
    }
    struct config_findings findings;
    config_findings_init(&findings);
    const struct config config = {.sites = sites, .site_count = HOSTS};
    const struct router *router = route_module.compile(&config, NULL, &findings);
    insist(router != NULL);
    config_findings_fini(&findings);
    match_data = pcre2_match_data_create(1, NULL);
    scratch = router_scratch_new();
    return router;
}

static bool matches(uint32_t i, struct slice path)
{
    struct slice pattern = routes[i].pattern;
    if (codes[i])
        return pcre2_match(codes[i], (PCRE2_SPTR)path.at, path.len, 0, 0, match_data, NULL) >= 0;
    if (routes[i].match == CONFIG_MATCH_EXACT)
        return slice_equal(path, pattern);
    if (pattern.at[pattern.len - 1] == '/')
        pattern.len--;
    return slice_starts_with(path, pattern) && (path.len == pattern.len || path.at[pattern.len] == '/');
}

static const struct config_route *plain_find(struct slice path)
{
    for (uint32_t i = 0; i < ROWS; i++)
        if (matches(i, path))
            return &routes[i];
    return NULL;
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.len >= end.len && slice_equal(slice_after(text, text.len - end.len), end);
}

static uint32_t plain_site(struct slice host)
{
    if (host.len == 0 || host.len > 255)
        return 4;
    if (slice_equal(host, SLICE("a.example")))
        return 0;
    if (slice_equal(host, SLICE("example")))
        return 3;
    if (host.at[0] == '.')
        return 4;
    return ends_with(host, SLICE(".b.a.example")) ? 2 : ends_with(host, SLICE(".a.example")) ? 1 : 4;
}

static void ignore(void *arg, const struct config_route *route, bool matched, const char *why)
{
    (void)arg, (void)route, (void)matched, (void)why;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct router *router;
    if (!router)
        router = make_router();
    struct slice text = slice_make((const char *)data, size);
    const struct config_site *site = router_find_site(router, text);
    insist(site == &sites[plain_site(text)]);

    const struct config_route *want = plain_find(text), *found = NULL, *explained = NULL;
    enum fault fault = router_find_route(router, site, text, scratch, &found);
    insist(fault == (want ? FAULT_NONE : FAULT_no_route) && found == want);
    const struct router_query query = {router, site, text, scratch};
    insist(router_explain(&query, ignore, NULL, &explained) == fault && explained == want);
    return 0;
}
