/*
 * config/diff: what is the same is not said, what differs is said once, with the place it belongs to.
 */
#include "said.h"

#include "config/diff.h"

#define BEFORE                                                              \
    "listen: [':80', ':81']\nupstreams: {app: 'a:1', old: 'o:1'}\nsites:\n" \
    "- hosts: [x.test, y.test]\n"                                           \
    "  routes: [{prefix: /a, upstream: app}, {prefix: /b, upstream: old}]\n"

static char told[SAID_MAX];

static void tell(void *arg, struct slice sentence, bool needs_restart)
{
    (void)arg;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%.*s%s\n", SLICE_ARGS(sentence), needs_restart ? " !" : "");
}

static struct config *load(const char *text)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *config = config_load_text("t.yaml", slice_of(text), &findings);
    if (!config)
        fail_msg("%s", said(&findings));
    config_findings_fini(&findings);
    return config;
}

/* What is told about the way from one text to the other. */
static void expect(const char *before, const char *after, const char *expected)
{
    struct config *old = load(before), *now = load(after);
    told[0] = '\0';
    unsigned count = config_diff(old, now, tell, NULL), lines = 0;
    for (const char *at = told; *at; at++)
        lines += *at == '\n';
    if (strcmp(told, expected) != 0)
        fail_msg("\n--- told\n%s--- expected\n%s", told, expected);
    assert_int_equal(count, lines);
    config_free(&old);
    config_free(&now);
}

static void what_is_the_same_is_not_said(void **state)
{
    (void)state;
    expect(BEFORE, BEFORE, "");
    expect(BEFORE, "# other words\nprocess: {shutdown_timeout: 30s}\nlog: {}\n" BEFORE "  max_body: 100MiB\n",
           "");
}

static void values(void **state)
{
    (void)state;
    expect(BEFORE, BEFORE "process: {threads: 2, shutdown_timeout: 5s}\n",
           "process: threads 0 -> 2 !\nprocess: shutdown_timeout 30s -> 5s\n");
    expect("process: {threads: 2}\n" BEFORE, BEFORE, "process: threads 2 -> 0 !\n");
    expect(BEFORE, BEFORE "trusted_proxies: [10.0.0.0/8]\n", "trusted_proxies with 10.0.0.0/8\n");
}

static void things_that_come_and_go(void **state)
{
    (void)state;
    expect(BEFORE,
           "listen: [':80', ':82']\nupstreams: {app: 'a:1', new: 'n:1'}\nsites:\n- hosts: [x.test, z.test]\n"
           "  routes: [{prefix: /a, upstream: app}, {prefix: /c, upstream: new}]\n",
           "listener :81: removed\nlistener :82: added\nupstream old: removed\nupstream new: added\n"
           "site x.test: hosts without y.test\nsite x.test: hosts with z.test\n"
           "route x.test /b: removed\nroute x.test /c: added\n");
    expect(BEFORE, BEFORE "- hosts: [z.test]\n  routes: [{prefix: /, upstream: app}]\n",
           "site z.test: added\n");
}

static void inherited_values_are_said_once(void **state)
{
    (void)state;
    expect(BEFORE, "defaults: {max_body: 2GiB}\n" BEFORE, "defaults: max_body 100MiB -> 2GiB\n");
    expect(BEFORE, BEFORE "  max_body: 2GiB\n", "site x.test: max_body 100MiB -> 2GiB\n");
    static char many[SAID_MAX], limited[SAID_MAX];
    strcpy(many, "listen: [':80']\nupstreams: {app: 'a:1'}\nsites:\n- hosts: [x.test]\n  routes:\n");
    strcpy(limited, many);
    for (int i = 0; i < 100; i++) {
        sprintf(many + strlen(many), "  - {prefix: /%d, upstream: app}\n", i);
        sprintf(limited + strlen(limited), "  - {prefix: /%d, upstream: app, idle_timeout: 5s}\n", i);
    }
    expect(many, limited, "route x.test /0, /1, /2 and 97 more: idle_timeout 1h -> 5s\n");
}

static void order(void **state)
{
    (void)state;
    expect(BEFORE,
           "listen: [':81', ':80']\nupstreams: {old: 'o:1', app: 'a:1'}\nsites:\n- hosts: [x.test, y.test]\n"
           "  routes: [{prefix: /b, upstream: old}, {prefix: /a, upstream: app}]\n",
           "listeners in another order\nsite x.test: routes in another order\n");
}

static void secrets_stay_hidden(void **state)
{
    (void)state;
    setenv("PORTICO_TEST_HOST", "secret.test", 1);
    expect(BEFORE, BEFORE "- hosts: ['${env:PORTICO_TEST_HOST}']\n  routes: [{prefix: /, upstream: app}]\n",
           "site ${env:PORTICO_TEST_HOST}: added\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_the_same_is_not_said),
        cmocka_unit_test(values),
        cmocka_unit_test(things_that_come_and_go),
        cmocka_unit_test(inherited_values_are_said_once),
        cmocka_unit_test(order),
        cmocka_unit_test(secrets_stay_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
