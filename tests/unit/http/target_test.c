/*
 * target_parse: the forms of RFC 9112 section 3.2, illegal bytes, and the three spellings of a path. A27,
 * A28, A29 and D12 of the attack catalogue are rows: what is refused here, or made ambiguous, cannot reach
 * another route's upstream.
 */
#include "http/target.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#define BYTES(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }

/* A path and what becomes of it; with NULL for `loose` all three spellings are the raw path. */
struct path_row {
    const char *name;
    struct slice raw;
    const char *path, *loose;
};

static const struct path_row path_rows[] = {
    {"root", BYTES("/"), "/", NULL},
    {"plain", BYTES("/api/v1/statuses"), "/api/v1/statuses", NULL},
    {"trailing slash", BYTES("/api/v1/streaming/"), "/api/v1/streaming/", NULL},
    {"D3 without the slash", BYTES("/api/v1/streaming"), "/api/v1/streaming", NULL},
    {"dots within names", BYTES("/a.b/..c/d../.e/.../x."), "/a.b/..c/d../.e/.../x.", NULL},
    {"A8 well-known", BYTES("/.well-known/webfinger"), "/.well-known/webfinger", NULL},
    {"A8 actor", BYTES("/@user/statuses/1"), "/@user/statuses/1", NULL},
    {"unreserved and sub-delims", BYTES("/-_~!$&'()*+,=:@"), "/-_~!$&'()*+,=:@", NULL},
    {"bytes RFC 3986 forbids and browsers send", BYTES("/\"<>[]^`{|}"), "/\"<>[]^`{|}", NULL},
    {"encoded letter", BYTES("/%61pi/x"), "/api/x", "/api/x"},
    {"dot segment", BYTES("/a/./b"), "/a/b", "/a/b"},
    {"dot segment at the end", BYTES("/a/."), "/a/", "/a/"},
    {"dot segment alone", BYTES("/."), "/", "/"},
    {"parent", BYTES("/a/../b"), "/b", "/b"},
    {"parent at the end", BYTES("/a/b/.."), "/a/", "/a/"},
    {"parent to the root", BYTES("/a/.."), "/", "/"},
    {"parents", BYTES("/a/b/c/../../d"), "/a/d", "/a/d"},
    {"parent before a trailing slash", BYTES("/a/b/../"), "/a/", "/a/"},
    {"RFC 3986 5.2.4", BYTES("/a/b/c/./../../g"), "/a/g", "/a/g"},
    {"D12 literal parent", BYTES("/join/../api/z"), "/api/z", "/api/z"},
    {"D12 encoded parent", BYTES("/api/v1/streaming/%2e%2e/x"), "/api/v1/x", "/api/v1/x"},
    {"A27 encoded parent in upper case", BYTES("/a/%2E%2E/b"), "/b", "/b"},
    {"A27 half encoded parent", BYTES("/a/.%2e/b"), "/b", "/b"},
    {"A27 other half encoded", BYTES("/a/%2e./b"), "/b", "/b"},
    {"A27 encoded dot", BYTES("/a/%2e/b"), "/a/b", "/a/b"},
    {"A28 repeated slash", BYTES("/a//b"), "/a//b", "/a/b"},
    {"A28 leading slashes", BYTES("//a.example/b"), "//a.example/b", "/a.example/b"},
    {"A28 trailing slashes", BYTES("/a//"), "/a//", "/a/"},
    {"A28 only slashes", BYTES("///"), "///", "/"},
    {"A28 dot behind slashes", BYTES("/a//./b"), "/a//b", "/a/b"},
    {"A28 slashes behind a dot", BYTES("/.//b"), "//b", "/b"},
    {"A28 parameters", BYTES("/a;v=1/b;w"), "/a;v=1/b;w", "/a/b"},
    {"A28 parameters before a parent", BYTES("/a;v=1/../b"), "/b", "/b"},
    {"A28 empty segment with parameters", BYTES("/a/;x/b"), "/a/;x/b", "/a/b"},
    {"A28 encoded semicolon", BYTES("/a%3bx/b"), "/a;x/b", "/a/b"},
    {"A27 dot with parameters", BYTES("/a/.;/b"), "/a/.;/b", "/a/b"},
    {"A27 encoded slash", BYTES("/a%2fb"), "/a%2Fb", "/a/b"},
    {"A27 encoded slash in upper case", BYTES("/a%2Fb"), "/a%2Fb", "/a/b"},
    {"A27 backslash", BYTES("/a\\b"), "/a\\b", "/a/b"},
    {"A27 encoded backslash", BYTES("/a%5cb"), "/a%5Cb", "/a/b"},
    {"A27 encoded slashes in a row", BYTES("/a%2f%2Fb"), "/a%2F%2Fb", "/a/b"},
    {"A27 twice encoded dot", BYTES("/a/%252e/b"), "/a/%2e/b", "/a/b"},
    {"A27 twice encoded slash", BYTES("/a%252fb"), "/a%2fb", "/a/b"},
    {"A27 twice encoded backslash", BYTES("/a%255Cb"), "/a%5Cb", "/a/b"},
    {"A27 twice encoded letter", BYTES("/%2561dmin"), "/%61dmin", "/admin"},
    {"A27 encoded percent and digits", BYTES("/a%25%32%66b"), "/a%2fb", "/a/b"},
    {"A27 twice encoded NUL", BYTES("/a%2500b"), "/a%00b", "/a%00b"},
    {"A27 thrice encoded dot is text for all", BYTES("/a/%25252e/b"), "/a/%252e/b", "/a/%2e/b"},
    {"encoded percent", BYTES("/100%25"), "/100%", "/100%"},
    {"encoded percent before text", BYTES("/100%25zz"), "/100%zz", "/100%zz"},
};

