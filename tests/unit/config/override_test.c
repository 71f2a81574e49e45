/*
 * config/override: what is found, and what nobody asked for. There is one table for the whole process, so
 * each test runs in a child of its own.
 */
#include "config/override.h"

#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

/* What does not hold ends the child, which the test sees. */
#define HOLDS(expression)                                                    \
    do {                                                                     \
        if (!(expression)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #expression); \
            exit(1);                                                         \
        }                                                                    \
    } while (0)

static bool found(const char *text, const char *expected)
{
    return slice_equal(config_override_find(slice_of(text)), slice_of(expected));
}

static bool unused(const char *expected)
{
    const char *text = config_override_unused();
    return text && expected ? strcmp(text, expected) == 0 : text == expected;
}

static void malformed_ones_are_refused(void)
{
    static const char *const texts[] = {"", "=", "a", "a:80", "=b", "a="};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        HOLDS(!config_override_add(texts[i]));
    HOLDS(unused(NULL));
    HOLDS(found("", ""));
    HOLDS(found("a", "a"));
}

static void the_right_side_is_found(void)
{
    HOLDS(found("api:80", "api:80"));
    HOLDS(config_override_add("api:80=127.0.0.1:18000"));
    HOLDS(config_override_add(":443=[::1]:8443"));
    HOLDS(config_override_add("web:80=unix:/run/a=b"));
    HOLDS(found("api:80", "127.0.0.1:18000"));
    HOLDS(found(":443", "[::1]:8443"));
    HOLDS(found("web:80", "unix:/run/a=b"));
    HOLDS(found("127.0.0.1:18000", "127.0.0.1:18000"));
    HOLDS(found("api:8", "api:8"));
    HOLDS(found("api:800", "api:800"));
    HOLDS(found("API:80", "API:80"));
    HOLDS(found("", ""));
}

static void the_first_of_two_wins(void)
{
    HOLDS(config_override_add("a:1=b:1"));
    HOLDS(config_override_add("a:1=c:1"));
    HOLDS(found("a:1", "b:1"));
    HOLDS(unused("a:1=c:1"));
}

static void unused_ones_are_named_in_their_order(void)
{
    HOLDS(config_override_add("a:1=x:1"));
    HOLDS(config_override_add("b:1=x:2"));
    HOLDS(config_override_add("c:1=x:3"));
    HOLDS(unused("a:1=x:1"));
    HOLDS(found("a:1", "x:1") && found("c:1", "x:3"));
    HOLDS(unused("b:1=x:2"));
    HOLDS(unused("a:1=x:1")); /* what was asked for before counts no more */
    HOLDS(found("a:1", "x:1") && found("b:1", "x:2") && found("c:1", "x:3"));
    HOLDS(unused(NULL));
}

static void there_is_room_for_so_many(void)
{
    static char texts[CONFIG_OVERRIDES_MAX][32];
    for (int i = 0; i < CONFIG_OVERRIDES_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "a:%d=b:%d", i, i);
        HOLDS(config_override_add(texts[i]));
    }
    HOLDS(!config_override_add("c:1=d:1"));
    HOLDS(found("c:1", "c:1"));
    HOLDS(found("a:0", "b:0"));
    HOLDS(found("a:255", "b:255"));
}

static void a_file_is_read_with_them(void)
{
    struct config_findings findings;
    config_findings_init(&findings);
    HOLDS(config_override_add("api:8000=127.0.0.1:18000"));
    HOLDS(config_override_add("127.0.0.1:80=127.0.0.1:8080"));
    struct slice text = SLICE("listen: [\"127.0.0.1:80\"]\n"
                              "upstreams:\n"
                              "  api: {servers: [\"api:8000\"]}\n"
                              "sites:\n"
                              "  - hosts: [\"*\"]\n"
                              "    routes:\n"
                              "      - {prefix: /, upstream: api}\n");
    struct config *config = config_load_text("a.yaml", text, &findings);
    if (findings.first)
        fprintf(stderr, "%.*s\n", SLICE_ARGS(findings.first->text));
    HOLDS(config != NULL);
    HOLDS(slice_equal(config->upstreams[0].servers[0].text, SLICE("127.0.0.1:18000")));
    HOLDS(config->upstreams[0].servers[0].name.port == 18000);
    HOLDS(slice_equal(config->listeners[0].text, SLICE("127.0.0.1:8080")));
    HOLDS(unused(NULL));
    config_free(&config);
    config_findings_fini(&findings);
}

static void in_a_child(void **state)
{
    void (*test)(void) = *(void (**)(void)) * state;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        test();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(name)                                                       \
    {                                                                    \
#name, in_a_child, NULL, NULL, &(struct { void (*test)(void); }) \
        {                                                                \
            name                                                         \
        }                                                                \
    }
    const struct CMUnitTest tests[] = {
        TEST(malformed_ones_are_refused), TEST(the_right_side_is_found),
        TEST(the_first_of_two_wins),      TEST(unused_ones_are_named_in_their_order),
        TEST(there_is_room_for_so_many),  TEST(a_file_is_read_with_them),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
