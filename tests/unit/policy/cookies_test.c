/*
 * policy/cookies: each attribute that is asked for stands once, the others stay as they came.
 */
#include "policy/cookies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void attributes(void **state)
{
    (void)state;
    static const struct {
        struct config_cookies wanted;
        const char *sent, *expected;
    } rows[] = {
        {{.secure = true}, "a=b", "a=b; Secure"},
        {{.secure = true}, "a=b; secure", "a=b; Secure"},
        {{.secure = true}, "a=b;SECURE ; Path=/", "a=b; Path=/; Secure"},
        {{.secure = true}, "secure=1", "secure=1; Secure"},
        {{.secure = true}, "a=b; Path=/secure; SecureX", "a=b; Path=/secure; SecureX; Secure"},
        {{.http_only = true}, "a=b; Path=/; HttpOnly; Secure", "a=b; Path=/; Secure; HttpOnly"},
        {{.same_site = CONFIG_SAME_SITE_LAX}, "a=b; samesite = none; Secure", "a=b; Secure; SameSite=Lax"},
        {{.same_site = CONFIG_SAME_SITE_STRICT}, "a=b", "a=b; SameSite=Strict"},
        {{.secure = true, .http_only = true, .same_site = CONFIG_SAME_SITE_NONE},
         "a=\"x;y\"; Secure; Secure; SameSite; Expires=Wed, 21 Oct 2015 07:28:00 GMT",
         "a=\"x;y\"; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Secure; HttpOnly; SameSite=None"},
        {{.secure = true}, "", "; Secure"},
        {{.secure = true}, ";;", ";;; Secure"},
    };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice fixed = cookie_fix(&rows[i].wanted, slice_of(rows[i].sent), &arena);
        if (!slice_equal(fixed, slice_of(rows[i].expected)))
            fail_msg("%s: %.*s", rows[i].sent, SLICE_ARGS(fixed));
        struct slice again = cookie_fix(&rows[i].wanted, fixed, &arena);
        assert_true(slice_equal(again, fixed));
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(attributes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