static struct slice heap_copy(struct slice text)
{
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    memcpy(copy, text.at, text.len);
    return slice_make(copy, text.len);
}

/* Paths that can be written in no other way: all three spellings are the decoded path. */
static const struct path_row unavoidable_rows[] = {
    {"encoded space", BYTES("/a%20b"), "/a b", NULL},
    {"encoded UTF-8", BYTES("/caf%C3%A9"), "/caf\xc3\xa9", NULL},
    {"encoded question mark", BYTES("/a%3Fb%23c"), "/a?b#c", NULL},
    {"A28 encoded CR LF", BYTES("/a%0d%0ab"), "/a\r\nb", NULL},
};

static void expect(const char *name, const char *what, struct slice found, struct slice wanted)
{
    if (!slice_equal(found, wanted))
        fail_msg("%s: %s is '%.*s', not '%.*s'", name, what, SLICE_ARGS(found), SLICE_ARGS(wanted));
}

static void unavoidable_encodings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unavoidable_rows / sizeof unavoidable_rows[0]; i++) {
        const struct path_row *row = &unavoidable_rows[i];
        struct arena arena;
        struct target target;
        arena_init(&arena, NULL, 0);
        assert_int_equal(target_parse(row->raw, METHOD_GET, &arena, &target), FAULT_NONE);
        expect(row->name, "raw", target.raw, row->raw);
        expect(row->name, "raw_path", target.raw_path, slice_of(row->path));
        expect(row->name, "path", target.path, slice_of(row->path));
        expect(row->name, "loose_path", target.loose_path, slice_of(row->path));
        assert_false(target.ambiguous);
        arena_fini(&arena);
    }
}

static void check_path(const struct path_row *row)
{
    struct arena arena;
    struct target target;
    arena_init(&arena, NULL, 0);
    struct slice text = heap_copy(row->raw);
    enum fault fault = target_parse(text, METHOD_GET, &arena, &target);
    if (fault != FAULT_NONE)
        fail_msg("%s: %s", row->name, fault_row(fault)->name);
    expect(row->name, "raw", target.raw, row->raw);
    expect(row->name, "raw_path", target.raw_path, row->raw);
    expect(row->name, "path", target.path, slice_of(row->path));
    expect(row->name, "loose_path", target.loose_path, slice_of(row->loose ? row->loose : row->path));
    if (target.ambiguous != (row->loose != NULL))
        fail_msg("%s: ambiguous is %d", row->name, target.ambiguous);
    if (row->loose == NULL && (arena.pages != NULL || target.path.at != text.at))
        fail_msg("%s: memory was taken", row->name);
    free((void *)text.at);
    arena_fini(&arena);
}

