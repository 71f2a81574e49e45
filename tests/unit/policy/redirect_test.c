/*
 * policy/redirect: where requests are sent, that no request chooses the host, and which requests are not
 * redirected at all.
 */
#include "answer_fixture.h"

static const char routes[] =
    "  - {prefix: /blog, redirect: 'https://blog.test%{target}'}\n"
    "  - {prefix: /www, redirect: {to: '%{scheme}://%{host}/new%{path}', status: 301}}\n"
    "  - {regex: '^/u/(?<name>[^/]+)(/.*)?$', redirect: {to: '/users/%{name}%{2}', status: 301}}\n"
    "  - {regex: '^/go/(.*)$', redirect: {to: '/%{1}', status: 307}}\n"
    "  - {prefix: /login, redirect: {to: 'https://id.test/?next=%{target}&for=%{host}', status: 303}}\n"
    "  - {prefix: /keep, redirect: {to: '/%%x/x?%{query}#top', status: 308}}\n";

static void places(void **state)
{
    (void)state;
    static const struct {
        const char *target, *host, *location;
        unsigned status;
    } rows[] = {
        {"/blog", NULL, "https://blog.test/blog", 302},
        {"/blog/a%2Fb?x=1&y", NULL, "https://blog.test/blog/a%2Fb?x=1&y", 302},
        {"/www/x?q", "a.test", "http://a.test/new/www/x", 301},
        {"/www/x", "sub.b.test", "http://sub.b.test/new/www/x", 301},
        {"/www/x", "evil.test", "http://a.test/new/www/x", 301},
        {"/u/bob", NULL, "/users/bob", 301},
        {"/u/bob/likes?x", NULL, "/users/bob/likes", 301},
        {"/u/a%20b%0d%0aX:y", NULL, "/users/a%20b%0D%0AX:y", 301},
        {"/u/caf%C3%A9%3F%23", NULL, "/users/caf%C3%A9%3F%23", 301},
        {"/u/a\\b", NULL, "/users/a%5Cb", 301},
        {"/go/x/y", NULL, "/x/y", 307},
        {"/go/https://evil.test/", NULL, "/https://evil.test/", 307},
        {"/login?a=1&b=%2F", NULL, "https://id.test/?next=/login%3Fa%3D1%26b%3D%252F&for=a.test", 303},
        {"/keep?a=1&b", NULL, "/%%x/x?a=1&b#top", 308},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome outcome =
            fixture_ask(&fixture, (struct asked){"GET", rows[i].target, rows[i].host, false});
        if (outcome.verdict != POLICY_ANSWER || outcome.answer.status != rows[i].status ||
            !slice_equal(outcome.answer.location, slice_of(rows[i].location)))
            fail_msg("%s: %u %s, %.*s", rows[i].target, outcome.answer.status, fault_row(outcome.fault)->name,
                     SLICE_ARGS(outcome.answer.location));
    }
}

static void no_request_names_the_host(void **state)
{
    (void)state;
    static const char *const targets[] = {"/go//evil.test", "/go//evil.test/%2e", "/go///"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct outcome outcome = fixture_ask(&fixture, (struct asked){"GET", targets[i], NULL, false});
        if (outcome.verdict != POLICY_REFUSE || fault_row(outcome.fault)->status != 400)
            fail_msg("%s: %.*s", targets[i], SLICE_ARGS(outcome.answer.location));
    }
    struct outcome backslash = fixture_ask(&fixture, (struct asked){"GET", "/go/\\evil.test", NULL, false});
    assert_true(slice_equal(backslash.answer.location, SLICE("/%5Cevil.test")));
}

