/*
 * http/message: methods are case-sensitive tokens (RFC 9110 section 9.1), and which of them may be sent
 * twice.
 */
#include "http/message.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void methods_by_token(void **state)
{
    (void)state;
    static const struct {
        const char *token;
        enum method method;
        bool idempotent;
    } cases[] = {
        {"GET", METHOD_GET, true},       {"HEAD", METHOD_HEAD, true},
        {"POST", METHOD_POST, false},    {"PUT", METHOD_PUT, true},
        {"DELETE", METHOD_DELETE, true}, {"OPTIONS", METHOD_OPTIONS, true},
        {"PATCH", METHOD_PATCH, false},  {"CONNECT", METHOD_CONNECT, false},
        {"TRACE", METHOD_TRACE, true},   {"get", METHOD_OTHER, false},
        {"Get", METHOD_OTHER, false},    {"GETS", METHOD_OTHER, false},
        {"GE", METHOD_OTHER, false},     {"PROPFIND", METHOD_OTHER, false},
        {"PRI", METHOD_OTHER, false},    {"OPTIONs", METHOD_OTHER, false},
        {"", METHOD_OTHER, false},       {"POSTPOSTPOST", METHOD_OTHER, false},
        {"TRACf", METHOD_OTHER, false},  {"QUERY", METHOD_OTHER, false},
        {"HEAd", METHOD_OTHER, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum method method = method_of(slice_of(cases[i].token));
        if (method != cases[i].method || method_is_idempotent(method) != cases[i].idempotent)
            fail_msg("A46 '%s'", cases[i].token);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(methods_by_token)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
