/*
 * policy/forward_auth: what the service is asked, what each of its answers means for the request, and that
 * nobody but the service says who the user is.
 */
#include "policy_scene.h"

#include <stdlib.h>

static int open_scene(void **state)
{
    (void)state;
    scene_open("", "", "forward_auth: {upstream: app, path: /judge?x=1, copy: [Remote-User, X-Groups]}");
    return 0;
}

static int close_scene(void **state)
{
    (void)state;
    scene_close();
    return 0;
}

static struct policy_call call_of(struct message *request)
{
    *request = (struct message){.method_text = SLICE("PUT"), .authority = SLICE("shop.test")};
    scene.target.raw = SLICE("/own/a%20b?c");
    struct policy_call call = scene_call(request);
    call.client = SLICE("192.0.2.1");
    call.request_id = SLICE("id");
    return call;
}

/* The service has answered. */
static struct policy_question *answer(struct policy_call *call, unsigned status)
{
    if (call->question == NULL)
        assert_int_equal(pipeline_judge(call), POLICY_ASK);
    call->question->answered = true;
    call->question->response.status = status;
    return call->question;
}

static void the_question(void **state)
{
    (void)state;
    struct message request;
    struct policy_call call = call_of(&request);
    call.secure = true;
    scene_field(&request, "cookie", "s=1");
    scene_field(&request, "x-forwarded-for", "10.6.6.6");
    scene_field(&request, "authorization", "Bearer t");
    scene_field(&request, "content-length", "5");
    scene_field(&request, "accept-language", "de");
    request.fields.at[4].marks |= FIELD_GONE;
    assert_int_equal(pipeline_judge(&call), POLICY_ASK);
    const struct policy_question *question = call.question;
    assert_ptr_equal(question->upstream, scene.config->sites[0].routes[0].upstream);
    assert_true(slice_equal(question->request.target, SLICE("/judge?x=1")));
    assert_true(slice_equal(question->request.method_text, SLICE("GET")));
    assert_int_equal(question->timeout_us, 5000000);
    assert_string_equal(scene_lines(&question->request.fields),
                        "host: a:1\n"
                        "x-forwarded-method: PUT\n"
                        "x-forwarded-proto: https\n"
                        "x-forwarded-host: shop.test\n"
                        "x-forwarded-uri: /own/a%20b?c\n"
                        "x-forwarded-for: 192.0.2.1\n"
                        "x-real-ip: 192.0.2.1\n"
                        "x-original-method: PUT\n"
                        "x-original-url: https://shop.test/own/a%20b?c\n"
                        "x-request-id: id\n"
                        "cookie: s=1\n"
                        "authorization: Bearer t\n");
    assert_int_equal(pipeline_judge(&call), POLICY_ASK); /* until it has been answered */
    assert_ptr_equal(call.question, question);
}

static void only_consent_passes(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        enum fault fault;
        enum policy_verdict verdict;
    } rows[] = {{200, FAULT_NONE, POLICY_PASS},
                {204, FAULT_NONE, POLICY_PASS},
                {299, FAULT_NONE, POLICY_PASS},
                {302, FAULT_NONE, POLICY_ANSWER},
                {304, FAULT_NONE, POLICY_REFUSE},
                {401, FAULT_NONE, POLICY_ANSWER},
                {404, FAULT_NONE, POLICY_ANSWER},
                {499, FAULT_NONE, POLICY_ANSWER},
                {500, FAULT_NONE, POLICY_REFUSE},
                {503, FAULT_NONE, POLICY_REFUSE},
                {200, FAULT_upstream_truncated, POLICY_REFUSE},
                {0, FAULT_connect_refused, POLICY_REFUSE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message request;
        struct policy_call call = call_of(&request);
        answer(&call, rows[i].status)->fault = rows[i].fault;
        enum policy_verdict verdict = pipeline_judge(&call);
        if (verdict != rows[i].verdict)
            fail_msg("%u, %s: verdict %d", rows[i].status, fault_row(rows[i].fault)->name, verdict);
        assert_int_equal(call.fault, verdict == POLICY_REFUSE ? FAULT_auth_unavailable : FAULT_NONE);
        assert_int_equal(call.notice.len > 0, verdict == POLICY_REFUSE);
        assert_int_equal(call.answer.status, verdict == POLICY_ANSWER ? rows[i].status : 0);
    }
}

static void a_refusal_goes_to_the_client(void **state)
{
    (void)state;
    struct message request, response = {.status = 302};
    struct policy_call call = call_of(&request);
    struct policy_question *question = answer(&call, 302);
    question->content = SLICE("see there");
    scene_field(&question->response, "location", "https://sign.in/");
    scene_field(&question->response, "content-type", "text/x");
    scene_field(&question->response, "set-cookie", "csrf=1");
    scene_field(&question->response, "date", "yesterday");
    scene_field(&question->response, "server", "judge");
    scene_field(&question->response, "x-request-id", "judge's");
    assert_int_equal(pipeline_judge(&call), POLICY_ANSWER);
    assert_true(slice_equal(call.answer.text, SLICE("see there")));
    assert_true(slice_equal(call.answer.type, SLICE("text/x")));
    assert_string_equal(scene_lines(call.answer.fields), "location: https://sign.in/\nset-cookie: csrf=1\n");
    pipeline_respond(&call, &response);
    assert_int_equal(response.fields.count, 0); /* what its answer sets is in it already */
}

static void nobody_else_says_who_it_is(void **state)
{
    (void)state;
    struct message request, response = {.status = 200};
    struct policy_call call = call_of(&request);
    scene_field(&request, "REMOTE-USER", "root");
    scene_field(&request, "x-groups", "admins");
    scene_field(&request, "remote-user", "root");
    scene_field(&request, "x-own", "1");
    struct policy_question *question = answer(&call, 200);
    scene_field(&question->response, "Remote-User", "alice");
    scene_field(&question->response, "X-Other", "not copied");
    scene_field(&question->response, "Set-Cookie", "s=2");
    assert_int_equal(pipeline_judge(&call), POLICY_PASS);
    pipeline_forward(&call);
    assert_string_equal(scene_lines(&request.fields), "x-own: 1\nRemote-User: alice\n");
    assert_true(call.drops_trailers);
    pipeline_respond(&call, &response);
    assert_string_equal(scene_lines(&response.fields), "set-cookie: s=2\n");
}

static void told(void *arg, const char *policy, struct config_origin origin, struct slice sentence)
{
    (void)origin;
    struct slice *said = arg;
    *said = arena_printf(&scene.arena, "%s: %.*s", policy, SLICE_ARGS(sentence));
}

/* `explain` opens no connection; nobody's fields pass there either. */
static void a_rehearsal_supposes_consent(void **state)
{
    (void)state;
    struct message request;
    struct slice said = {NULL, 0};
    struct policy_call call = call_of(&request);
    call.trace = told;
    call.trace_arg = &said;
    scene_field(&request, "remote-user", "root");
    assert_int_equal(pipeline_judge(&call), POLICY_PASS);
    assert_null(call.question);
    assert_true(
        slice_equal(said, SLICE("forward_auth: app is asked, GET /judge?x=1; its consent is supposed here")));
    pipeline_forward(&call);
    assert_string_equal(scene_lines(&request.fields), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_question, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(only_consent_passes, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_refusal_goes_to_the_client, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(nobody_else_says_who_it_is, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(a_rehearsal_supposes_consent, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
