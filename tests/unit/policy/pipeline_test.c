/*
 * policy/pipeline: which rules a scope has, and that a question goes on where it stopped. Driven by the
 * policies of the table, with configurations as they are written.
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char text[] = "listen: [':80']\nupstreams: {app: 'a:1'}\n"
                           "defaults: {methods: [PUT]}\n"
                           "sites:\n- hosts: ['*']\n  methods: [GET, HEAD]\n  routes:\n"
                           "  - {prefix: /all, upstream: app, methods: []}\n"
                           "  - {prefix: /, upstream: app}\n";

static struct config_findings findings;
static struct config *config;
static struct pipeline *pipeline;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    config_findings_init(&findings);
    arena_init(&arena, NULL, 0);
    config = config_load_text("t.yaml", SLICE(text), &findings);
    assert_non_null(config);
    pipeline = pipeline_module.compile(config, NULL, &findings);
    assert_non_null(pipeline);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pipeline_module.free(pipeline);
    config_free(&config);
    config_findings_fini(&findings);
    arena_fini(&arena);
    return 0;
}

static struct slice traced;

static void keep(void *arg, const char *policy, struct config_origin origin, struct slice sentence)
{
    (void)arg;
    traced = arena_printf(&arena, "%s %u: %.*s", policy, origin.line, SLICE_ARGS(sentence));
}

static struct policy_call ask(const struct config_scope *scope, const char *method, struct message *request)
{
    request->method_text = slice_of(method);
    struct policy_call call = {.arena = &arena, .request = request, .trace = keep};
    pipeline_enter(&call, pipeline, scope);
    return call;
}

static void the_scope_decides(void **state)
{
    (void)state;
    const struct config_site *site = &config->sites[0];
    const struct {
        const struct config_scope *scope;
        const char *method;
        enum policy_verdict verdict;
    } rows[] = {{&config->defaults, "PUT", POLICY_PASS},
                {&config->defaults, "GET", POLICY_REFUSE},
                {&site->scope, "GET", POLICY_PASS},
                {&site->scope, "PUT", POLICY_REFUSE},
                {&site->routes[0].scope, "ANY", POLICY_PASS},
                {&site->routes[1].scope, "HEAD", POLICY_PASS},
                {&site->routes[1].scope, "PUT", POLICY_REFUSE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message request = {0};
        struct policy_call call = ask(rows[i].scope, rows[i].method, &request);
        assert_int_equal(pipeline_judge(&call), rows[i].verdict);
        assert_int_equal(call.fault,
                         rows[i].verdict == POLICY_REFUSE ? FAULT_method_not_allowed : FAULT_NONE);
    }
}

static void responses_pass_too(void **state)
{
    (void)state;
    struct message request = {0}, response = {.status = 405}, other = {.status = 200};
    struct policy_call call = ask(&config->sites[0].scope, "PUT", &request);
    assert_int_equal(pipeline_judge(&call), POLICY_REFUSE);
    fields_add(&response.fields, &arena, SLICE("Allow"), SLICE("ANYTHING"));
    pipeline_respond(&call, &response);
    assert_int_equal(fields_count(&response.fields, FIELD_allow), 1);
    struct slice allow = field_value(fields_find(&response.fields, FIELD_allow));
    assert_true(slice_equal(allow, SLICE("GET, HEAD")));
    call = ask(&config->sites[0].scope, "GET", &request);
    assert_int_equal(pipeline_judge(&call), POLICY_PASS);
    pipeline_forward(&call);
    pipeline_respond(&call, &other);
    pipeline_finish(&call, other.status);
    assert_int_equal(other.fields.count, 0);
}

static void the_trace_names_the_place(void **state)
{
    (void)state;
    struct message request = {0};
    struct policy_call call = ask(&config->sites[0].scope, "PUT", &request);
    assert_int_equal(pipeline_judge(&call), POLICY_REFUSE);
    assert_true(slice_equal(traced, SLICE("methods 6: PUT is not one of GET, HEAD")));
}

static void who_asks(void **state)
{
    (void)state;
    struct slice from = SLICE("192.0.2.1");
    struct address address, remote;
    assert_true(address_from_literal(from, 1, &remote));
    struct stream_client connection = {.address = address_remote(&remote)};
    struct policy_call call = {.connection = &connection, .remote = from, .client = from};
    assert_true(policy_client_address(&call, &address));
    assert_true(address_equal(&address, &remote));
    call.client = SLICE("2001:db8::1"); /* a trusted proxy said so */
    assert_true(policy_client_address(&call, &address));
    assert_int_equal(address.any.sa_family, AF_INET6);
    connection.address.any.sa_family = AF_UNIX;
    call.client = call.remote;
    assert_false(policy_client_address(&call, &address));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scope_decides),
        cmocka_unit_test(responses_pass_too),
        cmocka_unit_test(the_trace_names_the_place),
        cmocka_unit_test(who_asks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
