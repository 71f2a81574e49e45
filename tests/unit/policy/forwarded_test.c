/*
 * policy/forwarded: what the grammar of RFC 7239 section 4 allows, and that nothing else is read.
 */
#include "policy/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct arena arena;

/* "client/proto" of each element, or "no". */
static const char *parse(const char *text)
{
    struct forwarded_hop hops[FORWARDED_HOPS_MAX];
    unsigned count;
    struct slice said = SLICE("");
    if (!forwarded_parse(slice_of(text), hops, &count))
        return "no";
    for (unsigned i = 0; i < count; i++)
        said = arena_printf(&arena, "%.*s%s%.*s/%.*s", SLICE_ARGS(said), i ? " " : "",
                            SLICE_ARGS(hops[i].client), SLICE_ARGS(hops[i].proto));
    return arena_copy(&arena, said);
}

static void reading(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"for=192.0.2.1", "192.0.2.1/"},
        {"FOR=192.0.2.1;PROTO=https;by=10.0.0.1;host=a.test", "192.0.2.1/https"},
        {"for=192.0.2.1, for=192.0.2.2;proto=http", "192.0.2.1/ 192.0.2.2/http"},
        {" for=a ; proto=b\t,\tfor=c ", "a/b c/"},
        {"for=\"192.0.2.1:80\"", "192.0.2.1/"},
        {"for=\"[2001:db8::1]:80\"", "2001:db8::1/"},
        {"for=\"[2001:db8::1]\"", "2001:db8::1/"},
        {"for=_hidden, for=unknown", "_hidden/ unknown/"},
        {"for=\"a,for=b;c\\\"d\"", "a,for=b;c\\\"d/"},
        {"proto=https", "/https"},
        {"for=\"\"", "/"},
        {"", "no"},
        {",", "no"},
        {"for", "no"},
        {"for=", "no"},
        {"=a", "no"},
        {"for = a", "no"},
        {"for=a;", "no"},
        {"for=a,", "no"},
        {"for=a for=b", "no"},
        {"for=a:80", "no"},
        {"for=[2001:db8::1]", "no"},
        {"for=\"a", "no"},
        {"for=\"a\\\"", "no"},
        {"for=\"a\"b", "no"},
        {"for=a;for=b", "no"},
        {"for=\"\";for=b", "no"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(parse(rows[i][0]), rows[i][1]);
}

static void too_many_elements(void **state)
{
    (void)state;
    char text[FORWARDED_HOPS_MAX * 6 + 8] = "for=a";
    for (int i = 1; i < FORWARDED_HOPS_MAX; i++)
        strcat(text, ",for=a");
    assert_string_not_equal(parse(text), "no");
    strcat(text, ",for=a");
    assert_string_equal(parse(text), "no");
}

static void assert_printed(struct slice printed, const char *expected)
{
    assert_string_equal(arena_copy(&arena, printed), expected);
}

static void writing(void **state)
{
    (void)state;
    assert_printed(forwarded_print(&arena, SLICE("192.0.2.1"), true, SLICE("a.test:81")),
                   "for=192.0.2.1;host=\"a.test:81\";proto=https");
    assert_printed(forwarded_print(&arena, SLICE("2001:db8::1"), false, SLICE("")),
                   "for=\"[2001:db8::1]\";proto=http");
    assert_printed(forwarded_print(&arena, SLICE("unix:"), false, SLICE("")), "for=unknown;proto=http");
    assert_string_equal(parse("for=\"[2001:db8::1]\";host=\"[::1]:80\";proto=http"), "2001:db8::1/http");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),
        cmocka_unit_test(too_many_elements),
        cmocka_unit_test(writing),
    };
    arena_init(&arena, NULL, 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
