/*
 * authority_parse: host and port as Host and the absolute-form carry them. What is refused here never chooses
 * a site (A30), so most rows are refusals.
 */
#include "http/target.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

struct row {
    const char *name;
    struct slice text;
    const char *host; /* NULL: refused */
    unsigned port;
};

#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static const struct row rows[] = {
    {"name", BYTES("a.example"), "a.example", 0},
    {"name and port", BYTES("a.example:8080"), "a.example", 8080},
    {"one label", BYTES("localhost"), "localhost", 0},
    {"digits, hyphen, underscore", BYTES("my_app-2.internal:1"), "my_app-2.internal", 1},
    {"upper case", BYTES("A.EXAMPLE:443"), "a.example", 443},
    {"last letter in upper case", BYTES("a.examplE"), "a.example", 0},
    {"punycode", BYTES("xn--bcher-kva.example"), "xn--bcher-kva.example", 0},
    {"trailing dot", BYTES("a.example."), "a.example", 0},
    {"trailing dot and port", BYTES("A.example.:80"), "a.example", 80},
    {"IPv4", BYTES("127.0.0.1:65535"), "127.0.0.1", 65535},
    {"IPv6", BYTES("[::1]"), "[::1]", 0},
    {"IPv6 and port", BYTES("[2001:DB8::A]:443"), "[2001:db8::a]", 443},
    {"IPv4 in IPv6", BYTES("[::ffff:10.0.0.1]:1"), "[::ffff:10.0.0.1]", 1},
    {"A30 empty", BYTES(""), NULL, 0},
    {"A30 only a dot", BYTES("."), NULL, 0},
    {"A30 two trailing dots", BYTES("a.example.."), NULL, 0},
    {"A30 empty label", BYTES("a..example"), NULL, 0},
    {"A30 leading dot", BYTES(".a.example"), NULL, 0},
    {"A30 only a port", BYTES(":80"), NULL, 0},
    {"A30 empty port", BYTES("a.example:"), NULL, 0},
    {"A30 empty port after brackets", BYTES("[::1]:"), NULL, 0},
    {"A30 port 0", BYTES("a.example:0"), NULL, 0},
    {"A30 port with leading zero", BYTES("a.example:080"), NULL, 0},
    {"A30 port 65536", BYTES("a.example:65536"), NULL, 0},
    {"A30 port of six digits", BYTES("a.example:000080"), NULL, 0},
    {"A30 huge port", BYTES("a.example:4294967376"), NULL, 0},
    {"A30 signed port", BYTES("a.example:+80"), NULL, 0},
    {"A30 negative port", BYTES("a.example:-80"), NULL, 0},
    {"A30 port with letters", BYTES("a.example:80x"), NULL, 0},
    {"A30 port with a space", BYTES("a.example:80 "), NULL, 0},
    {"A30 two ports", BYTES("a.example:80:80"), NULL, 0},
    {"A30 port that is a host", BYTES("a.example:@evil.example"), NULL, 0},
    {"A29 userinfo", BYTES("user@a.example"), NULL, 0},
    {"A29 userinfo with password", BYTES("user:80@a.example"), NULL, 0},
    {"A30 path", BYTES("a.example/x"), NULL, 0},
    {"A30 query", BYTES("a.example?x"), NULL, 0},
    {"A30 fragment", BYTES("a.example#x"), NULL, 0},
    {"A30 backslash", BYTES("a.example\\evil"), NULL, 0},
    {"A30 space", BYTES("a example"), NULL, 0},
    {"A30 leading space", BYTES(" a.example"), NULL, 0},
    {"A30 list", BYTES("a.example, b.example"), NULL, 0},
    {"A30 list without space", BYTES("a.example,b.example"), NULL, 0},
    {"A30 semicolon", BYTES("a.example;b"), NULL, 0},
    {"A30 tab", BYTES("a.example\t"), NULL, 0},
    {"A30 CR LF", BYTES("a.example\r\nX: y"), NULL, 0},
    {"A30 NUL at the end", BYTES("a.example\0"), NULL, 0},
    {"A30 NUL in the middle", BYTES("a.example\0.evil"), NULL, 0},
    {"A30 percent-encoded dot", BYTES("a%2eexample"), NULL, 0},
    {"A30 UTF-8",
     BYTES("b\xc3\xbc"
           "cher.example"),
     NULL, 0},
    {"A30 DEL", BYTES("a\x7f"), NULL, 0},
    {"A30 quotes", BYTES("\"a.example\""), NULL, 0},
    {"A30 dollar", BYTES("${a}"), NULL, 0},
    {"A30 wildcard", BYTES("*.example"), NULL, 0},
    {"A30 tilde", BYTES("~a"), NULL, 0},
    {"A30 IPv6 without brackets", BYTES("::1"), NULL, 0},
    {"A30 IPv6 without closing bracket", BYTES("[::1"), NULL, 0},
    {"A30 only an opening bracket", BYTES("["), NULL, 0},
    {"A30 empty brackets", BYTES("[]"), NULL, 0},
    {"A30 brackets around a name", BYTES("[a.example]"), NULL, 0},
    {"A30 brackets around IPv4", BYTES("[127.0.0.1]"), NULL, 0},
    {"A30 name after brackets", BYTES("[::1]a.example"), NULL, 0},
    {"A30 dot after brackets", BYTES("[::1]."), NULL, 0},
    {"A30 brackets inside", BYTES("a[::1]"), NULL, 0},
    {"A30 two brackets", BYTES("[::1]]"), NULL, 0},
    {"A30 zone", BYTES("[fe80::1%25eth0]"), NULL, 0},
    {"A30 bare zone", BYTES("[fe80::1%eth0]"), NULL, 0},
    {"A30 future address", BYTES("[v1.a]"), NULL, 0},
    {"A30 NUL in brackets", BYTES("[::1\0]"), NULL, 0},
    {"A30 long brackets", BYTES("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"), NULL, 0},
    {"A30 too many groups", BYTES("[1:2:3:4:5:6:7:8:9]"), NULL, 0},
};

