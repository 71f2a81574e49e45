/*
 * Proxy-Status values, for every fault.
 */
#include "observe/proxy_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static const char *printed(enum fault fault, enum fault detail)
{
    return arena_copy(&arena, proxy_status_print(&arena, fault, detail));
}

static void exact_values(void **state)
{
    (void)state;
    assert_string_equal(printed(FAULT_connect_refused, FAULT_NONE),
                        "portico; error=connection_refused; details=\"the upstream refuses connections\"");
    assert_string_equal(
        printed(FAULT_upstream_malformed, FAULT_framing_conflict),
        "portico; error=http_protocol_error; details=\"the upstream's response is not valid HTTP: "
        "both Content-Length and Transfer-Encoding are given\"");
    assert_string_equal(printed(FAULT_NONE, FAULT_NONE), "portico");
    assert_string_equal(printed(FAULT_tunnel_idle, FAULT_NONE), "portico");
}

/* A token, then a string that ends where the value ends. */
static void every_fault_is_a_structured_field(void **state)
{
    (void)state;
    for (int fault = 1; fault < FAULT_COUNT; fault++) {
        const char *value = printed((enum fault)fault, FAULT_NONE), *prefix = "portico; error=";
        if (fault_row((enum fault)fault)->proxy_error[0] == '\0')
            continue;
        assert_memory_equal(value, prefix, strlen(prefix));
        value += strlen(prefix);
        value += strspn(value, "abcdefghijklmnopqrstuvwxyz_");
        prefix = "; details=\"";
        assert_memory_equal(value, prefix, strlen(prefix));
        value += strlen(prefix);
        assert_string_equal(value + strcspn(value, "\"\\"), "\"");
    }
}

static void strings_are_escaped(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "\"\""},
        {"plain ~", "\"plain ~\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"a\r\nb\x7f\xc3\xa9", "\"a??b???\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice quoted = proxy_status_quote(&arena, slice_of(rows[i][0]));
        assert_string_equal(arena_copy(&arena, quoted), rows[i][1]);
    }
}

static int init(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 0);
    return 0;
}

static int fini(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_values),
        cmocka_unit_test(every_fault_is_a_structured_field),
        cmocka_unit_test(strings_are_escaped),
    };
    return cmocka_run_group_tests(tests, init, fini);
}
