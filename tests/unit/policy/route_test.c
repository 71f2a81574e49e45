/*
 * The router: sites by host, routes by path. The tables say what the rules mean; the random comparison holds
 * the compiled form against a plain search through the list.
 */
#include "route_fixture.h"

/* Index of the route, -1 for no_route, -2 for route_limit. */
enum { NO_ROUTE = -1, LIMIT = -2 };

static int outcome_of(enum fault fault, const struct config_route *route)
{
    if (fault == FAULT_NONE)
        return (int)route->index;
    return fault == FAULT_no_route ? NO_ROUTE : fault == FAULT_route_limit ? LIMIT : -3;
}

static int find(const struct fixture *fixture, const struct config_site *site, struct slice path)
{
    const struct config_route *route = NULL;
    enum fault fault = router_find_route(fixture->router, site, path, fixture->scratch, &route);
    return outcome_of(fault, route);
}

static void ignore_trace(void *arg, const struct config_route *route, bool matched, const char *why)
{
    (void)arg, (void)route, (void)matched;
    assert_non_null(why);
}

static int explain(const struct fixture *fixture, const struct config_site *site, struct slice path)
{
    const struct config_route *route = NULL;
    const struct router_query query = {fixture->router, site, path, fixture->scratch};
    enum fault fault = router_explain(&query, ignore_trace, NULL, &route);
    return outcome_of(fault, route);
}

/* Routes ------------------------------------------------------------------------------------------------- */

struct path_row {
    const char *path;
    int route;
};

struct routes_row {
    const char *routes;
    struct path_row paths[12]; /* up to the first without a path */
};

#define STREAMING     0
#define API           1
#define WIZARD_PAGES  2
#define WIZARD_ASSETS 3
#define WEB           4

/* clang-format off */
static const struct routes_row routes_rows[] = {
    {STARMEET,
     {{"/api/v1/streaming", STREAMING}, {"/api/v1/streaming/", STREAMING},
      {"/api/v1/streaming/health", STREAMING}, {"/api/v1/streaming/user/notification", STREAMING},
      {"/api/v1/streamingx", API}, {"/api/v1/stream", API}, {"/api/v1/streaming.json", API}, {"/api/v1", API},
      {"/api/v1/", API}, {"/api", API}, {"/api/", API}, {"/api/health", API}}},
    {STARMEET,
     {{"/apiary", WEB}, {"/ap", WEB}, {"/join", WIZARD_PAGES}, {"/join/", WIZARD_PAGES},
      {"/join/step/2", WIZARD_PAGES}, {"/joint", WEB}, {"/joi", WEB}, {"/_next", WIZARD_ASSETS},
      {"/_next/webpack-hmr", WIZARD_ASSETS}, {"/_next/static/chunks/main.js", WIZARD_ASSETS},
      {"/_nextdoor", WEB}, {"/", WEB}}},
    {STARMEET,
     {{"/health", WEB}, {"/@user/1", WEB}, {"//", WEB}, {"//api", WEB}, {"/API", WEB}, {"*", WEB},
      {"/home/api", WEB}, {"/joi/n", WEB}}},
    /* The same five as nginx has them, with slashes: not one path goes elsewhere (D3, D4). */
    {"/api/v1/streaming/ /api/ /join/ /_next/ /",
     {{"/api/v1/streaming", STREAMING}, {"/api/v1/streaming/", STREAMING}, {"/api/v1/streaming/x", STREAMING},
      {"/api/v1/streamingx", API}, {"/api", API}, {"/api/", API}, {"/apiary", WEB}, {"/join", WIZARD_PAGES},
      {"/joint", WEB}, {"/_next/webpack-hmr", WIZARD_ASSETS}, {"/", WEB}, {"*", WEB}}},
    {"/api",
     {{"/api", 0}, {"/api/", 0}, {"/api//", 0}, {"/api/x", 0}, {"/apiary", NO_ROUTE}, {"/ap", NO_ROUTE},
      {"/", NO_ROUTE}, {"*", NO_ROUTE}, {"", NO_ROUTE}, {"/api.", NO_ROUTE}, {"/Api", NO_ROUTE}}},
    {"/api/", {{"/api", 0}, {"/api/", 0}, {"/api/x", 0}, {"/apiary", NO_ROUTE}}},
    {"/", {{"/", 0}, {"/x", 0}, {"*", 0}, {"", 0}}},
    {"=/api", {{"/api", 0}, {"/api/", NO_ROUTE}, {"/api/x", NO_ROUTE}, {"/ap", NO_ROUTE}, {"*", NO_ROUTE}}},
    {"=/", {{"/", 0}, {"/x", NO_ROUTE}, {"*", NO_ROUTE}}},
    {"=/a/ =/a /a", {{"/a", 1}, {"/a/", 0}, {"/a/b", 2}}},
    /* The first in the file wins, whatever is longer or more special. */
    {"/a /a/b =/a/b ~^/a/b$ /", {{"/a/b", 0}, {"/a/b/c", 0}, {"/b", 4}}},
    {"~^/a/b$ =/a/b /a/b /a /", {{"/a/b", 0}, {"/a/b/", 2}, {"/a/c", 3}, {"/b", 4}}},
    {"/a/b/c ~b /a", {{"/a/b/c", 0}, {"/a/b", 1}, {"/a/c", 2}, {"/c/b", 1}, {"/c", NO_ROUTE}}},
    {"/x ~^/a/b ~^/a ~b$",
     {{"/a/b", 1}, {"/a/c", 2}, {"/ac", 2}, {"/c/b", 3}, {"/x/b", 0}, {"/c", NO_ROUTE}}},
    /* A shorter literal that stands earlier beats a longer one. */
    {"~^/a ~^/a/b ~^/", {{"/a/b", 0}, {"/b", 2}}},
    {"~.", {{"/", 0}, {"*", 0}, {"", NO_ROUTE}}},
    {"", {{"/", NO_ROUTE}, {"*", NO_ROUTE}}},
    /* '$' is the end and '.' any byte, also around a line feed that came as %0A. */
    {"~^/a$ ~^/b.c$", {{"/a", 0}, {"/a\n", NO_ROUTE}, {"/b\nc", 1}, {"/bc", NO_ROUTE}}},
    {"~^/\xc3. /", {{"/\xc3\xa9", 0}, {"/\xc3", 1}, {"/\xff", 1}}},
    {"~^/u/(?<id>[0-9]+)$", {{"/u/17", 0}, {"/u/", NO_ROUTE}, {"/u/17x", NO_ROUTE}, {"/x/u/17", NO_ROUTE}}},
};
/* clang-format on */

