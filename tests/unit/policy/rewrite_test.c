/*
 * policy/rewrite: the target that an upstream gets, byte for byte, and the paths that are refused because an
 * upstream could read something else in what would be left of them.
 */
#include "answer_fixture.h"

static const char routes[] =
    "  - {prefix: /api, upstream: app, strip_prefix: true}\n"
    "  - {prefix: /v1/, upstream: app, strip_prefix: true}\n"
    "  - {prefix: /caf%C3%A9, upstream: app, strip_prefix: true}\n"
    "  - {regex: '^/u/(?<id>[^/]*)(/.*)?$', upstream: app, rewrite: '/users%{2}?id=%{id}'}\n"
    "  - {prefix: /old, upstream: app, rewrite: {regex: '^/old/(.+)$', to: '/new/%{1}'}}\n"
    "  - {prefix: /host, upstream: app, rewrite: '/sites/%{host}%{path}'}\n"
    "  - {prefix: /cut, upstream: app, rewrite: {regex: '^/cut(.*)$', to: '%{path}%{1}'}}\n"
    "  - {prefix: /any, upstream: app, rewrite: {regex: '^/any/(.*)$', to: '/%{1}'}}\n"
    "  - {prefix: /slow, upstream: app, rewrite: {regex: '^/slow/(a+)+$', to: /x}}\n"
    "  - {prefix: /, upstream: app, strip_prefix: /deep}\n";

static void targets(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"/api", "/"},
        {"/api/", "/"},
        {"/api?x=1", "/?x=1"},
        {"/api/x?", "/x"},
        {"/api/x?a=%2F&b=/../", "/x?a=%2F&b=/../"},
        {"/api/a%2Fb/%41;v=1", "/a%2Fb/%41;v=1"},
        {"/api/a//b", "/a//b"},
        {"/api/%C3%A9%20%0A", "/%C3%A9%20%0A"},
        {"/apiary", "/apiary"},
        {"/v1", "/"},
        {"/v1/x", "/x"},
        {"/caf%C3%A9/x", "/x"},
        {"/caf%c3%a9", "/"},
        {"/u/17", "/users?id=17"},
        {"/u/17/likes?page=2", "/users/likes?id=17&page=2"},
        {"/u/a&b=c", "/users?id=a%26b%3Dc"},
        {"/u/a%20b%2Fc", "/users?id=a%20b%2Fc"},
        {"/old", "/old"},
        {"/old/x/y?q", "/new/x/y?q"},
        {"/host/x", "/sites/a.test/host/x"},
        {"/deep/x", "/x"},
        {"/deeper", "/deeper"},
        {"/other/deep", "/other/deep"},
        {"/any/x?y", "/x?y"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome outcome = fixture_ask(&fixture, (struct asked){"GET", rows[i][0], NULL, false});
        if (outcome.verdict != POLICY_PASS || !slice_equal(outcome.target, slice_of(rows[i][1])))
            fail_msg("%s: %s %.*s", rows[i][0], fault_row(outcome.fault)->name, SLICE_ARGS(outcome.target));
    }
}

/* A28: what is left must be a path, and one path for everybody. */
static void nothing_is_smuggled(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        enum fault fault;
    } rows[] = {
        {"/api//evil.test/x", FAULT_bad_rewrite},
        {"/api/%2Fevil.test", FAULT_bad_rewrite},
        {"/api/%252Fevil.test", FAULT_bad_rewrite},
        {"/api/\\evil.test", FAULT_bad_rewrite},
        {"/api/;x/evil.test", FAULT_bad_rewrite},
        {"/api/./x", FAULT_bad_rewrite},
        {"/api/x/%2e/y", FAULT_bad_rewrite},
        {"/api/x/../y", FAULT_bad_rewrite},
        {"/any//evil.test", FAULT_bad_rewrite},
        {"/any/%2e%2e/x", FAULT_ambiguous_path}, /* leaves the route */
        {"/%61pi/x", FAULT_ambiguous_path},
        {"/%64eep/x", FAULT_ambiguous_path}, /* the route is the same, what is stripped is not */
        {"/x/../deep/y", FAULT_ambiguous_path},
        {"/old%2Fx", FAULT_ambiguous_path},
        {"/cut%3", FAULT_bad_target},
        {"/slow/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
         FAULT_route_limit},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome outcome = fixture_ask(&fixture, (struct asked){"GET", rows[i].target, NULL, false});
        if (outcome.fault != rows[i].fault)
            fail_msg("%s: %s %.*s", rows[i].target, fault_row(outcome.fault)->name,
                     SLICE_ARGS(outcome.target));
    }
}

static void a_target_has_an_end(void **state)
{
    (void)state;
    static char target[24 * 1024];
    memset(target, 'x', sizeof target);
    memcpy(target, "/cut/", 5);
    target[sizeof target - 1] = '\0';
    struct outcome outcome = fixture_ask(&fixture, (struct asked){"GET", target, NULL, false});
    assert_int_equal(outcome.fault, FAULT_target_too_long);
}

static void the_server_as_a_whole(void **state)
{
    (void)state;
    struct outcome outcome = fixture_ask(&fixture, (struct asked){"OPTIONS", "*", NULL, false});
    assert_int_equal(outcome.verdict, POLICY_PASS);
    assert_true(slice_equal(outcome.target, SLICE("*")));
}

static void templates(void **state)
{
    (void)state;
    static const struct {
        const char *to, *said;
    } rows[] = {
        {"x", "a path begins with"},
        {"''", "expected a path"},
        {"'/x%{query}'", "query is kept anyway"},
        {"'%{target}'", "query is kept"},
        {"//evil.test", "begins with one"},
        {"'/%{path}'", "begins with one"},
        {"/a/../b", "no segment"},
        {"/a/%2e/b", "no segment"},
        {"/%zz", "without two digits"},
        {"/a#b", "visible ASCII"},
        {"/a\\b", "visible ASCII"},
        {"\"/a\\r\\nX: y\"", "visible ASCII"},
        {"'/%{2}'", "there is no group"},
        {"'/%{x}'", "unknown variable \"%{x}\""},
        {"'%{path}'", ""},
        {"'/%{1}'", ""},
        {"'/p/%{client_ip}/%{request_id}?m=%{method}'", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture one;
        char route[256];
        snprintf(route, sizeof route, "  - {prefix: /, upstream: app, rewrite: {regex: '^/(a)', to: %s}}\n",
                 rows[i].to);
        fixture_init(&one, route);
        const char *said = fixture_said(&one);
        if (rows[i].said[0] ? strstr(said, rows[i].said) == NULL : said[0] != '\0')
            fail_msg("%s: %s", rows[i].to, said);
        fixture_fini(&one);
    }
}

static void a_broken_regex_is_said_once(void **state)
{
    (void)state;
    struct fixture one;
    fixture_init(&one, "  - {regex: '^/(a', upstream: app, rewrite: /b}\n  - {prefix: /, upstream: app, "
                       "rewrite: {regex: '(', to: /}}\n");
    assert_int_equal(one.findings.errors, 2);
    fixture_fini(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(nothing_is_smuggled),
        cmocka_unit_test(a_target_has_an_end),
        cmocka_unit_test(the_server_as_a_whole),
        cmocka_unit_test(templates),
        cmocka_unit_test(a_broken_regex_is_said_once),
    };
    fixture_routes = routes;
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