static void spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof path_rows / sizeof path_rows[0]; i++)
        check_path(&path_rows[i]);
}

struct refused_row {
    const char *name;
    enum method method;
    struct slice text;
    enum fault fault;
};

static const struct refused_row refused_rows[] = {
    {"A27 above root", METHOD_GET, BYTES("/.."), FAULT_path_above_root},
    {"A27 above root and down", METHOD_GET, BYTES("/../etc/passwd"), FAULT_path_above_root},
    {"A27 above root later", METHOD_GET, BYTES("/a/../../b"), FAULT_path_above_root},
    {"A27 encoded above root", METHOD_GET, BYTES("/%2e%2e/%2e%2e/etc"), FAULT_path_above_root},
    {"A27 above root behind a dot", METHOD_GET, BYTES("/./../a"), FAULT_path_above_root},
    {"A27 dots behind an encoded slash", METHOD_GET, BYTES("/api/..%2fadmin"), FAULT_ambiguous_path},
    {"D12 the same, going nowhere", METHOD_GET, BYTES("/api/..%2fapi"), FAULT_ambiguous_path},
    {"A27 encoded all", METHOD_GET, BYTES("/a%2f%2e%2e%2fb"), FAULT_ambiguous_path},
    {"A27 backslashes", METHOD_GET, BYTES("/a/..\\..\\b"), FAULT_ambiguous_path},
    {"A27 encoded backslashes", METHOD_GET, BYTES("/a/..%5c..%5cb"), FAULT_ambiguous_path},
    {"A27 dots with a parameter", METHOD_GET, BYTES("/a/..;/b"), FAULT_ambiguous_path},
    {"A27 dots with a named parameter", METHOD_GET, BYTES("/a/..;x=1/b"), FAULT_ambiguous_path},
    {"A27 dots with an encoded parameter", METHOD_GET, BYTES("/a/..%3bx/b"), FAULT_ambiguous_path},
    {"A27 dots encoded twice", METHOD_GET, BYTES("/a/%252e%252e/b"), FAULT_ambiguous_path},
    {"A27 all encoded twice", METHOD_GET, BYTES("/a%252f%252e%252e%252fb"), FAULT_ambiguous_path},
    {"A27 one dot encoded twice", METHOD_GET, BYTES("/a/.%252e/b"), FAULT_ambiguous_path},
    {"A28 parent of an empty segment", METHOD_GET, BYTES("/a//../b"), FAULT_ambiguous_path},
    {"A28 parent and slashes elsewhere", METHOD_GET, BYTES("/a/../b//c"), FAULT_ambiguous_path},
    {"A28 plain and encoded parents", METHOD_GET, BYTES("/p/../a/%2e%2e/p"), FAULT_ambiguous_path},
    {"A28 plain parent and encoded dot", METHOD_GET, BYTES("/p/../a/%2e/../p"), FAULT_ambiguous_path},
    {"A28 parents that cancel out", METHOD_GET, BYTES("/p/..;/admin//..;/p/x"), FAULT_ambiguous_path},
    {"A28 split and merge cancel out", METHOD_GET, BYTES("/a/b%2fc//../../../p"), FAULT_ambiguous_path},
    {"A27 NUL", METHOD_GET, BYTES("/a%00b"), FAULT_bad_target},
    {"A27 NUL before a parent", METHOD_GET, BYTES("/a/..%00/b"), FAULT_bad_target},
    {"A27 percent at the end", METHOD_GET, BYTES("/a%"), FAULT_bad_target},
    {"A27 one digit", METHOD_GET, BYTES("/a%2"), FAULT_bad_target},
    {"A27 no hex digits", METHOD_GET, BYTES("/a%zz"), FAULT_bad_target},
    {"A27 half a hex digit", METHOD_GET, BYTES("/a%2g"), FAULT_bad_target},
    {"A27 percent before the query", METHOD_GET, BYTES("/a%2?f"), FAULT_bad_target},
    {"A27 double percent", METHOD_GET, BYTES("/%%32%65"), FAULT_bad_target},
    {"A27 unicode escape", METHOD_GET, BYTES("/%u002e%u002e/"), FAULT_bad_target},
    {"A29 empty", METHOD_GET, BYTES(""), FAULT_bad_target},
    {"A29 fragment", METHOD_GET, BYTES("/a#b"), FAULT_bad_target},
    {"A29 fragment in the query", METHOD_GET, BYTES("/a?b#c"), FAULT_bad_target},
    {"A29 no slash", METHOD_GET, BYTES("a/b"), FAULT_bad_target},
    {"A29 query only", METHOD_GET, BYTES("?a"), FAULT_bad_target},
    {"A29 space", METHOD_GET, BYTES("/a b"), FAULT_bad_target},
    {"A29 space in the query", METHOD_GET, BYTES("/a?b c"), FAULT_bad_target},
    {"A29 tab", METHOD_GET, BYTES("/a\tb"), FAULT_bad_target},
    {"A29 CR", METHOD_GET, BYTES("/a\rb"), FAULT_bad_target},
    {"A29 LF in the query", METHOD_GET, BYTES("/a?\n"), FAULT_bad_target},
    {"A29 NUL byte", METHOD_GET, BYTES("/a\0b"), FAULT_bad_target},
    {"A29 NUL byte at the end", METHOD_GET, BYTES("/a\0"), FAULT_bad_target},
    {"A29 DEL", METHOD_GET, BYTES("/a\x7f"), FAULT_bad_target},
    {"A29 raw UTF-8", METHOD_GET, BYTES("/b\xc3\xbc"), FAULT_bad_target},
    {"A29 raw UTF-8 in the query", METHOD_GET, BYTES("/?\xc3\xbc"), FAULT_bad_target},
    {"A29 overlong slash", METHOD_GET, BYTES("/..\xc0\xaf"), FAULT_bad_target},
    {"A29 asterisk", METHOD_GET, BYTES("*"), FAULT_bad_target},
    {"A29 asterisk and more", METHOD_OPTIONS, BYTES("*/"), FAULT_bad_target},
    {"A29 authority-form", METHOD_GET, BYTES("a.example:443"), FAULT_bad_target},
    {"A29 CONNECT", METHOD_CONNECT, BYTES("a.example:443"), FAULT_method_refused},
    {"A29 CONNECT with a path", METHOD_CONNECT, BYTES("/"), FAULT_method_refused},
    {"A29 CONNECT with rubbish", METHOD_CONNECT, BYTES(" \0"), FAULT_method_refused},
    {"A29 other scheme", METHOD_GET, BYTES("ftp://a.example/"), FAULT_bad_target},
    {"A29 file scheme", METHOD_GET, BYTES("file:///etc/passwd"), FAULT_bad_target},
    {"A29 websocket scheme", METHOD_GET, BYTES("ws://a.example/"), FAULT_bad_target},
    {"A29 one slash", METHOD_GET, BYTES("http:/a.example/"), FAULT_bad_target},
    {"A29 scheme only", METHOD_GET, BYTES("http://"), FAULT_bad_target},
    {"A29 no authority", METHOD_GET, BYTES("http:///a"), FAULT_bad_target},
    {"A29 no authority, query", METHOD_GET, BYTES("http://?a"), FAULT_bad_target},
    {"A29 userinfo", METHOD_GET, BYTES("http://u@a.example/"), FAULT_bad_target},
    {"A29 userinfo with password", METHOD_GET, BYTES("http://u:p@a.example/"), FAULT_bad_target},
    {"A29 backslash and userinfo", METHOD_GET, BYTES("http://a.example\\@b.example/"), FAULT_bad_target},
    {"A29 backslash in the authority", METHOD_GET, BYTES("http://a.example\\b/"), FAULT_bad_target},
    {"A29 fragment in the authority", METHOD_GET, BYTES("http://a.example#b"), FAULT_bad_target},
    {"A29 encoded authority", METHOD_GET, BYTES("http://a%2eexample/"), FAULT_bad_target},
    {"A29 NUL in the authority", METHOD_GET, BYTES("http://a\0b/"), FAULT_bad_target},
    {"A27 absolute above root", METHOD_GET, BYTES("http://a.example/../b"), FAULT_path_above_root},
    {"A27 absolute with NUL", METHOD_GET, BYTES("http://a.example/%00"), FAULT_bad_target},
};

