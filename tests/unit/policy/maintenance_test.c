/*
 * policy/maintenance and policy/respond: what is answered here, with what, and who passes nevertheless.
 */
#include "answer_fixture.h"

static const char routes[] =
    "  - {prefix: /plain, upstream: app, maintenance: true}\n"
    "  - {prefix: /own, upstream: app, maintenance: {status: 500, retry_after: 1500ms, body: b, type: "
    "text/html}}\n"
    "  - {prefix: /never, upstream: app, maintenance: {retry_after: 0}}\n"
    "  - {prefix: /team, upstream: app, maintenance: {allow: [198.51.100.0/24, 192.0.2.0/24]}}\n"
    "  - {prefix: /others, upstream: app, maintenance: {allow: [198.51.100.0/24]}}\n"
    "  - {prefix: /off, upstream: app, maintenance: {on: false, body: b}}\n"
    "  - {prefix: /gone, maintenance: true, respond: 410}\n"
    "  - {prefix: /empty, respond: 204}\n"
    "  - {prefix: /missing, respond: 404}\n"
    "  - {prefix: /said, respond: {body: \"a: b\\n\", type: text/html}}\n"
    "  - {prefix: /silent, respond: {status: 200, body: ''}}\n";

static const char *value_of(const struct message *response, enum field_id id)
{
    const struct field *field = fields_find(&response->fields, id);
    return field ? arena_copy(&fixture.arena, field_value(field)) : "";
}

static void answers(void **state)
{
    (void)state;
    static const struct {
        const char *target;
        unsigned status;
        const char *text, *type, *retry_after, *cache_control;
    } rows[] = {
        {"/plain", 503, "this service is being worked on; please come back later\n",
         "text/plain; charset=utf-8", "300", "no-store"},
        {"/own", 500, "b", "text/html", "2", "no-store"},
        {"/never", 503, "this service is being worked on; please come back later\n",
         "text/plain; charset=utf-8", "", "no-store"},
        {"/others", 503, "this service is being worked on; please come back later\n",
         "text/plain; charset=utf-8", "300", "no-store"},
        {"/gone", 503, "this service is being worked on; please come back later\n",
         "text/plain; charset=utf-8", "300", "no-store"},
        {"/empty", 204, "", "", "", ""},
        {"/missing", 404, "404 Not Found\n", "text/plain; charset=utf-8", "", ""},
        {"/said", 200, "a: b\n", "text/html", "", ""},
        {"/silent", 200, "", "", "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome outcome = fixture_ask(&fixture, (struct asked){"POST", rows[i].target, NULL, false});
        assert_int_equal(outcome.verdict, POLICY_ANSWER);
        assert_int_equal(outcome.answer.status, rows[i].status);
        assert_true(slice_equal(outcome.answer.text, slice_of(rows[i].text)));
        assert_true(slice_equal(outcome.answer.type, slice_of(rows[i].type)));
        assert_string_equal(value_of(&outcome.response, FIELD_retry_after), rows[i].retry_after);
        assert_string_equal(value_of(&outcome.response, FIELD_cache_control), rows[i].cache_control);
    }
}

static void who_passes(void **state)
{
    (void)state;
    static const char *const targets[] = {"/team", "/off"};
    for (size_t i = 0; i < 2; i++) {
        struct outcome outcome = fixture_ask(&fixture, (struct asked){"GET", targets[i], NULL, false});
        assert_int_equal(outcome.verdict, POLICY_PASS);
        assert_int_equal(outcome.response.fields.count, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(who_passes),
    };
    fixture_routes = routes;
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
