/*
 * policy/access: who may come in by which list, and which line the trace names.
 */
#include "policy_scene.h"

#include <stdlib.h>

static struct slice traced;

static void keep(void *arg, const char *policy, struct config_origin origin, struct slice sentence)
{
    (void)arg;
    traced = arena_printf(&scene.arena, "%s %u: %.*s", policy, origin.line, SLICE_ARGS(sentence));
}

static void keep_first(void *arg, const char *policy, struct config_origin origin, struct slice sentence)
{
    if (traced.len == 0)
        keep(arg, policy, origin, sentence);
}

/* Asks for the client at this address, or one of a Unix socket ("unix:"). */
static bool may_come_in(const char *client)
{
    struct message request = {.method_text = SLICE("GET")};
    struct policy_call call = scene_call(&request);
    scene_come_from(&call, client);
    traced = slice_make(NULL, 0);
    call.trace = keep;
    enum policy_verdict verdict = pipeline_judge(&call);
    assert_int_equal(call.fault, verdict == POLICY_PASS ? FAULT_NONE : FAULT_access_denied);
    return verdict == POLICY_PASS;
}

static void lists(void **state)
{
    (void)state;
    static const struct {
        const char *access, *in, *out; /* clients, separated by blanks */
    } rows[] = {
        {"{allow: [10.0.0.0/8, '2001:db8::/32']}", "10.0.0.1 10.255.255.255 2001:db8::5 ::ffff:10.1.1.1",
         "11.0.0.1 ::1 2001:db9:: unix:"},
        {"{deny: [10.0.0.0/8]}", "11.0.0.1 ::1 unix:", "10.0.0.1"},
        {"{allow: [10.0.0.0/8], deny: [10.1.0.0/16]}", "10.2.0.1", "10.1.0.1 192.0.2.1"},
        {"{allow: [10.1.2.3], deny: [10.0.0.0/8]}", "10.1.2.3", "10.1.2.4 192.0.2.1"},
        {"{deny: [all], allow: [10.0.0.0/8]}", "10.2.0.1", "192.0.2.1 ::1 unix:"},
        {"{allow: [all], deny: [10.0.0.0/8]}", "192.0.2.1 ::1 unix:", "10.2.0.1"},
        {"{allow: [unix]}", "unix:", "127.0.0.1 ::1"},
        {"{allow: [all], deny: [unix]}", "127.0.0.1 ::1", "unix:"},
        {"{deny: [all], allow: [unix]}", "unix:", "127.0.0.1 ::1"},
        {"{deny: [10.0.0.0/8], allow: [10.0.0.0/8]}", "", "10.0.0.1 192.0.2.1"},
        {"{deny: ['::/0']}", "192.0.2.1 unix:", "::1 2001:db8::1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char rules[256], clients[256];
        snprintf(rules, sizeof rules, "access: %s", rows[i].access);
        scene_open("", "", rules);
        for (int in = 0; in < 2; in++) {
            snprintf(clients, sizeof clients, "%s", in ? rows[i].in : rows[i].out);
            for (char *client = strtok(clients, " "); client; client = strtok(NULL, " "))
                if (may_come_in(client) != (in == 1))
                    fail_msg("%s: %s comes %s", rules, client, in ? "not in" : "in");
        }
        scene_close();
    }
}

static void the_trace_names_the_network(void **state)
{
    (void)state;
    static const struct {
        const char *client, *traced;
    } rows[] = {{"10.1.0.9", "access 8: 10.1.0.9 is in 10.1.0.0/16: refused"},
                {"10.2.0.9", "access 8: 10.2.0.9 is in 10.0.0.0/8: may come in"},
                {"192.0.2.1", "access 8: 192.0.2.1 is in none of the networks: refused"}};
    scene_open("", "", "access: {allow: [10.0.0.0/8], deny: [10.1.0.0/16]}");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)may_come_in(rows[i].client);
        assert_string_equal(arena_copy(&scene.arena, traced), rows[i].traced);
    }
    scene_close();
}

/* satisfy: any says who need not prove anything; without anything to be proved, it says who comes in. */
static void one_of_several(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *client, *traced;
        bool passes, let_in;
    } rows[] = {
#define ANY  "access: {allow: [10.0.0.0/8], deny: [10.1.0.0/16], satisfy: any}"
#define ASKS ", forward_auth: {upstream: app}"
        {ANY ASKS, "10.2.0.9", "access 8: 10.2.0.9 is in 10.0.0.0/8: may come in without a password", true,
         true},
        {ANY ASKS, "10.1.0.9", "access 8: 10.1.0.9 is in 10.1.0.0/16: has to prove who it is", true, false},
        {ANY ASKS, "unix:", "access 8: unix: is in none of the networks: has to prove who it is", true,
         false},
        {ANY, "10.2.0.9", "access 8: 10.2.0.9 is in 10.0.0.0/8: may come in", true, false},
        {ANY, "192.0.2.1", "access 8: 192.0.2.1 is in none of the networks: refused", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message request = {.method_text = SLICE("GET")};
        scene_open("", "", rows[i].rules);
        struct policy_call call = scene_call(&request);
        scene_come_from(&call, rows[i].client);
        call.trace = keep_first;
        traced = slice_make(NULL, 0);
        assert_int_equal(pipeline_judge(&call) == POLICY_PASS, rows[i].passes);
        assert_int_equal(call.let_in, rows[i].let_in);
        assert_string_equal(arena_copy(&scene.arena, traced), rows[i].traced);
        scene_close();
    }
}

static void off_is_no_rule(void **state)
{
    (void)state;
    scene_open("", "", "access: off");
    assert_true(may_come_in("192.0.2.1"));
    assert_int_equal(traced.len, 0);
    scene_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(the_trace_names_the_network),
        cmocka_unit_test(one_of_several),
        cmocka_unit_test(off_is_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
