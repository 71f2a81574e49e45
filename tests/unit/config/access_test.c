/*
 * What may be written about who comes in: `access`; what is wrong is said with its place, and what is printed
 * loads again.
 */
#include "printed.h"

#define HEAD       "listen: [':80']\nupstreams: {app: 'a:1'}\n"
#define SITE(site) HEAD "sites:\n- hosts: ['*']\n  " site "\n  routes:\n  - {prefix: /, upstream: app}\n"
#define ROUTE(settings) \
    HEAD "sites:\n- hosts: ['*']\n  routes:\n  - {prefix: /, upstream: app, " settings "}\n"

static void networks(void **state)
{
    (void)state;
    static const struct said_case cases[] = {
        {ROUTE("access: {allow: [10.0.0.0/8, '::1', unix, all], deny: []}"), ""},
        {ROUTE("access: off"), ""},
        {ROUTE("access: on"), "6:40: expected a mapping with allow or deny, or off, found \"on\"\n"},
        {ROUTE("access: [10.0.0.0/8]"),
         "6:40: expected a mapping with allow or deny, or off, found a list\n"},
        {ROUTE("access: {allow: 10.0.0.0/8}"),
         "6:48: expected a list of networks, as [10.0.0.0/8], found \"10.0.0.0/8\"\n"},
        {ROUTE("access: {allow: []}"),
         "6:48: an empty list would let nobody in; write access: off for everybody, "
         "or deny: [all]\n"},
        {ROUTE("access: {allow: [10.0.0.1/8], deny: ['2001:db8::1/32']}"),
         "6:49: \"10.0.0.1/8\" has bits behind its mask; the network is 10.0.0.0/8\n"
         "6:69: \"2001:db8::1/32\" has bits behind its mask; the network is 2001:db8::/32\n"},
        {ROUTE("access: {deny: [localhost, 10.0.0.0/33]}"),
         "6:48: expected a network, as 10.0.0.0/8, \"all\" or \"unix\", found \"localhost\"\n"
         "6:59: expected a network, as 10.0.0.0/8, \"all\" or \"unix\", found \"10.0.0.0/33\"\n"},
        {ROUTE("access: {allow: [10.0.0.0/8], satisfy: any}"), ""},
        {ROUTE("access: {satisfy: any}"),
         "6:40: satisfy: any needs allow: the networks whose clients need no password\n"},
        {ROUTE("access: {allow: [all], satisfy: one}"),
         "6:64: unknown satisfy \"one\"; known are: all any\n"},
        {ROUTE("access: {denies: [all]}"), "6:41: unknown key \"denies\" in access\n"},
    };
    SAID_ALL(cases);
}

/* What is printed of a route, written as a route's settings, prints the same. */
static void assert_prints(const char *yaml, const char *part)
{
    char *text = print_route(yaml, 2);
    if (!strstr(text, part))
        fail_msg("no\n%s\nin\n%s", part, text);
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct slice again =
        arena_printf(&arena, HEAD "sites:\n- hosts: ['*']\n  routes:\n  - prefix: /\n    upstream: app\n");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        again = arena_printf(&arena, "%.*s  %s\n", SLICE_ARGS(again), line);
    const struct said_case row = {again.at, ""};
    struct config *config = said_load(&row);
    assert_non_null(config);
    config_free(&config);
    arena_fini(&arena);
    free(text);
}

static void inherited_by_key(void **state)
{
    (void)state;
    assert_prints(SITE("access: {allow: [10.0.0.0/8], deny: [10.1.0.0/16]}"),
                  "  access:\n"
                  "    allow:\n"
                  "      - 10.0.0.0/8  # t.yaml:5\n"
                  "    deny:\n"
                  "      - 10.1.0.0/16  # t.yaml:5\n");
    assert_prints(HEAD "defaults: {access: {allow: [unix], deny: [10.1.0.0/16]}}\nsites:\n- hosts: ['*']\n"
                       "  routes:\n  - {prefix: /, upstream: app, access: {deny: [192.0.2.1]}}\n",
                  "  access:\n"
                  "    allow:\n"
                  "      - unix  # t.yaml:3\n"
                  "    deny:\n"
                  "      - 192.0.2.1  # t.yaml:7\n"
                  "    satisfy: all  # default\n");
    assert_prints(HEAD "defaults: {access: {allow: [unix], satisfy: any}}\nsites:\n- hosts: ['*']\n"
                       "  routes:\n  - {prefix: /, upstream: app, access: {allow: [192.0.2.1]}}\n",
                  "      - 192.0.2.1  # t.yaml:7\n"
                  "    satisfy: any  # t.yaml:3\n");
    assert_prints(HEAD "defaults: {access: {allow: [unix]}}\nsites:\n- hosts: ['*']\n"
                       "  routes:\n  - {prefix: /, upstream: app, access: off}\n",
                  "  access: off  # t.yaml:7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),
        cmocka_unit_test(inherited_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
