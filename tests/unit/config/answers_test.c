/*
 * redirect, respond, maintenance, strip_prefix and rewrite as a file says them: every rule with the place and
 * words of its error, what is inherited, and what is printed.
 */
#include "printed.h"

#define BEFORE "listen: [':80']\nupstreams: {app: 'a:1'}\nsites:\n- hosts: ['*']\n  routes:\n"

static void destinations(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {BEFORE "  - {prefix: /, respond: 404}\n  - {prefix: /, upstream: app, redirect: /x}\n",
         "7:5: a route has one of upstream, redirect and respond, not two\n"},
        {BEFORE "  - {prefix: /a}\n  - {prefix: /, upstream: app, redirect: /x, respond: 200}\n",
         "6:5: a route needs one of upstream, redirect and respond\n"
         "7:5: a route has one of upstream, redirect and respond, not three\n"},
        {BEFORE "  - {prefix: /, upstream: app}\n"
                "  - {prefix: /a, respond: 404, max_body: 1MiB, idle_timeout: 1s, strip_prefix: true, "
                "methods: [GET]}\n",
         "7:32: warning: max_body does nothing here: the route has no upstream; leave it out\n"
         "7:48: warning: idle_timeout does nothing here: the route has no upstream; leave it out\n"
         "7:66: warning: strip_prefix does nothing here: the route has no upstream; leave it out\n"},
        {BEFORE "  - {prefix: /, redirect: {to: /x, status: 304}}\n",
         "6:44: unknown status \"304\"; did you mean \"301\"?\n"},
        {BEFORE "  - {prefix: /, redirect: [a]}\n",
         "6:27: expected a URL or a mapping, as { to: /new, status: 301 }, found a list\n"},
        {BEFORE "  - {prefix: /, redirect: {status: 301}}\n", "6:27: missing key \"to\" in redirect\n"},
        {BEFORE "  - {prefix: /, respond: 302}\n", "6:26: 302 is a redirect: write `redirect: URL`\n"},
        {BEFORE "  - {prefix: /, respond: 100}\n", "6:26: 100 is out of range; status may be 200 to 599\n"},
        {BEFORE "  - {prefix: /, respond: {status: 204, body: x}}\n",
         "6:26: an answer with 204 has no content\n"},
        {BEFORE "  - {prefix: /, respond: {type: \"a/b\\r\\nSet-Cookie: x\"}}\n",
         "6:33: \"a/b??Set-Cookie: x\" is no media type; they are written as text/html\n"},
    };
    SAID_ALL(rows);
}

static void rewrites(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {BEFORE "  - {prefix: /, upstream: app, strip_prefix: true}\n",
         "6:46: warning: strip_prefix does nothing here: the route's prefix is \"/\"; leave it out\n"},
        {BEFORE "  - {prefix: /a, upstream: app, strip_prefix: /b}\n",
         "6:47: warning: strip_prefix does nothing here: no path of the route begins with \"/b\"\n"},
        {BEFORE "  - {path: /a, upstream: app, strip_prefix: /a/b}\n",
         "6:45: warning: strip_prefix does nothing here: no path of the route begins with \"/a/b\"\n"},
        {BEFORE "  - {strip_prefix: true, prefix: /a/, upstream: app}\n"
                "  - {prefix: /, upstream: app, strip_prefix: /b/}\n",
         ""},
        {BEFORE "  - {regex: '^/a', upstream: app, strip_prefix: true}\n",
         "6:49: \"true\" strips the prefix of the route, and this one has a regex; write the path\n"},
        {BEFORE "  - {prefix: /, upstream: app, strip_prefix: /}\n",
         "6:46: there is nothing to strip of \"/\"\n"},
        {BEFORE "  - {prefix: /, upstream: app, strip_prefix: a}\n",
         "6:46: \"a\": a path begins with \"/\"\n"},
        {BEFORE "  - {prefix: /a, upstream: app, strip_prefix: /a, rewrite: /b}\n",
         "6:51: a route has one of strip_prefix and rewrite, not both\n"},
        {BEFORE "  - {prefix: /a, upstream: app, rewrite: {regex: x}}\n",
         "6:42: missing key \"to\" in rewrite\n"},
        {BEFORE "  - {prefix: /a, upstream: app, rewrite: {regex: '', to: /b}}\n",
         "6:50: expected an expression, found \"\"\n"},
    };
    SAID_ALL(rows);
}

