/*
 * base/slice: comparison, trimming and list elements, empty and NULL slices above all.
 */
#include "base/slice.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static void equality(void **state)
{
    (void)state;
    static const struct {
        struct slice a, b;
        bool equal, equal_nocase;
    } cases[] = {
        {{NULL, 0}, {"", 0}, true, true},         {{"a", 1}, {"a", 1}, true, true},
        {{"a", 1}, {"A", 1}, false, true},        {{"a", 1}, {"ab", 2}, false, false},
        {{"a\0b", 3}, {"a\0c", 3}, false, false}, {{"a\0b", 3}, {"a\0B", 3}, false, true},
        {{"@", 1}, {"`", 1}, false, false},       {{"[", 1}, {"{", 1}, false, false},
        {{"\xc0", 1}, {"\xe0", 1}, false, false}, {{"Zz", 2}, {"zZ", 2}, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(slice_equal(cases[i].a, cases[i].b), cases[i].equal);
        assert_int_equal(slice_equal_nocase(cases[i].a, cases[i].b), cases[i].equal_nocase);
    }
}

static void lower_case_is_ascii(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        int lower = c >= 'A' && c <= 'Z' ? c + 32 : c;
        assert_int_equal((unsigned char)ascii_lower((char)c), lower);
    }
}

static void prefixes(void **state)
{
    (void)state;
    assert_true(slice_starts_with(SLICE("abc"), SLICE("ab")));
    assert_true(slice_starts_with(SLICE("abc"), SLICE("abc")));
    assert_true(slice_starts_with(SLICE("abc"), slice_of(NULL)));
    assert_true(slice_starts_with(slice_of(NULL), slice_of(NULL)));
    assert_false(slice_starts_with(SLICE("ab"), SLICE("abc")));
    assert_false(slice_starts_with(SLICE("Abc"), SLICE("ab")));
    assert_true(slice_equal(slice_after(SLICE("abc"), 2), SLICE("c")));
    assert_int_equal(slice_after(SLICE("abc"), 3).len, 0);
}

static void trimming(void **state)
{
    (void)state;
    static const struct {
        const char *text, *trimmed;
    } cases[] = {
        {"a", "a"}, {" a", "a"},  {"a\t", "a"},       {" \t a b \t", "a b"},
        {"", ""},   {" \t ", ""}, {"\ra\n", "\ra\n"}, {"\va", "\va"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(slice_equal(slice_trim(slice_of(cases[i].text)), slice_of(cases[i].trimmed)));
    assert_int_equal(slice_trim(slice_of(NULL)).len, 0);
}

static void list_elements(void **state)
{
    (void)state;
    static const struct {
        const char *list, *joined; /* elements, each followed by '|' */
    } cases[] = {
        {NULL, ""},
        {"", "|"},
        {"a", "a|"},
        {"a,b", "a|b|"},
        {" a ,\tb ", "a|b|"},
        {",", "||"},
        {"a,", "a||"},
        {",a", "|a|"},
        {"a,,b", "a||b|"},
        {"a b,c", "a b|c|"},
        {"\"a,b\"", "\"a|b\"|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char joined[64] = "";
        struct slice rest = slice_of(cases[i].list), element;
        while (slice_next_element(&rest, &element)) {
            strncat(joined, element.at, element.len);
            strcat(joined, "|");
        }
        assert_string_equal(joined, cases[i].joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality), cmocka_unit_test(lower_case_is_ascii), cmocka_unit_test(prefixes),
        cmocka_unit_test(trimming), cmocka_unit_test(list_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