static void refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused_rows / sizeof refused_rows[0]; i++) {
        const struct refused_row *row = &refused_rows[i];
        struct arena arena;
        struct target target = {.query = SLICE("unset")};
        arena_init(&arena, NULL, 0);
        struct slice text = heap_copy(row->text);
        enum fault fault = target_parse(text, row->method, &arena, &target);
        if (fault != row->fault)
            fail_msg("%s: %s", row->name, fault_row(fault)->name);
        expect(row->name, "the unwritten output", target.query, SLICE("unset"));
        free((void *)text.at);
        arena_fini(&arena);
    }
}

static void every_byte_of_a_path(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        struct arena arena;
        struct target target;
        char bytes[] = {'/', 'a', (char)c, 'b'};
        arena_init(&arena, NULL, 0);
        bool legal = c > 0x20 && c < 0x7f && c != '#' && c != '%';
        enum fault fault = target_parse(slice_make(bytes, 4), METHOD_GET, &arena, &target);
        if (fault != (legal ? FAULT_NONE : FAULT_bad_target))
            fail_msg("byte %02x: %s", c, fault_row(fault)->name);
        arena_fini(&arena);
    }
}

struct form_row {
    const char *name;
    enum method method;
    const char *text;
    enum target_form form;
    const char *raw, *path, *query, *authority;
};

