/*
 * http/basic: what is a pair of credentials and what is none.
 */
#include "http/basic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *value, *user, *password; /* user NULL: refused */
    } rows[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"}, /* RFC 7617 section 2 */
        {"basic  dGVzdDoxMjPCow==", "test", "123\xc2\xa3"},               /* section 2.1 */
        {"Basic YTpi", "a", "b"},
        {"Basic YTpiOmM=", "a", "b:c"},
        {"Basic Og==", "", ""},
        {"Basic YTo=", "a", ""},
        {"Basic OmI=", "", "b"},
        {"Basic YQ==", NULL, NULL},     /* no colon */
        {"Basic YTpi=", NULL, NULL},    /* a length of no base64 */
        {"Basic YTpi====", NULL, NULL}, /* too much padding */
        {"Basic ====", NULL, NULL},
        {"Basic YTo", NULL, NULL},  /* no padding */
        {"Basic YTp=", NULL, NULL}, /* bits behind the end */
        {"Basic Oh==", NULL, NULL},
        {"Basic Y=pi", NULL, NULL},
        {"Basic YT pi", NULL, NULL},
        {"Basic YTpi YTpi", NULL, NULL},
        {"Basic YTp_", NULL, NULL}, /* another alphabet */
        {"Basic YToA", NULL, NULL}, /* a zero byte */
        {"Basic YTp/", NULL, NULL}, /* DEL */
        {"Basic", NULL, NULL},
        {"Basic ", NULL, NULL},
        {"BasicYTpi", NULL, NULL},
        {"Bearer YTpi", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        struct basic_credentials credentials;
        arena_init(&arena, NULL, 0);
        bool read = basic_read(slice_of(rows[i].value), &arena, &credentials);
        if (read != (rows[i].user != NULL))
            fail_msg("\"%s\" is%s read", rows[i].value, read ? "" : " not");
        if (read) {
            assert_string_equal(credentials.user.at, rows[i].user);
            assert_string_equal(credentials.password.at, rows[i].password);
            assert_int_equal(credentials.user.len, strlen(rows[i].user));
            assert_int_equal(credentials.password.len, strlen(rows[i].password));
        }
        arena_fini(&arena);
    }
}

static void long_passwords(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t pads = 0; pads < 2; pads++) { /* "a:" and 511 or 514 bytes */
        struct slice text = SLICE("Basic YTpi");
        for (size_t i = 0; i < 170 + pads; i++)
            text = arena_printf(&arena, "%.*sYmJi", SLICE_ARGS(text));
        struct basic_credentials credentials;
        assert_true(basic_read(text, &arena, &credentials) == (pads == 0));
        if (pads == 0)
            assert_int_equal(credentials.password.len, BASIC_PASSWORD_MAX);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(long_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
