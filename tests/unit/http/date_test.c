/*
 * http/date: IMF-fixdate against known dates, against the C library for a sample of every year it can print,
 * and its bounds.
 */
#include "http/date.h"

#include "../dies.h"

#include <string.h>
#include <time.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void known_dates(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"}, /* the example of RFC 9110 section 5.6.7 */
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {951868799, "Tue, 29 Feb 2000 23:59:59 GMT"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {2147483648, "Tue, 19 Jan 2038 03:14:08 GMT"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[HTTP_DATE_LEN + 1];
        http_date_print(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void the_same_as_the_c_library(void **state)
{
    (void)state;
    int64_t step = 86400 * 7 + 12345;
    for (int64_t seconds = 0; seconds < 253402300800; seconds += step) {
        char text[HTTP_DATE_LEN + 1], expected[64];
        time_t time = seconds;
        struct tm utc;
        gmtime_r(&time, &utc);
        strftime(expected, sizeof expected, "%a, %d %b %Y %H:%M:%S GMT", &utc);
        http_date_print(seconds, text);
        if (strcmp(text, expected) != 0)
            fail_msg("%s, not %s", text, expected);
    }
}

static void print_before_1970(void)
{
    char text[HTTP_DATE_LEN + 1];
    http_date_print(-1, text);
}

static void print_after_9999(void)
{
    char text[HTTP_DATE_LEN + 1];
    http_date_print(253402300800, text);
}

static void years_outside_are_refused(void **state)
{
    (void)state;
    assert_true(dies(print_before_1970));
    assert_true(dies(print_after_9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_dates),
        cmocka_unit_test(the_same_as_the_c_library),
        cmocka_unit_test(years_outside_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
