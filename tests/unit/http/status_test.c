/*
 * http/status: phrases of the IANA registry, and which responses end with their head (RFC 9112 section 6.3).
 */
#include "http/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void phrases(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *phrase;
    } cases[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {404, "Not Found"},
        {413, "Content Too Large"},
        {421, "Misdirected Request"},
        {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
        {511, "Network Authentication Required"},
        {0, "Unknown"},
        {99, "Unknown"},
        {199, "Unknown"},
        {306, "Unknown"},
        {418, "Unknown"},
        {499, "Unknown"},
        {599, "Unknown"},
        {600, "Unknown"},
        {999, "Unknown"},
        {4000000000u, "Unknown"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (!slice_equal(status_phrase(cases[i].status), slice_of(cases[i].phrase)))
            fail_msg("%u", cases[i].status);
}

static void no_content(void **state)
{
    (void)state;
    for (unsigned status = 100; status < 600; status++)
        assert_int_equal(status_has_no_content(status), status < 200 || status == 204 || status == 304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(phrases), cmocka_unit_test(no_content)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