static const struct form_row form_rows[] = {
    {"query", METHOD_GET, "/a?b=c", TARGET_ORIGIN, "/a?b=c", "/a", "b=c", ""},
    {"empty query", METHOD_GET, "/a?", TARGET_ORIGIN, "/a?", "/a", "", ""},
    {"two question marks", METHOD_GET, "/a?b?c", TARGET_ORIGIN, "/a?b?c", "/a", "b?c", ""},
    {"query is not decoded", METHOD_GET, "/?a=%2e%zz&b=../..//\\;", TARGET_ORIGIN, "/?a=%2e%zz&b=../..//\\;",
     "/", "a=%2e%zz&b=../..//\\;", ""},
    {"dots before the query", METHOD_GET, "/a/..?b", TARGET_ORIGIN, "/a/..?b", "/", "b", ""},
    {"dot before the query", METHOD_GET, "/a/.?b", TARGET_ORIGIN, "/a/.?b", "/a/", "b", ""},
    {"D3 streaming", METHOD_GET, "/api/v1/streaming?stream=user", TARGET_ORIGIN,
     "/api/v1/streaming?stream=user", "/api/v1/streaming", "stream=user", ""},
    {"OPTIONS of a path", METHOD_OPTIONS, "/a", TARGET_ORIGIN, "/a", "/a", "", ""},
    {"A29 asterisk", METHOD_OPTIONS, "*", TARGET_ASTERISK, "*", "/", "", ""},
    {"A29 absolute", METHOD_GET, "http://a.example/b?c", TARGET_ABSOLUTE, "/b?c", "/b", "c", "a.example"},
    {"A29 absolute https", METHOD_GET, "https://a.example:444/", TARGET_ABSOLUTE, "/", "/", "",
     "a.example:444"},
    {"A29 scheme in any case", METHOD_GET, "hTTp://A.Example/B", TARGET_ABSOLUTE, "/B", "/B", "",
     "A.Example"},
    {"A29 absolute IPv6", METHOD_GET, "http://[::1]:80/a", TARGET_ABSOLUTE, "/a", "/a", "", "[::1]:80"},
    {"A29 absolute without path", METHOD_GET, "http://a.example", TARGET_ABSOLUTE, "/", "/", "", "a.example"},
    {"A29 absolute with query only", METHOD_GET, "http://a.example?b", TARGET_ABSOLUTE, "/?b", "/", "b",
     "a.example"},
    {"A29 absolute with empty query", METHOD_GET, "http://a.example?", TARGET_ABSOLUTE, "/?", "/", "",
     "a.example"},
    {"A29 absolute OPTIONS without path", METHOD_OPTIONS, "http://a.example:8001", TARGET_ABSOLUTE, "*", "/",
     "", "a.example:8001"},
    {"A29 absolute OPTIONS with query", METHOD_OPTIONS, "http://a.example?b", TARGET_ABSOLUTE, "/?b", "/",
     "b", "a.example"},
    {"A29 absolute OPTIONS with path", METHOD_OPTIONS, "http://a.example/", TARGET_ABSOLUTE, "/", "/", "",
     "a.example"},
    {"A28 absolute with dots", METHOD_GET, "http://a.example/b/../c", TARGET_ABSOLUTE, "/b/../c", "/c", "",
     "a.example"},
    {"A29 absolute with double slash", METHOD_GET, "http://a.example//b", TARGET_ABSOLUTE, "//b", "//b", "",
     "a.example"},
    {"A29 at sign in the path", METHOD_GET, "http://a.example/@b", TARGET_ABSOLUTE, "/@b", "/@b", "",
     "a.example"},
    {"A29 absolute-form inside a path", METHOD_GET, "/http:/b", TARGET_ORIGIN, "/http:/b", "/http:/b", "",
     ""},
};