static void check_row(const struct row *row)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    char *copy = malloc(row->text.len ? row->text.len : 1);
    assert_non_null(copy);
    memcpy(copy, row->text.at, row->text.len);
    struct authority authority = {{"unset", 5}, 7};
    bool valid = authority_parse(slice_make(copy, row->text.len), &arena, &authority);
    if (valid != (row->host != NULL))
        fail_msg("%s: %s", row->name, valid ? "accepted" : "refused");
    if (valid && !slice_equal(authority.host, slice_of(row->host)))
        fail_msg("%s: host '%.*s'", row->name, SLICE_ARGS(authority.host));
    if (valid && authority.port != row->port)
        fail_msg("%s: port %u", row->name, authority.port);
    if (!valid && (authority.port != 7 || authority.host.len != 5))
        fail_msg("%s: the output was written", row->name);
    free(copy);
    arena_fini(&arena);
}

static void rows_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_row(&rows[i]);
}

static void lower_case_costs_no_copy(void **state)
{
    (void)state;
    static const char *const texts[] = {"a.example:80", "a.example.", "[::1]:80"};
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < 3; i++) {
        struct authority authority;
        assert_true(authority_parse(slice_of(texts[i]), &arena, &authority));
        assert_ptr_equal(authority.host.at, texts[i]);
        assert_null(arena.pages);
    }
    arena_fini(&arena);
}

static void long_names(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'a', sizeof name);
    struct arena arena;
    struct authority authority;
    arena_init(&arena, NULL, 0);
    assert_true(authority_parse(slice_make(name, 255), &arena, &authority));
    assert_false(authority_parse(slice_make(name, 256), &arena, &authority));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_the_table),
        cmocka_unit_test(lower_case_costs_no_copy),
        cmocka_unit_test(long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
