/*
 * policy/template: how a text is taken apart, what every variable stands for, and that nothing a client sends
 * can end a field's line.
 */
#include "policy/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct arena arena;
static struct config_findings findings;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 0);
    config_findings_init(&findings);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    config_findings_fini(&findings);
    return 0;
}

static const struct template *compile(const char *text, const char *redacted)
{
    struct config_text *kept = arena_zalloc(&arena, sizeof *kept);
    *kept = (struct config_text){slice_of(text), {"t.yaml", 3, 7, redacted}};
    return template_compile(&arena, kept, &findings);
}

static const char *expand(const char *text, const struct policy_call *call)
{
    const struct template *template = compile(text, NULL);
    assert_non_null(template);
    return arena_copy(&arena, template_expand(template, call));
}

/* A call that knows everything. */
static struct policy_call call_of(void)
{
    static const struct stream_tls told = {.server_name = {"sni.test", 8},
                                           .version = {"TLSv1.3", 7},
                                           .cipher = {"AES", 3},
                                           .certificate_subject = {"CN=a", 4}};
    static const struct stream_client connection = {.tls = &told};
    static struct message request = {.method_text = {"PUT", 3}, .authority = {"A.test:81", 9}};
    static struct target target = {.raw = {"/a%20b?c=d", 10}};
    static struct authority authority = {.host = {"a.test", 6}, .port = 81};
    return (struct policy_call){.arena = &arena,
                                .connection = &connection,
                                .remote = SLICE("10.0.0.1"),
                                .client = SLICE("192.0.2.7"),
                                .secure = true,
                                .request_id = SLICE("0123"),
                                .request = &request,
                                .target = &target,
                                .authority = &authority};
}

static void every_variable(void **state)
{
    (void)state;
    struct policy_call call = call_of();
    assert_string_equal(
        expand("%{client_ip} %{remote_ip} %{scheme} %{host} %{authority} %{port} %{method}", &call),
        "192.0.2.7 10.0.0.1 https a.test A.test:81 81 PUT");
    assert_string_equal(expand("%{path}|%{target}|%{request_id}", &call), "/a%20b|/a%20b?c=d|0123");
    assert_string_equal(expand("%{tls_version}/%{tls_cipher}/%{tls_sni}/%{client_cert}", &call),
                        "TLSv1.3/AES/sni.test/CN=a");
}

static void nothing_is_known_yet(void **state)
{
    (void)state;
    static struct stream_client connection;
    static struct message request;
    static struct target target;
    static struct authority authority;
    struct policy_call call = {.arena = &arena,
                               .connection = &connection,
                               .request = &request,
                               .target = &target,
                               .authority = &authority};
    assert_string_equal(
        expand("%{client_ip}%{host}%{path}%{target}%{tls_sni}%{method}|%{port}|%{scheme}", &call),
        "|80|http");
}

static void literals(void **state)
{
    (void)state;
    struct policy_call call = call_of();
    static const char *const rows[][2] = {{"plain", "plain"},
                                          {"", ""},
                                          {"100%", "100%"},
                                          {"%%{host}", "%{host}"},
                                          {"%", "%"},
                                          {"{host}", "{host}"},
                                          {"a%{host}", "aa.test"},
                                          {"%{host}%{host}b", "a.testa.testb"},
                                          {"%%", "%%"},
                                          {"$host %7B", "$host %7B"},
                                          {"%%{%{port}%%{", "%{81%{"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(expand(rows[i][0], &call), rows[i][1]);
    const struct template *secret = compile("a%{host}", "${env:X}"); /* arrives as it is, never looked into */
    assert_true(slice_equal(template_expand(secret, &call), SLICE("a%{host}")));
}

static void assert_refused(const char *text, const char *said)
{
    assert_null(compile(text, NULL));
    if (memmem(findings.last->text.at, findings.last->text.len, said, strlen(said)) == NULL)
        fail_msg("%.*s", SLICE_ARGS(findings.last->text));
    assert_int_equal(findings.last->origin.line, 3);
}

static void errors(void **state)
{
    (void)state;
    assert_refused("a%{", "has no closing \"}\"");
    assert_refused("%{host", "has no closing \"}\"");
    assert_refused("%{hots}", "unknown variable \"%{hots}\"; known are client_ip");
    assert_refused("%{}", "unknown variable \"%{}\"");
    assert_refused("%{host}%{Host}", "unknown variable \"%{Host}\"");
}

static void bytes_that_no_field_may_hold(void **state)
{
    (void)state;
    struct stream_tls told = {.server_name = SLICE("")};
    struct stream_client connection = {.tls = &told};
    struct policy_call call = call_of();
    struct slice value = SLICE("untouched");
    call.connection = &connection;
    const char bad[] = {'\r', '\n', '\0', '\x01', '\x7f'};
    const struct template *template = compile("x%{tls_sni}y", NULL);
    for (size_t i = 0; i < sizeof bad; i++) {
        told.server_name = slice_make(&bad[i], 1);
        assert_false(template_field_value(template, &call, &value));
        assert_true(slice_equal(value, SLICE("untouched")));
    }
    told.server_name = SLICE("\tz ");
    assert_true(template_field_value(template, &call, &value));
    assert_true(slice_equal(value, SLICE("x\tz y")));
    told.server_name = SLICE(" ");
    assert_false(template_field_value(compile("%{tls_sni}", NULL), &call, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variable),
        cmocka_unit_test(nothing_is_known_yet),
        cmocka_unit_test(literals),
        cmocka_unit_test(errors),
        cmocka_unit_test(bytes_that_no_field_may_hold),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