static void forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof form_rows / sizeof form_rows[0]; i++) {
        const struct form_row *row = &form_rows[i];
        struct arena arena;
        struct target target;
        arena_init(&arena, NULL, 0);
        struct slice text = heap_copy(slice_of(row->text));
        enum fault fault = target_parse(text, row->method, &arena, &target);
        if (fault != FAULT_NONE || target.form != row->form)
            fail_msg("%s: %s, form %d", row->name, fault_row(fault)->name, target.form);
        expect(row->name, "raw", target.raw, slice_of(row->raw));
        expect(row->name, "path", target.path, slice_of(row->path));
        expect(row->name, "query", target.query, slice_of(row->query));
        expect(row->name, "authority", target.authority, slice_of(row->authority));
        free((void *)text.at);
        arena_fini(&arena);
    }
}

/* What is beyond the end of a target must not matter: "/a%" before "2f", "/." before "./". */
static void the_end_is_the_end(void **state)
{
    (void)state;
    struct arena arena;
    struct target target;
    arena_init(&arena, NULL, 0);
    assert_int_equal(target_parse(slice_make("/a%2f", 4), METHOD_GET, &arena, &target), FAULT_bad_target);
    assert_int_equal(target_parse(slice_make("/a/../b", 4), METHOD_GET, &arena, &target), FAULT_NONE);
    assert_true(slice_equal(target.path, SLICE("/a/")));
    assert_int_equal(target_parse(slice_make("/a/..b", 5), METHOD_GET, &arena, &target), FAULT_NONE);
    assert_true(slice_equal(target.path, SLICE("/")));
    arena_fini(&arena);
}

/* Doubling the path must not do more than double the work: 1 MiB of "../" would take minutes if it were
 * quadratic. */
static void long_paths_are_linear(void **state)
{
    (void)state;
    enum { LEN = 1 << 20 };
    static const char *const patterns[] = {"/", "/.", "/a/..", "%2f", "/;", "/%2e", "%252f", "a"};
    char *text = malloc(LEN);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct arena arena;
        struct target target;
        size_t width = strlen(patterns[i]), whole = (LEN - 1) / width * width;
        text[0] = '/';
        for (size_t at = 0; at < whole; at++)
            text[at + 1] = patterns[i][at % width];
        arena_init(&arena, NULL, 0);
        enum fault fault = target_parse(slice_make(text, whole + 1), METHOD_GET, &arena, &target);
        assert_true(fault == FAULT_NONE || fault == FAULT_ambiguous_path);
        arena_fini(&arena);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(unavoidable_encodings),
        cmocka_unit_test(refusals),
        cmocka_unit_test(every_byte_of_a_path),
        cmocka_unit_test(forms),
        cmocka_unit_test(the_end_is_the_end),
        cmocka_unit_test(long_paths_are_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
