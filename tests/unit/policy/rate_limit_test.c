/*
 * policy/rate_limit: who is asked in which turn of a thread's tasks, and what clients are told by whom.
 */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char text[] = "listen: [':80']\nupstreams: {app: 'a:1'}\n"
                           "limits:\n"
                           "  wide: {rate: 1/h, burst: 1, key: header X-Wide}\n"
                           "  narrow: {window: 1/24h, key: header X-Narrow}\n"
                           "  watched: {rate: 1/h, key: header X-Watched, mode: shadow}\n"
                           "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app, "
                           "limits: [wide, narrow, watched]}]}]\n";

static struct {
    struct config_findings findings;
    struct config *config;
    struct pipeline *pipeline;
    struct arena arena;
    struct loop loop;
    struct task task;
    struct target target;
    struct authority authority;
} scene;

static void run(struct task *task)
{
    (void)task;
}

static int set_up(void **state)
{
    (void)state;
    config_findings_init(&scene.findings);
    arena_init(&scene.arena, NULL, 0);
    task_queue_init(&scene.loop.tasks);
    task_init(&scene.task, &scene.loop.tasks, run, false);
    scene.config = config_load_text("t.yaml", SLICE(text), &scene.findings);
    assert_non_null(scene.config);
    scene.pipeline = pipeline_module.compile(scene.config, NULL, &scene.findings);
    assert_non_null(scene.pipeline);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pipeline_module.free(scene.pipeline);
    config_free(&scene.config);
    config_findings_fini(&scene.findings);
    arena_fini(&scene.arena);
    return 0;
}

/* A request with these fields, NULL at their end. */
static struct policy_call call_of(struct message *request, const char *const *names)
{
    *request = (struct message){.status = 0};
    for (; *names; names++)
        fields_add(&request->fields, &scene.arena, slice_of(*names), SLICE("a"));
    struct policy_call call = {.loop = &scene.loop,
                               .task = &scene.task,
                               .arena = &scene.arena,
                               .request = request,
                               .target = &scene.target,
                               .authority = &scene.authority};
    pipeline_enter(&call, scene.pipeline, &scene.config->sites[0].routes[0].scope);
    return call;
}

/* NULL: there is no such field. */
static const char *told(struct policy_call *call, enum field_id id)
{
    struct message response = {.status = 200};
    pipeline_respond(call, &response);
    const struct field *field = fields_find(&response.fields, id);
    return field ? arena_copy(&scene.arena, field_value(field)) : NULL;
}

static void those_that_count_the_request_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *names[4], *told;
    } rows[] = {
        {{"X-Wide"}, "\"wide\";r=1;t=3600"},
        {{"X-Narrow", "X-Watched"}, "\"narrow\";r=0;t="},
        {{"X-Wide", "X-Narrow"}, "\"wide\";r=1;t=3600, \"narrow\";r=0;t="},
        {{"X-Watched"}, NULL}, /* it does not bind: there is nothing to tell */
        {{NULL}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message request;
        struct policy_call call = call_of(&request, rows[i].names);
        enum policy_verdict verdict = pipeline_judge(&call);
        assert_int_equal(verdict, i == 2 ? POLICY_REFUSE : POLICY_PASS);
        const char *field = told(&call, FIELD_ratelimit);
        assert_true((field == NULL) == (rows[i].told == NULL));
        if (field)
            assert_memory_equal(field, rows[i].told, strlen(rows[i].told));
    }
}

static void whoever_else_is_ready_goes_first(void **state)
{
    (void)state;
    struct message request;
    struct policy_call call = call_of(&request, (const char *[]){"X-Wide", NULL});
    struct task other;
    task_init(&other, &scene.loop.tasks, run, false);
    task_wake(&other);
    assert_int_equal(pipeline_judge(&call), POLICY_WAIT);
    assert_true(list_linked(&scene.task.node) && list_linked(&other.node));
    assert_null(told(&call, FIELD_ratelimit));            /* it has not been asked: it broke off, say */
    assert_int_equal(pipeline_judge(&call), POLICY_PASS); /* once only, though the other is still ready */
    assert_string_equal(told(&call, FIELD_ratelimit), "\"wide\";r=1;t=3600");
    task_drain(&scene.loop.tasks);
}

static void nobody_waits_for_itself_or_without_a_key(void **state)
{
    (void)state;
    struct message request;
    struct policy_call call = call_of(&request, (const char *[]){"X-Wide", NULL});
    assert_int_equal(pipeline_judge(&call), POLICY_PASS);
    struct task other;
    task_init(&other, &scene.loop.tasks, run, false);
    task_wake(&other);
    call = call_of(&request, (const char *[]){NULL});
    assert_int_equal(pipeline_judge(&call), POLICY_PASS);
    assert_false(list_linked(&scene.task.node));
    task_drain(&scene.loop.tasks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_that_count_the_request_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_else_is_ready_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_waits_for_itself_or_without_a_key, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