static void maintenance(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {"defaults: {maintenance: maybe}\n" BEFORE "  - {prefix: /, upstream: app}\n",
         "1:25: expected true or false, found \"maybe\"\n"},
        {"defaults: {maintenance: {body: a, file: b}}\n" BEFORE "  - {prefix: /, upstream: app}\n",
         "1:25: maintenance has one of body and file, not both\n"
         "1:41: a file can be named only in a file\n"},
        {"defaults: {maintenance: {allow: [10.0.0.1/8, x], status: 302}}\n" BEFORE
         "  - {prefix: /, upstream: app}\n",
         "1:34: \"10.0.0.1/8\" has bits behind its mask; the network is 10.0.0.0/8\n"
         "1:46: expected a network, as 10.0.0.0/8, found \"x\"\n"
         "1:58: 302 is out of range; status may be 400 to 599\n"},
    };
    SAID_ALL(rows);
}

static struct config *load(const char *text)
{
    const struct said_case row = {text, ""};
    struct config *config = said_load(&row);
    assert_non_null(config);
    return config;
}

static void what_is_inherited_is_switched(void **state)
{
    (void)state;
    struct config *config =
        load("defaults: {maintenance: {on: false, retry_after: 10m, body: a, allow: [10.0.0.0/8]}}\n"
             "listen: [':80']\nupstreams: {app: 'a:1'}\nsites:\n- hosts: ['*']\n"
             "  maintenance: true\n  routes:\n"
             "  - {prefix: /a, upstream: app, maintenance: false}\n"
             "  - {prefix: /b, upstream: app, maintenance: {body: b, allow: []}}\n");
    const struct config_site *site = &config->sites[0];
    const struct config_maintenance *of_site = site->scope.maintenance;
    const struct config_maintenance *a = site->routes[0].scope.maintenance,
                                    *b = site->routes[1].scope.maintenance;
    assert_false(config->defaults.maintenance->on);
    assert_true(of_site->on && !a->on && b->on);
    assert_int_equal(of_site->retry_after_us, 600000000);
    assert_int_equal(of_site->allow_count, 1);
    assert_int_equal(of_site->origin.line, 6);
    assert_true(slice_equal(b->body.text, SLICE("b")) && b->allow_count == 0);
    assert_int_equal(b->retry_after_us, 600000000);
    assert_true(slice_equal(of_site->body.text, SLICE("a")));
    config_free(&config);
}

/* Printed, loaded and printed again, nothing but the origins is another. */
static void what_is_printed_loads_again(void **state)
{
    (void)state;
    struct config *config = load(
        "defaults: {maintenance: {on: false, body: \"a\\nb\", allow: [10.0.0.0/8]}}\n" BEFORE
        "  - {prefix: /a b, upstream: app, strip_prefix: true, maintenance: true}\n"
        "  - {prefix: /b, upstream: app, rewrite: {regex: '^/b(.*)$', to: '/c%{1}'}, maintenance: {type: "
        "text/html}}\n"
        "  - {regex: '^/c(.*)$', upstream: app, rewrite: '/d%{1}'}\n"
        "  - {prefix: /d, redirect: {to: 'https://a.test%{target}', status: 308}}\n"
        "  - {prefix: /, respond: {status: 410, body: gone, type: text/html}}\n");
    char *first = print(config);
    config_free(&config);
    config = load(first);
    char *second = print(config);
    for (char *a = first, *b = second; *a || *b;) {
        size_t length = strcspn(a, "#\n");
        assert_int_equal(length, strcspn(b, "#\n"));
        assert_memory_equal(a, b, length);
        a += strcspn(a, "\n") + 1;
        b += strcspn(b, "\n") + 1;
        if (a[-1] == '\0' || b[-1] == '\0')
            break;
    }
    assert_non_null(strstr(first, "strip_prefix: \"/a%20b\""));
    assert_non_null(strstr(first, "body: \"a\\x0ab\""));
    free(first);
    free(second);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destinations),
        cmocka_unit_test(rewrites),
        cmocka_unit_test(maintenance),
        cmocka_unit_test(what_is_inherited_is_switched),
        cmocka_unit_test(what_is_printed_loads_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
