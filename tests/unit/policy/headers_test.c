/*
 * policy/headers: what becomes of the fields of both directions, what is inherited, and what nobody may
 * change.
 */
#include "policy_scene.h"

static const char *both(const char *const *sent, bool request)
{
    struct message asked = {.authority = SLICE("a.test")}, response = {.status = 200};
    struct policy_call call = scene_call(&asked);
    struct message *message = request ? &asked : &response;
    scene.authority.host = SLICE("a.test");
    call.client = SLICE("192.0.2.7");
    for (; *sent; sent += 2)
        scene_field(message, sent[0], sent[1]);
    if (request)
        pipeline_forward(&call);
    else
        pipeline_respond(&call, &response);
    return scene_lines(&message->fields);
}

static void every_action(void **state)
{
    (void)state;
    static const char *const sent[] = {"X-Set", "1", "x-set",  "2", "X-Add",  "3", "X-Rep", "4",
                                       "x-rep", "5", "Server", "6", "X-Kept", "7", NULL};
    static const char changes[] =
        "headers: {%s: {set: {x-SET: a, X-New: '%%{client_ip}'}, add: {X-Add: [b, c]}, "
        "replace: {X-Rep: d, X-None: e}, remove: [server, X-Nobody]}}";
    for (int request = 0; request < 2; request++) {
        char text[400];
        snprintf(text, sizeof text, changes, request ? "request" : "response");
        scene_open("", text, "");
        assert_string_equal(
            both(sent, request),
            "X-Add: 3\nX-Kept: 7\nx-SET: a\nX-New: 192.0.2.7\nX-Add: b\nX-Add: c\nX-Rep: d\n");
        assert_string_equal(both(sent, !request),
                            "X-Set: 1\nx-set: 2\nX-Add: 3\nX-Rep: 4\nx-rep: 5\nServer: 6\n"
                            "X-Kept: 7\n");
        scene_close();
    }
}

static void names_are_inherited_one_by_one(void **state)
{
    (void)state;
    static const char *const nothing[] = {"X-C", "own", NULL};
    scene_open("headers: {response: {set: {X-A: a, X-B: b, X-C: c}, add: {X-D: d}}}",
               "headers: {response: {set: {x-a: A}, remove: [X-B]}}",
               "headers: {response: {keep: [x-c], add: {X-D: [e, f], X-B: g}}}");
    assert_string_equal(both(nothing, false), "X-C: own\nx-a: A\nX-D: e\nX-D: f\nX-B: g\n");
    scene_close();
}

static void values_that_do_not_exist_are_not_sent(void **state)
{
    (void)state;
    static const char *const sent[] = {"Host", "b.test", "X-Sni", "spoofed", NULL};
    scene_open("", "headers: {request: {set: {X-Sni: '%{tls_sni}', Host: '%{tls_sni}'}}}", "");
    assert_string_equal(both(sent, true), "Host: b.test\n");
    scene.told.server_name = SLICE("c.test\r\nX-Admin: 1");
    assert_string_equal(both(sent, true), "Host: b.test\n");
    scene.told.server_name = SLICE("c.test");
    assert_string_equal(both(sent, true), "X-Sni: c.test\nHost: c.test\n");
    scene.told.server_name = SLICE("");
    scene_close();
}

static void cookies(void **state)
{
    (void)state;
    static const char *const sent[] = {"Set-Cookie", "a=b; Path=/", "set-cookie", "c=d; Secure",
                                       "Cookie",     "e=f",         NULL};
    scene_open("headers: {cookies: {secure: true, same_site: lax}}",
               "headers: {cookies: {same_site: strict}}", "headers: {response: {add: {Set-Cookie: g=h}}}");
    assert_string_equal(both(sent, false), "Set-Cookie: a=b; Path=/; Secure; SameSite=Strict\n"
                                           "set-cookie: c=d; Secure; SameSite=Strict\nCookie: e=f\n"
                                           "Set-Cookie: g=h; Secure; SameSite=Strict\n");
    scene_close();
}

static void assert_refused(const char *changes, const char *said)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct slice text = arena_printf(&findings.arena,
                                     "listen: [':80']\nupstreams: {app: 'a:1'}\n"
                                     "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app}]}]\n"
                                     "defaults: {headers: {%s}}\n",
                                     changes);
    struct config *config = config_load_text("t.yaml", text, &findings);
    assert_non_null(config);
    struct pipeline *pipeline = pipeline_module.compile(config, NULL, &findings);
    assert_int_equal(findings.errors, said ? 1 : 0);
    if (said && memmem(findings.first->text.at, findings.first->text.len, said, strlen(said)) == NULL)
        fail_msg("%s: %.*s", changes, SLICE_ARGS(findings.first->text));
    pipeline_module.free(pipeline);
    config_free(&config);
    config_findings_fini(&findings);
}

static void what_is_the_gateway_s_own(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"request: {set: {Content-Length: '3'}}", "says where a message ends"},
        {"response: {remove: [Transfer-Encoding]}", "says where a message ends"},
        {"response: {add: {Connection: close}}", "concerns one connection"},
        {"response: {set: {upgrade: h2c}}", "concerns one connection"},
        {"request: {set: {Trailer: x}}", "concerns one connection"},
        {"request: {remove: [Sec-WebSocket-Key]}", "WebSocket handshake"},
        {"response: {set: {sec-websocket-extensions: x}}", "WebSocket handshake"},
        {"request: {set: {X-Forwarded-For: 10.0.0.1}}", "can be removed, not set"},
        {"request: {replace: {x-real-ip: '%{client_ip}'}}", "can be removed, not set"},
        {"request: {add: {Forwarded: for=x}}", "can be removed, not set"},
        {"request: {set: {X-Client-Cert-Verify: SUCCESS}}", "can be removed, not set"},
        {"request: {set: {X-Request-ID: a}}", "can be removed, not set"},
        {"request: {remove: [host]}", "every request has it"},
        {"request: {add: {Host: a}}", "stands once in a request"},
        {"request: {add: {Authorization: a}}", "stands once in a request"},
        {"request: {set: {Expect: 100-continue}}", "answered by the gateway"},
        {"request: {set: {X-A: '%{client}'}}", "unknown variable"},
        {"request: {remove: [X-Forwarded-For, Cookie], set: {Host: b, X-Forwarded-Port: '%{port}'}}", NULL},
        {"response: {set: {X-Request-Id: a, Date: never}, remove: [Proxy-Status]}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_refused(rows[i][0], rows[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_action),
        cmocka_unit_test(names_are_inherited_one_by_one),
        cmocka_unit_test(values_that_do_not_exist_are_not_sent),
        cmocka_unit_test(cookies),
        cmocka_unit_test(what_is_the_gateway_s_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