static void first_match_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof routes_rows / sizeof *routes_rows; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        const struct config_site *site = site_of(&fixture, "*", routes_rows[i].routes);
        compile(&fixture);
        for (const struct path_row *row = routes_rows[i].paths; row < routes_rows[i].paths + 12 && row->path;
             row++) {
            int found = find(&fixture, site, slice_of(row->path));
            if (found != row->route || explain(&fixture, site, slice_of(row->path)) != row->route)
                fail_msg("routes %s, path \"%s\": %d, want %d", routes_rows[i].routes, row->path, found,
                         row->route);
        }
        fixture_fini(&fixture);
    }
}

static void ten_thousand_prefixes(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct config_site *site = site_add(&fixture, 10000);
    char text[64];
    for (int i = 0; i < 10000; i++)
        route_add(&fixture, site, CONFIG_MATCH_PREFIX,
                  slice_make(text, (size_t)sprintf(text, "/team%d/app", i)));
    compile(&fixture);
    assert_int_equal(fixture.findings.warnings, 0);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(find(&fixture, site, slice_make(text, (size_t)sprintf(text, "/team%d/app", i))), i);
        assert_int_equal(find(&fixture, site, slice_make(text, (size_t)sprintf(text, "/team%d/app/x", i))),
                         i);
        assert_int_equal(find(&fixture, site, slice_make(text, (size_t)sprintf(text, "/team%d/apps", i))),
                         NO_ROUTE);
    }
    fixture_fini(&fixture);
}

