/*
 * policy/cors: who gets which fields, that preflights are answered here, and that caches are told to keep
 * origins apart.
 */
#include "policy_scene.h"

static struct policy_call call;
static struct message request;

static enum policy_verdict ask(const char *method, const char *origin, const char *wanted)
{
    request = (struct message){.method = method_of(slice_of(method)), .method_text = slice_of(method)};
    if (origin)
        scene_field(&request, "Origin", origin);
    if (wanted)
        scene_field(&request, "Access-Control-Request-Method", wanted);
    call = scene_call(&request);
    return pipeline_judge(&call);
}

static const char *answer(const char *vary)
{
    struct message response = {.status = 200};
    scene_field(&response, "Access-Control-Allow-Origin", "*");
    scene_field(&response, "access-control-allow-private-network", "true");
    if (vary)
        scene_field(&response, "Vary", vary);
    pipeline_respond(&call, &response);
    return scene_lines(&response.fields);
}

static void origins_are_compared_exactly(void **state)
{
    (void)state;
    static const char *const strangers[] = {"http://a.test",
                                            "https://a.test.evil",
                                            "https://a.test:443",
                                            "https://A.test",
                                            "https://a.tes",
                                            "null",
                                            "https://b.test:80",
                                            "https://a.test, https://b.test:81",
                                            "",
                                            "*"};
    scene_open("", "cors: {origins: ['https://b.test:81', 'https://a.test']}", "");
    assert_int_equal(ask("GET", "https://a.test", NULL), POLICY_PASS);
    assert_string_equal(answer(NULL), "vary: Origin\naccess-control-allow-origin: https://a.test\n");
    assert_int_equal(ask("GET", "https://b.test:81", NULL), POLICY_PASS);
    assert_string_equal(answer("Origin"), "Vary: Origin\naccess-control-allow-origin: https://b.test:81\n");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        assert_int_equal(ask("GET", strangers[i], NULL), POLICY_PASS);
        assert_string_equal(answer(NULL), "vary: Origin\n");
    }
    assert_int_equal(ask("GET", NULL, NULL), POLICY_PASS);
    assert_string_equal(answer("Accept-Encoding"), "Vary: Accept-Encoding\nvary: Origin\n");
    assert_string_equal(answer("*"), "Vary: *\n");
    scene_close();
}

static void preflights(void **state)
{
    (void)state;
    scene_open(
        "methods: [GET]",
        "cors: {origins: ['https://a.test'], methods: [GET, PUT], headers: [X-A, X-B], credentials: true, "
        "expose: [X-C], max_age: 2m}",
        "");
    assert_int_equal(ask("OPTIONS", "https://a.test", "PUT"), POLICY_ANSWER);
    assert_int_equal(call.answer.status, 204);
    assert_string_equal(answer(NULL),
                        "vary: Origin\naccess-control-allow-origin: https://a.test\n"
                        "access-control-allow-credentials: true\n"
                        "access-control-expose-headers: X-C\n"
                        "access-control-allow-methods: GET, PUT\n"
                        "access-control-allow-headers: X-A, X-B\naccess-control-max-age: 120\n");
    assert_int_equal(ask("OPTIONS", "https://evil.test", "PUT"), POLICY_ANSWER);
    assert_string_equal(answer(NULL), "vary: Origin\n");
    assert_int_equal(ask("OPTIONS", "https://a.test", NULL), POLICY_REFUSE); /* not one of `methods` */
    assert_int_equal(ask("OPTIONS", NULL, "PUT"), POLICY_REFUSE);
    assert_int_equal(ask("PUT", "https://a.test", "PUT"), POLICY_REFUSE);
    scene_close();
}

static void everybody_and_nobody(void **state)
{
    (void)state;
    scene_open("cors: {origins: ['https://a.test'], credentials: true}",
               "cors: {origins: ['*'], credentials: false}", "");
    assert_int_equal(ask("GET", "https://b.test", NULL), POLICY_PASS);
    assert_string_equal(answer(NULL), "vary: Origin\naccess-control-allow-origin: *\n");
    scene_close();
    scene_open("cors: {origins: ['https://a.test']}", "", "cors: off");
    assert_int_equal(ask("OPTIONS", "https://a.test", "GET"), POLICY_PASS);
    assert_string_equal(answer(NULL),
                        "Access-Control-Allow-Origin: *\naccess-control-allow-private-network: true\n");
    scene_close();
}

static void a_text_holds_many(void **state)
{
    (void)state;
    scene_open(
        "", "cors: {origins: \"https://c.test\\nhttps://a.test\\r\\n\\nhttp://b.test:1, https://d.test \"}",
        "");
    static const char *const origins[] = {"https://a.test", "http://b.test:1", "https://c.test",
                                          "https://d.test"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ask("GET", origins[i], NULL), POLICY_PASS);
        assert_non_null(strstr(answer(NULL), origins[i]));
    }
    scene_close();
}

static void refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{origins: ['*'], credentials: true}", "credentials never go to every origin"},
        {"{origins: ['*', 'https://a.test']}", "nothing can stand beside it"},
        {"{origins: []}", "no origin is listed"},
        {"{origins: ''}", "no origin is listed"},
        {"{max_age: 1m}", "missing key \"origins\""},
        {"{origins: ['https://a.test/']}", "scheme, host and port in lower case"},
        {"{origins: ['https://A.test']}", "scheme, host and port in lower case"},
        {"{origins: ['a.test']}", "begins with its scheme"},
        {"{origins: ['null']}", "begins with its scheme"},
        {"{origins: ['https://']}", "has a host"},
        {"{origins: ['https://a.test:x']}", "the port is no number"},
        {"{origins: ['https://a.test'], methods: ['G T']}", "is no name"},
        {"on", "expected off or a mapping"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config_findings findings;
        config_findings_init(&findings);
        struct slice text = arena_printf(&findings.arena,
                                         "listen: [':80']\nupstreams: {app: 'a:1'}\ndefaults: {cors: %s}\n"
                                         "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app}]}]\n",
                                         rows[i][0]);
        assert_null(config_load_text("t.yaml", text, &findings));
        assert_int_equal(findings.errors, 1);
        assert_int_equal(findings.first->origin.line, 3);
        if (memmem(findings.first->text.at, findings.first->text.len, rows[i][1], strlen(rows[i][1])) == NULL)
            fail_msg("%s: %.*s", rows[i][0], SLICE_ARGS(findings.first->text));
        config_findings_fini(&findings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_compared_exactly),
        cmocka_unit_test(preflights),
        cmocka_unit_test(everybody_and_nobody),
        cmocka_unit_test(a_text_holds_many),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
