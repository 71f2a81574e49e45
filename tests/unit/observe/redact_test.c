/*
 * Secrets in URLs: what is hidden, what stays, whatever the spelling.
 */
#include "observe/redact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

struct row {
    const char *url, *expected;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct redact redact;
        struct slice piece;
        char printed[1024];
        size_t len = 0;
        redact_begin(&redact, slice_of(rows[i].url));
        while (redact_next(&redact, &piece)) {
            assert_true(len + piece.len < sizeof printed);
            memcpy(printed + len, piece.at, piece.len);
            len += piece.len;
        }
        printed[len] = '\0';
        assert_string_equal(printed, rows[i].expected);
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void other_urls_stay(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"/", "/"},
        {"*", "*"},
        {"/a/b?c=d&e=f#g", "/a/b?c=d&e=f#g"},
        {"/token=1/code=2", "/token=1/code=2"},
        {"/?token", "/?token"},
        {"/?tokens=1&xtoken=2&toke=3&access_toke=4", "/?tokens=1&xtoken=2&toke=3&access_toke=4"},
        {"/?access_token_x=1&signature=2", "/?access_token_x=1&signature=2"},
        {"/?a=token=1", "/?a=token=1"},
        {"/?a=%26token=1", "/?a=%26token=1"},
        {"/?%74oke=1&%7=2&%=3&%zz=4", "/?%74oke=1&%7=2&%=3&%zz=4"},
        {"/?&&;;==", "/?&&;;=="},
        {"/@user/1", "/@user/1"},
        {"example.org:443", "example.org:443"},
        {"https://example.org/@user", "https://example.org/@user"},
    };
    CHECK_ROWS(rows);
}

static void secrets_go(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/?access_token=abc", "/?access_token=[redacted]"},
        {"/?token=a&code=b&sig=c", "/?token=[redacted]&code=[redacted]&sig=[redacted]"},
        {"/x?a=1&token=abc&b=2", "/x?a=1&token=[redacted]&b=2"},
        {"/x?a=1;token=abc;b=2", "/x?a=1;token=[redacted];b=2"},
        {"/?ToKeN=abc&SIG=d", "/?ToKeN=[redacted]&SIG=[redacted]"},
        {"/?%74%6F%6b%65%6e=abc", "/?%74%6F%6b%65%6e=[redacted]"},
        {"/?access%5ftoken=abc", "/?access%5ftoken=[redacted]"},
        {"/?%54OKEN=abc", "/?%54OKEN=[redacted]"},
        {"/?token=", "/?token=[redacted]"},
        {"/?token=&a=1", "/?token=[redacted]&a=1"},
        {"/?token==a=b", "/?token=[redacted]"},
        {"/?a=b&token=x&token=y", "/?a=b&token=[redacted]&token=[redacted]"},
        {"?token=abc", "?token=[redacted]"},
        {"http://x.example/cb?code=1&state=2", "http://x.example/cb?code=[redacted]&state=2"},
    };
    CHECK_ROWS(rows);
}

/* What one server takes for the end of a value is a part of it for another. */
static void doubtful_ends_hide_more(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/?token=abc;def", "/?token=[redacted]"},  {"/?token=abc;def;g=1", "/?token=[redacted];g=1"},
        {"/?token=abc?def", "/?token=[redacted]"},  {"/?token=abc?a=1&b=2", "/?token=[redacted]&b=2"},
        {"/?token=abc#def", "/?token=[redacted]"},  {"/?token=abc;", "/?token=[redacted]"},
        {"/?token=abc;=def", "/?token=[redacted]"}, {"/?a=b?token=abc", "/?a=b?token=[redacted]"},
    };
    CHECK_ROWS(rows);
}

static void fragments_count(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"https://a.example/#access_token=abc&state=1", "https://a.example/#access_token=[redacted]&state=1"},
        {"https://a.example/#/done?code=abc", "https://a.example/#/done?code=[redacted]"},
        {"https://a.example/?x=1#token=abc", "https://a.example/?x=1#token=[redacted]"},
        {"https://a.example/?code=1#token=abc", "https://a.example/?code=[redacted]#token=[redacted]"},
    };
    CHECK_ROWS(rows);
}

static void userinfo_goes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"https://user:pw@a.example/x", "https://[redacted]@a.example/x"},
        {"https://user@a.example", "https://[redacted]@a.example"},
        {"https://a@b@c.example/?d=e@f", "https://[redacted]@c.example/?d=e@f"},
        {"https://u:p@a.example?token=1", "https://[redacted]@a.example?token=[redacted]"},
        {"//u:p@a.example/", "//[redacted]@a.example/"},
        {"u:p@a.example:443", "[redacted]@a.example:443"},
        {"https://@a.example/", "https://@a.example/"},
        {"https://a.example?u@b", "https://a.example?u@b"},
    };
    CHECK_ROWS(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_urls_stay),         cmocka_unit_test(secrets_go),
        cmocka_unit_test(doubtful_ends_hide_more), cmocka_unit_test(fragments_count),
        cmocka_unit_test(userinfo_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