/* What would lose its body or its upgrade stays here, unless the status keeps it. */
static void what_survives(void **state)
{
    (void)state;
    static const struct {
        struct asked asked;
        enum fault fault;
    } rows[] = {
        {{"HEAD", "/blog", NULL, false}, FAULT_NONE},
        {{"POST", "/blog", NULL, false}, FAULT_method_not_allowed},
        {{"POST", "/u/bob", NULL, false}, FAULT_method_not_allowed},
        {{"POST", "/login", NULL, false}, FAULT_NONE},
        {{"POST", "/go/x", NULL, false}, FAULT_NONE},
        {{"PROPFIND", "/keep", NULL, false}, FAULT_NONE},
        {{"GET", "/blog", NULL, true}, FAULT_no_websocket},
        {{"GET", "/login", NULL, true}, FAULT_no_websocket},
        {{"GET", "/go/x", NULL, true}, FAULT_NONE},
        {{"GET", "/keep", NULL, true}, FAULT_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome outcome = fixture_ask(&fixture, rows[i].asked);
        if (outcome.fault != rows[i].fault || (outcome.verdict == POLICY_ANSWER) != !rows[i].fault)
            fail_msg("%s %s: %s", rows[i].asked.method, rows[i].asked.target, fault_row(outcome.fault)->name);
        bool has_allow = fields_count(&outcome.response.fields, FIELD_allow) == 1;
        assert_true(has_allow == (rows[i].fault == FAULT_method_not_allowed));
    }
}

static void a_location_has_an_end(void **state)
{
    (void)state;
    char target[16 * 1024];
    memset(target, '"', sizeof target); /* each becomes three bytes */
    memcpy(target, "/u/", 3);
    target[sizeof target - 1] = '\0';
    struct outcome outcome = fixture_ask(&fixture, (struct asked){"GET", target, NULL, false});
    assert_int_equal(outcome.fault, FAULT_target_too_long);
}

static void templates(void **state)
{
    (void)state;
    static const struct {
        const char *route, *said;
    } rows[] = {
        {"{prefix: /, redirect: ''}", "expected a URL"},
        {"{prefix: /, redirect: '$'}", "write \"https://host/...\" or \"/...\""},
        {"{prefix: /, redirect: x}", "write \"https://host/...\""},
        {"{prefix: /, redirect: '%{path}'}", "leads back to this route"},
        {"{prefix: /, redirect: '%{target}?x=1'}", "leads back to this route"},
        {"{prefix: /, redirect: 'http://%{host}%{target}'}", "leads back to this route"},
        {"{prefix: /, redirect: 'http://a.test%{path}'}", "leads back to this route"},
        {"{prefix: /, redirect: '%{scheme}://a.test/x?y=%{query}'}", "leads back to this route"},
        {"{prefix: /, redirect: 'http://a.test'}", "leads back to this route"},
        {"{prefix: /a, redirect: /a/b}", "leads back to this route"},
        {"{prefix: /a, redirect: /%61}", "leads back to this route"},
        {"{prefix: /a, redirect: /b}", ""},
        {"{prefix: /, redirect: /first}", ""},
        {"{prefix: /, redirect: 'https://a.test%{target}'}", ""}, /* nobody comes in by TLS here */
        {"{prefix: /, redirect: 'http://c.test%{target}'}", ""},
        {"{prefix: /, redirect: 'http://%{host}:81%{target}'}", ""},
        {"{prefix: /, redirect: 'http://www.%{host}%{target}'}", ""},
        {"{prefix: /, redirect: '/new%{path}'}", ""},
        {"{prefix: /, redirect: //evil.test}", "\"//\" begins a host"},
        {"{prefix: /, redirect: '/%{path}'}", "\"//\" begins a host"},
        {"{prefix: /, redirect: /\\evil}", "visible ASCII"},
        {"{prefix: /, redirect: ftp://a/}", "write \"https://host/...\""},
        {"{prefix: /, redirect: 'https://%{query}/'}", "no part of a request may become the host"},
        {"{prefix: /, redirect: 'https://a.test%{query}'}", "no part of a request may become the host"},
        {"{regex: '^/(.*)', redirect: 'https://a.test%{1}'}", "no part of a request may become the host"},
        {"{regex: '^/(.*)', redirect: 'https://%{1}.a.test/'}", "no part of a request may become the host"},
        {"{prefix: /, redirect: 'https://www.%{host}:8443%{target}'}", ""},
        {"{prefix: /, redirect: 'https://me@a.test/'}", "its host is none"},
        {"{prefix: /, redirect: 'https:///x'}", "its host is none"},
        {"{prefix: /, redirect: 'https://a b/'}", "visible ASCII"},
        {"{prefix: /, redirect: \"https://a/\\r\\nX: y\"}", "visible ASCII"},
        {"{prefix: /, redirect: /caf\xc3\xa9}", "visible ASCII"},
        {"{prefix: /, redirect: '/%{1}'}", "there is no group \"%{1}\""},
        {"{regex: '^/(a)', redirect: '/%{2}'}", "there is no group \"%{2}\""},
        {"{regex: '^/(a)', redirect: '/%{0}'}", "there is no group \"%{0}\""},
        {"{prefix: /, redirect: '/%{}'}", "unknown variable \"%{}\""},
        {"{prefix: /, redirect: '/%{host'}", "has no closing"},
        {"{prefix: /, redirect: '/%%{host}'}", "visible ASCII"},
        {"{prefix: /, redirect: '/%{nme}'}", "unknown variable \"%{nme}\"; known are client_ip"},
        {"{prefix: /, redirect: '/%{Host}'}", "unknown variable \"%{Host}\""},
        {"{prefix: /, redirect: '/a"
         "%{host}%{host}%{host}%{host}%{host}%{host}%{host}%{host}%{host}%{host}%{host}%{host}%{host}%{host}%"
         "{host}%{host}%{host}"
         "'}",
         "more than 16 variables"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture other;
        fixture_init(&other, "");
        struct slice text = arena_printf(&other.arena, "  - %s\n", rows[i].route);
        struct fixture one;
        fixture_init(&one, text.at);
        const char *said = fixture_said(&one);
        if (rows[i].said[0] ? strstr(said, rows[i].said) == NULL : said[0] != '\0')
            fail_msg("%s: %s", rows[i].route, said);
        fixture_fini(&one);
        fixture_fini(&other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),        cmocka_unit_test(no_request_names_the_host),
        cmocka_unit_test(what_survives), cmocka_unit_test(a_location_has_an_end),
        cmocka_unit_test(templates),
    };
    fixture_routes = routes;
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