static void a_regex_over_its_limit_is_a_fault(void **state)
{
    (void)state;
    static const struct routes_row rows[] = {
        {"~^(a+)+$ /", {{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", LIMIT}, {"aaa", 0}, {"/x", 1}}},
        /* What stands before it still wins; what stands behind does not get the path. */
        {"/a ~^/(a+)+$ ~!$ =/aaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
         {{"/a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 0}, {"/aaaaaaaaaaaaaaaaaaaaaaaaaaaa!", LIMIT}, {"/b!", 2}}},
        {"~!$ ~^/a(a+)+$", {{"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", 0}}},
        {"~^/a(a+)+$ ~!$", {{"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", LIMIT}}},
        {"~^(a+)+$",
         {{"aaaaaaaaaaaaaaaaaa!", LIMIT},
          {"aaaaaaaa!", NO_ROUTE}}}, /* 10,000 steps, not PCRE2's 10 million */
        /* Joined with others it is told apart. */
        {"~x$ ~(a+)+$ ~y$ ~!$",
         {{"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", LIMIT}, {"/aaaaaaaaaaaaaax", 0}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        const struct config_site *site = site_of(&fixture, "*", rows[i].routes);
        compile(&fixture);
        for (const struct path_row *row = rows[i].paths; row->path; row++) {
            assert_int_equal(find(&fixture, site, slice_of(row->path)), row->route);
            assert_int_equal(explain(&fixture, site, slice_of(row->path)), row->route);
        }
        fixture_fini(&fixture);
    }
}

/* Where memory must not be both writable and executable, there is no JIT. */
static void the_interpreter_gives_the_same(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct config_site *site = site_of(&fixture, "*", "~^/u/([0-9]+)$ ~^(a+)+$");
    struct route_regex digits, greedy;
    assert_true(route_regex_compile(&digits, &fixture.config.arena, &site->routes[0], &fixture.findings));
    assert_true(route_regex_compile(&greedy, &fixture.config.arena, &site->routes[1], &fixture.findings));
    for (int jit = 0; jit < 2; jit++) {
        const struct regex a = {digits.own.code, jit && digits.own.jit},
                           b = {greedy.own.code, jit && greedy.own.jit};
        assert_int_equal(regex_run(&a, SLICE("/u/17"), fixture.scratch), REGEX_YES);
        assert_int_equal(regex_run(&a, SLICE("/u/x"), fixture.scratch), REGEX_NO);
        assert_int_equal(regex_run(&b, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"), fixture.scratch),
                         REGEX_LIMIT);
    }
    route_regex_fini(&digits);
    route_regex_fini(&greedy);
    fixture_fini(&fixture);
}

/* What is known of a pattern without running it. */
static void literals_of_patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *literal;
        bool plain;
    } rows[] = {
        {"^/u/([0-9]+)$", "/u/", true},
        {"^/a\\.b\\/c$", "/a.b/c", true},
        {"^/ab?", "/a", true},
        {"^/ab*c", "/a", true},
        {"^/ab{0,1}", "/a", true},
        {"^/ab+c", "/ab", true},
        {"^/a\\.?b", "/a", true},
        {"^/a\\d", "/a", true},
        {"^/a$", "/a", true},
        {"^/(a|b)/c", "/", true},
        {"^/a[|]b", "/a", true},
        {"^/a[]|]b", "/a", true},
        {"^/a[^]|]b", "/a", true},
        {"^/a[[:alpha:]|]b", "/a", true},
        {"^/a[[:]|b]c", "", true}, /* the class ends at the first ']', so that the '|' divides */
        {"^/a|^/b", "", true},
        {"^/a|/b", "", true},
        {"^/(?:a|b)|c", "", true},
        {"^/a(?=b|c)", "/a", true},
        {"^/a(?<n>b|c)", "/a", true},
        {"^/a(?P<n>b|c)", "/a", true},
        {"/a", "", true},
        {"(^/a)", "", true},
        {"^", "", true},
        {"", "", true},
        {"^/a(?i)b", "", false},
        {"^/a(?x) # (\n |b", "", false},
        {"^/a(?#c)?b", "", false},
        {"^/a\\E?b", "", false},
        {"^/a\\Q|\\E", "", false},
        {"^/a\\c|b", "", false},
        {"^/(a)\\1", "", false},
        {"^/a[\\Q]|\\E]", "", false},
        {"^/a(*ACCEPT)b", "", false},
        {"^/a(?C1)b", "", false},
        {"(?R)?a", "", false},
    };
    struct fixture fixture;
    fixture_init(&fixture);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config_route route = {.match = CONFIG_MATCH_REGEX, .pattern = slice_of(rows[i].pattern)};
        struct route_regex regex;
        if (!route_regex_compile(&regex, &fixture.config.arena, &route, &fixture.findings))
            fail_msg("%s does not compile", rows[i].pattern);
        if (!slice_equal(regex.literal, slice_of(rows[i].literal)) || regex.plain != rows[i].plain)
            fail_msg("%s: \"%.*s\", %d", rows[i].pattern, SLICE_ARGS(regex.literal), regex.plain);
        route_regex_fini(&regex);
    }
    fixture_fini(&fixture);
}

static void many_regexes_are_joined(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct config_site *site = site_add(&fixture, 200);
    char text[64];
    for (int i = 0; i < 200; i++) {
        const char *form = i % 17 == 5 ? "(?i)/re%d$"
                           : i % 2     ? "/(?<id>[a-z]+)/re%d$"
                                       : "/re%d(?<id>/[a-z]+)?$";
        route_add(&fixture, site, CONFIG_MATCH_REGEX, slice_make(text, (size_t)sprintf(text, form, i)));
    }
    compile(&fixture);
    for (int i = 0; i < 200; i++)
        assert_int_equal(find(&fixture, site, slice_make(text, (size_t)sprintf(text, "/x/re%d", i))), i);
    assert_int_equal(find(&fixture, site, SLICE("/x/re200")), NO_ROUTE);
    assert_int_equal(find(&fixture, site, SLICE("/x/RE5")), 5);
    fixture_fini(&fixture);
}

/* Compared with a plain search ----------------------------------------------------------------------------
 */

static uint32_t seed = 20;

static uint32_t pick(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

/* Few words, so that random paths meet random routes. */
static size_t random_path(char *out)
{
    static const char *const parts[] = {"/a", "/ab", "/abc", "/b", "/", "/a.c", "c", "/api", "b", "/ab/b"};
    size_t len = (size_t)sprintf(out, "%s", pick(40) ? "/" : pick(2) ? "*" : "");
    if (len == 1 && out[0] == '/' && pick(10))
        len = 0;
    for (uint32_t count = pick(5); count > 0; count--)
        len += (size_t)sprintf(out + len, "%s", parts[pick(10)]);
    return len ? len : (size_t)sprintf(out, "/");
}

static size_t random_regex(char *out)
{
    static const char *const atoms[] = {"/a",        "/ab", "b",       "c",        "/",      "\\.",
                                        "b?",        "c*",  "a+",      "(a|b)",    ".",      "[^/]+",
                                        "[ab]{1,2}", "|",   "(?:/a)?", "\\/b",     "(?=/a)", "[]|]",
                                        "(?i)B",     "$",   "^",       "(/ab|/b)", "\\w",    "(?!c)"};
    size_t len = (size_t)sprintf(out, "%s", pick(3) ? "^/" : "");
    for (uint32_t count = 1 + pick(4); count > 0; count--)
        len += (size_t)sprintf(out + len, "%s", atoms[pick(sizeof atoms / sizeof *atoms)]);
    return len;
}

static void add_random_route(struct fixture *fixture, struct config_site *site, uint32_t regex_share)
{
    char text[128];
    if (pick(100) < regex_share)
        route_add(fixture, site, CONFIG_MATCH_REGEX, slice_make(text, random_regex(text)));
    else
        route_add(fixture, site, pick(3) ? CONFIG_MATCH_PREFIX : CONFIG_MATCH_EXACT,
                  slice_make(text, random_path(text)));
}

struct plain_search {
    const struct config_site *site;
    pcre2_code *codes[64];
    pcre2_match_data *data;
};

static void plain_search_init(struct plain_search *search, const struct config_site *site)
{
    *search = (struct plain_search){.site = site, .data = pcre2_match_data_create(1, NULL)};
    for (uint32_t i = 0; i < site->route_count; i++) {
        int error;
        size_t offset;
        const struct config_route *route = &site->routes[i];
        if (route->match != CONFIG_MATCH_REGEX)
            continue;
        search->codes[i] = pcre2_compile((PCRE2_SPTR)route->pattern.at, route->pattern.len,
                                         PCRE2_DOLLAR_ENDONLY | PCRE2_DOTALL, &error, &offset, NULL);
        assert_non_null(search->codes[i]);
    }
}

static void plain_search_fini(struct plain_search *search)
{
    for (size_t i = 0; i < 64; i++)
        pcre2_code_free(search->codes[i]);
    pcre2_match_data_free(search->data);
}

static bool plainly_matches(const struct plain_search *search, uint32_t i, const char *path)
{
    const char *pattern = search->site->routes[i].pattern.at;
    size_t len = strlen(pattern);
    if (search->codes[i])
        return pcre2_match(search->codes[i], (PCRE2_SPTR)path, strlen(path), 0, 0, search->data, NULL) >= 0;
    if (search->site->routes[i].match == CONFIG_MATCH_EXACT)
        return strcmp(path, pattern) == 0;
    if (pattern[len - 1] == '/')
        len--;
    return len == 0 || (strncmp(path, pattern, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

static int plainly_find(const struct plain_search *search, const char *path)
{
    for (uint32_t i = 0; i < search->site->route_count; i++)
        if (plainly_matches(search, i, path))
            return (int)i;
    return NO_ROUTE;
}

static void check_random_set(uint32_t routes, uint32_t regex_share)
{
    struct fixture fixture;
    fixture_init(&fixture);
    struct config_site *site = site_add(&fixture, routes);
    for (uint32_t i = 0; i < routes; i++)
        add_random_route(&fixture, site, regex_share);
    compile(&fixture);
    assert_non_null(fixture.router);
    struct plain_search search;
    plain_search_init(&search, site);
    bool reached[64] = {false};
    for (int i = 0; i < 60; i++) {
        char path[128];
        random_path(path);
        int want = plainly_find(&search, path), found = find(&fixture, site, slice_of(path));
        if (found != want || explain(&fixture, site, slice_of(path)) != want)
            fail_msg("path %s: %d, want %d (%s)", path, found, want,
                     want >= 0 ? site->routes[want].pattern.at : "none");
        if (want >= 0)
            reached[want] = true;
    }
    /* What a warning calls unreachable has not been reached. */
    for (const struct config_finding *finding = fixture.findings.first; finding; finding = finding->next)
        assert_false(reached[finding->origin.line - site->routes[0].origin.line]);
    plain_search_fini(&search);
    fixture_fini(&fixture);
}

static void random_routes_as_a_plain_search(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++)
        check_random_set(pick(i % 10 ? 12 : 64), (uint32_t[]){0, 20, 50, 100}[i % 4]);
}

/* Hosts -------------------------------------------------------------------------------------------------- */

static void sites_by_host(void **state)
{
    (void)state;
    static const char *const sites[] = {"star-meet.com www.star-meet.com",
                                        "*.star-meet.com",
                                        "*.cdn.star-meet.com x.cdn.star-meet.com",
                                        "*.com",
                                        "[::1] 127.0.0.1",
                                        "*"};
    static const struct {
        const char *host;
        int site, site_without_default;
    } rows[] = {
        {"star-meet.com", 0, 0},
        {"www.star-meet.com", 0, 0},
        {"api.star-meet.com", 1, 1},
        {"a.b.star-meet.com", 1, 1},
        {"w.www.star-meet.com", 1, 1},
        {"cdn.star-meet.com", 1, 1}, /* a wildcard's own apex is not meant by it, but by the next */
        {"a.cdn.star-meet.com", 2, 2},
        {"b.a.cdn.star-meet.com", 2, 2},
        {"x.cdn.star-meet.com", 2, 2},
        {"xcdn.star-meet.com", 1, 1},
        {"xstar-meet.com", 3, 3},
        {"tar-meet.com", 3, 3},
        {"com", 5, -1},
        {"star-meet.com.evil", 5, -1},
        {"evil", 5, -1},
        {"[::1]", 4, 4},
        {"127.0.0.1", 4, 4},
        {"1.127.0.0.1", 5, -1},
        {"", 5, -1},
        {".", 5, -1},
        {".com", 5, -1},
        {"*", 5, -1},
        {"*.star-meet.com", 1, 1},
    };
    for (unsigned count = 5; count <= 6; count++) {
        struct fixture fixture;
        fixture_init(&fixture);
        for (unsigned i = 0; i < count; i++)
            site_of(&fixture, sites[i], "/");
        compile(&fixture);
        assert_non_null(fixture.router);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const struct config_site *site = router_find_site(fixture.router, slice_of(rows[i].host));
            int want = count == 6 ? rows[i].site : rows[i].site_without_default;
            if ((site ? (int)site->index : -1) != want)
                fail_msg("host \"%s\": %d, want %d", rows[i].host, site ? (int)site->index : -1, want);
        }
        fixture_fini(&fixture);
    }
}

static void overlong_hosts_are_nobodys(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    site_of(&fixture, "*.example", "/");
    site_of(&fixture, "*", "/");
    compile(&fixture);
    char host[4096];
    memset(host, 'a', sizeof host);
    for (size_t len = 10; len <= sizeof host; len++) {
        memcpy(host + len - 8, ".example", 8);
        const struct config_site *site = router_find_site(fixture.router, slice_make(host, len));
        assert_int_equal(site->index, len <= 255 ? 0 : 1);
        memset(host + len - 8, 'a', 8);
    }
    fixture_fini(&fixture);
}

/* Explaining --------------------------------------------------------------------------------------------- */

static void write_trace(void *arg, const struct config_route *route, bool matched, const char *why)
{
    char *text = arg;
    sprintf(text + strlen(text), "%.*s %s: %s\n", SLICE_ARGS(route->pattern), matched ? "yes" : "no", why);
}

static void every_comparison_is_reported(void **state)
{
    (void)state;
    static const struct {
        const char *path, *trace;
        int route;
    } rows[] = {
        {"/api/x",
         "/join no: the path does not begin with the prefix\n"
         "/x no: the path is another\n"
         "^(/a+)+$ no: the regex does not match the path\n"
         "/api yes: the path is the prefix or lies under it\n",
         3},
        {"/joint",
         "/join no: the path begins with the prefix, which ends in the middle of a segment\n"
         "/x no: the path is another\n"
         "^(/a+)+$ no: the regex does not match the path\n"
         "/api no: the path does not begin with the prefix\n"
         "/ yes: every path lies under /\n",
         4},
        {"/x",
         "/join no: the path does not begin with the prefix\n"
         "/x yes: the path is the same\n",
         1},
        {"/aa",
         "/join no: the path does not begin with the prefix\n"
         "/x no: the path is another\n"
         "^(/a+)+$ yes: the regex matches the path\n",
         2},
        {"/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/aaaaaaaaaa!", NULL, 4},
    };
    struct fixture fixture;
    fixture_init(&fixture);
    const struct config_site *site = site_of(&fixture, "*", "/join =/x ~^(/a+)+$ /api /");
    compile(&fixture);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[4096] = "";
        const struct config_route *route = NULL;
        const struct router_query query = {fixture.router, site, slice_of(rows[i].path), fixture.scratch};
        assert_int_equal(router_explain(&query, write_trace, text, &route), FAULT_NONE);
        assert_int_equal(route->index, rows[i].route);
        if (rows[i].trace)
            assert_string_equal(text, rows[i].trace);
    }
    fixture_fini(&fixture);
}

static void a_limit_ends_the_explanation(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    const struct config_site *site = site_of(&fixture, "*", "~^/(a+)+$ /");
    compile(&fixture);
    char text[4096] = "";
    const struct config_route *route = NULL;
    const struct router_query query = {fixture.router, site, SLICE("/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
                                       fixture.scratch};
    assert_int_equal(router_explain(&query, write_trace, text, &route), FAULT_route_limit);
    assert_string_equal(text, "^/(a+)+$ no: the regex exceeded its match limit\n");
    assert_null(route);
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_match_wins),
        cmocka_unit_test(ten_thousand_prefixes),
        cmocka_unit_test(a_regex_over_its_limit_is_a_fault),
        cmocka_unit_test(the_interpreter_gives_the_same),
        cmocka_unit_test(literals_of_patterns),
        cmocka_unit_test(many_regexes_are_joined),
        cmocka_unit_test(random_routes_as_a_plain_search),
        cmocka_unit_test(sites_by_host),
        cmocka_unit_test(overlong_hosts_are_nobodys),
        cmocka_unit_test(every_comparison_is_reported),
        cmocka_unit_test(a_limit_ends_the_explanation),
    };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
