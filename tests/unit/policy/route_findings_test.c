/*
 * What is said when routes and hosts are compiled: every error and warning, word by word.
 */
#include "route_fixture.h"

static void assert_findings(const struct fixture *fixture, const char *want)
{
    char text[4096] = "";
    size_t len = 0;
    for (const struct config_finding *finding = fixture->findings.first; finding; finding = finding->next)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s:%u:%u: %s%.*s\n", finding->origin.file,
                                finding->origin.line, finding->origin.column,
                                finding->is_error ? "" : "warning: ", SLICE_ARGS(finding->text));
    assert_string_equal(text, want);
}

#define NEVER(line, route, by, by_line)                                                        \
    "t.yaml:" #line ":9: warning: route " route " can never match: " by " at t.yaml:" #by_line \
    ":9 comes before it and matches everything it would\n"

static void unreachable_routes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *routes; /* from line 2 on */
        const char *findings;
    } rows[] = {
        {STARMEET, ""},
        {"/api /api/v1", NEVER(3, "/api/v1", "/api", 2)},
        {"/api /api", NEVER(3, "/api", "/api", 2)},
        {"/api/ /api", NEVER(3, "/api", "/api/", 2)},
        {"/api /api/", NEVER(3, "/api/", "/api", 2)},
        {"/api /apiary", ""},
        {"/api/v1 /api", ""},
        {"/a /b /a/x/y /b/x", NEVER(4, "/a/x/y", "/a", 2) NEVER(5, "/b/x", "/b", 3)},
        {"/ /x =/y ~z", NEVER(3, "/x", "/", 2) NEVER(4, "/y", "/", 2) NEVER(5, "z", "/", 2)},
        {"/api =/api =/api/x =/apix", NEVER(3, "/api", "/api", 2) NEVER(4, "/api/x", "/api", 2)},
        {"=/x =/x /x", NEVER(3, "/x", "/x", 2)},
        {"~^/u/[0-9]+$ =/u/17 =/u/x /u", NEVER(3, "/u/17", "^/u/[0-9]+$", 2)},
        {"~a$ ~b$ ~a$", NEVER(4, "a$", "a$", 2)},
        {"/u ~^/u/([0-9]+)$", NEVER(3, "^/u/([0-9]+)$", "/u", 2)},
        {"/u ~^/u/a/b(c|d)", NEVER(3, "^/u/a/b(c|d)", "/u", 2)},
        {"/u ~^/u ~^/u$ ~^/ua/b ~/u/", ""},
        {"/u ~^/u/a|^/v", ""},
        {"~^/u/ /u", ""},
        {"/u/a ~^/u/a", ""},
        {"/a /a/b /a/b/c", NEVER(3, "/a/b", "/a", 2) NEVER(4, "/a/b/c", "/a", 2)},
        /* The first of the file is named, though a nearer one would do. */
        {"/a/b /a/b/c /a /a/b/d", NEVER(3, "/a/b/c", "/a/b", 2) NEVER(5, "/a/b/d", "/a/b", 2)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture fixture;
        fixture_init(&fixture);
        site_of(&fixture, "*", rows[i].routes);
        compile(&fixture);
        assert_non_null(fixture.router);
        assert_findings(&fixture, rows[i].findings);
        fixture_fini(&fixture);
    }
}

static void wrong_regexes_are_errors(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    site_of(&fixture, "*", "/api ~^/u/(a /api/v1 ~[b ~(*UTF)a ~^/ok");
    compile(&fixture);
    assert_null(fixture.router);
    assert_findings(
        &fixture,
        "t.yaml:3:19: regex \"^/u/(a\": missing closing parenthesis at offset 6\n"
        "t.yaml:4:9: warning: route /api/v1 can never match: /api at t.yaml:2:9 comes before it and "
        "matches everything it would\n"
        "t.yaml:5:19: regex \"[b\": missing terminating ] for character class at offset 2\n"
        "t.yaml:6:19: regex \"(*UTF)a\": using UTF is disabled by the application at offset 6\n");
    fixture_fini(&fixture);
}

static void a_host_belongs_to_one_site(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    site_of(&fixture, "a.example *.b.example *", "");
    site_of(&fixture, "c.example a.example b.example *.a.example", "");
    site_of(&fixture, "*.b.example * c.example d.example d.example", "");
    compile(&fixture);
    assert_null(fixture.router);
    assert_findings(&fixture, "t.yaml:5:9: host \"a.example\" is already named at t.yaml:1\n"
                              "t.yaml:8:9: host \"*.b.example\" is already named at t.yaml:2\n"
                              "t.yaml:9:9: host \"*\" is already named at t.yaml:3\n"
                              "t.yaml:10:9: host \"c.example\" is already named at t.yaml:4\n"
                              "t.yaml:12:9: host \"d.example\" is already named at t.yaml:11\n");
    fixture_fini(&fixture);
}

static void secrets_are_shown_as_written(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    struct config_site *site = site_of(&fixture, "a.example a.example", "/s3cret /s3cret/x ~(s3cret");
    site->hosts[1].origin.redacted = "${env:HOST}";
    site->routes[0].pattern_origin.redacted = "${env:A}";
    site->routes[1].pattern_origin.redacted = "${env:B}";
    site->routes[2].pattern_origin.redacted = "${env:C}";
    compile(&fixture);
    assert_findings(&fixture,
                    "t.yaml:2:9: host \"${env:HOST}\" is already named at t.yaml:1\n"
                    "t.yaml:4:9: warning: route ${env:B} can never match: ${env:A} at t.yaml:3:9 comes "
                    "before it and matches everything it would\n"
                    "t.yaml:5:19: regex \"${env:C}\": missing closing parenthesis at offset 7\n");
    fixture_fini(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unreachable_routes_are_named),
        cmocka_unit_test(wrong_regexes_are_errors),
        cmocka_unit_test(a_host_belongs_to_one_site),
        cmocka_unit_test(secrets_are_shown_as_written),
    };
    return cmocka_run_group_tests_name("route findings", tests, NULL, NULL);
}
