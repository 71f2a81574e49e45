/*
 * http/fields: recognising names in any case and refusing their neighbours, marks, lists, growth. What the
 * fields mean is tested where it is decided.
 */
#include "http/fields.h"

#include "base/check.h"
#include "../dies.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

struct row {
    enum field_id id;
    struct slice name;
    unsigned traits;
};

enum { HOP = 1, FRAMING = 2, OWNED = 4, SINGLETON = 8, SECRET = 16, NO_TRAILER = 32 };

static const struct row table[] = {
#define FIELD(id, name, flags) {FIELD_##id, {name, sizeof(name) - 1}, flags},
#include "tables/field_names.def"
#undef FIELD
};

enum { ROWS = sizeof table / sizeof table[0] };

/* The id of an exact heap copy, so that a sanitizer sees a read beyond it. */
static enum field_id id_of_bytes(const char *bytes, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    enum field_id id = field_id_of(slice_make(copy, len));
    free(copy);
    return id;
}

static void every_row_is_found_in_any_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char name[64];
        for (unsigned style = 0; style < 3; style++) {
            for (size_t k = 0; k < table[i].name.len; k++) {
                char c = table[i].name.at[k];
                bool upper = style == 1 || (style == 2 && k % 2 == 0);
                name[k] = upper && c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
            }
            if (id_of_bytes(name, table[i].name.len) != table[i].id)
                fail_msg("%s in style %u", table[i].name.at, style);
        }
        assert_true(slice_equal(field_id_name(table[i].id), table[i].name));
        assert_int_equal(field_traits(table[i].id), table[i].traits);
    }
    assert_int_equal(field_traits(FIELD_other), 0);
}

/* Every single-byte change of every known name, all 255 of them, is another name or the same letter in the
 * other case. */
static void no_neighbour_is_taken_for_a_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t k = 0; k < table[i].name.len; k++) {
            for (unsigned c = 0; c < 256; c++) {
                char name[64];
                memcpy(name, table[i].name.at, table[i].name.len);
                name[k] = (char)c;
                bool same = slice_equal_nocase(slice_make(name, table[i].name.len), table[i].name);
                bool found = id_of_bytes(name, table[i].name.len) == table[i].id;
                if (found != same)
                    fail_msg("%s with byte %zu = %02x", table[i].name.at, k, c);
            }
        }
        assert_int_not_equal(id_of_bytes(table[i].name.at, table[i].name.len - 1), table[i].id);
    }
}

static void other_names_are_other(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "h",
                                        "x-custom",
                                        "A31 x_forwarded_for",
                                        "x_forwarded_for",
                                        "content_length",
                                        "transfer-encoding ",
                                        " host",
                                        "content-lengt",
                                        "content-lengths",
                                        "a-name-that-is-longer-than-any-in-the-table-by-far"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(id_of_bytes(names[i], strlen(names[i])), FIELD_other);
}

static void added_fields_keep_their_order_and_spelling(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct fields fields = {0};
    fields_add(&fields, &arena, SLICE("HoSt"), SLICE("a.example"));
    fields_add(&fields, &arena, SLICE("X-Custom"), SLICE(""));
    fields_add_id(&fields, &arena, FIELD_server, SLICE("portico"));
    assert_int_equal(fields.count, 3);
    assert_int_equal(fields.at[0].id, FIELD_host);
    assert_true(slice_equal(field_name(&fields.at[0]), SLICE("HoSt")));
    assert_true(slice_equal(field_value(&fields.at[0]), SLICE("a.example")));
    assert_int_equal(fields.at[1].id, FIELD_other);
    assert_int_equal(fields.at[1].value_len, 0);
    assert_true(slice_equal(field_name(&fields.at[2]), SLICE("server")));
    arena_fini(&arena);
}

static void thousands_of_fields_fit(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct fields fields = {0};
    for (unsigned i = 0; i < 5000; i++)
        fields_add(&fields, &arena, i % 2 ? SLICE("cookie") : SLICE("x-n"), arena_printf(&arena, "%u", i));
    assert_int_equal(fields.count, 5000);
    assert_int_equal(fields_count(&fields, FIELD_cookie), 2500);
    for (unsigned i = 0; i < 5000; i++)
        assert_int_equal(strtoul(fields.at[i].value, NULL, 10), i);
    arena_fini(&arena);
}

static void removed_fields_are_marked_and_not_moved(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct fields fields = {0};
    fields_add(&fields, &arena, SLICE("Via"), SLICE("1"));
    fields_add(&fields, &arena, SLICE("Cookie"), SLICE("2"));
    fields_add(&fields, &arena, SLICE("vIA"), SLICE("3"));
    fields_add(&fields, &arena, SLICE("cookie"), SLICE("4"));
    fields_add(&fields, &arena, SLICE("date"), SLICE("5"));
    fields_remove(&fields, FIELD_cookie);
    assert_null(fields_find(&fields, FIELD_cookie));
    assert_int_equal(fields_count(&fields, FIELD_cookie), 0);
    fields_remove_name(&fields, SLICE("VIA"));
    static const uint8_t marks[] = {FIELD_GONE, FIELD_GONE, FIELD_GONE, FIELD_GONE, 0};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(fields.at[i].marks, marks[i]);
    assert_ptr_equal(fields_find(&fields, FIELD_date), &fields.at[4]);
    fields_remove_name(&fields, SLICE("date"));
    fields_remove(&fields, FIELD_date);
    assert_null(fields_find(&fields, FIELD_date));
    arena_fini(&arena);
}

static void the_first_present_field_is_found(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct fields fields = {0};
    assert_null(fields_find(&fields, FIELD_host));
    fields_add(&fields, &arena, SLICE("host"), SLICE("1"));
    fields_add(&fields, &arena, SLICE("host"), SLICE("2"));
    assert_ptr_equal(fields_find(&fields, FIELD_host), &fields.at[0]);
    assert_int_equal(fields_count(&fields, FIELD_host), 2);
    fields.at[0].marks |= FIELD_GONE;
    assert_ptr_equal(fields_find(&fields, FIELD_host), &fields.at[1]);
    assert_int_equal(fields_count(&fields, FIELD_host), 1);
    arena_fini(&arena);
}

/* Every id alone: nothing that is there is overlooked, though some share a bit with others. */
static void what_was_seen_is_found(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < ROWS; i++) {
        struct fields fields = {0};
        assert_false(fields_may_have(&fields, table[i].id));
        fields_add(&fields, &arena, table[i].name, SLICE("1"));
        assert_true(fields_may_have(&fields, table[i].id));
        bool ends_here = (table[i].traits & TRAIT_HOP) != 0;
        assert_true(!ends_here || (fields.seen & fields_of_one_hop) != 0);
        for (size_t k = 0; k < ROWS; k++)
            assert_ptr_equal(fields_find(&fields, table[k].id), k == i ? fields.at : NULL);
        fields_remove(&fields, table[i].id);
        assert_null(fields_find(&fields, table[i].id));
        fields_add_id(&fields, &arena, table[i].id, SLICE("2"));
        assert_ptr_equal(fields_find(&fields, table[i].id), &fields.at[1]);
    }
    arena_fini(&arena);
}

static void lists_are_searched_by_element(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool has_close;
    } cases[] = {
        {"close", NULL, true},        {"CLOSE", NULL, true},         {"keep-alive, Close", NULL, true},
        {" ,\tclose\t,", NULL, true}, {"keep-alive", "close", true}, {"", "close", true},
        {"closed", NULL, false},      {"not-close", NULL, false},    {"clo se", NULL, false},
        {"close;q=1", NULL, false},   {"\"close\"", NULL, false},    {"", "", false},
        {",,,", NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena arena;
        arena_init(&arena, NULL, 0);
        struct fields fields = {0};
        fields_add(&fields, &arena, SLICE("X-Connection"), SLICE("close"));
        fields_add(&fields, &arena, SLICE("Connection"), slice_of(cases[i].first));
        if (cases[i].second)
            fields_add(&fields, &arena, SLICE("connection"), slice_of(cases[i].second));
        if (fields_list_has(&fields, FIELD_connection, SLICE("close")) != cases[i].has_close)
            fail_msg("'%s', '%s'", cases[i].first, cases[i].second ? cases[i].second : "");
        fields_remove(&fields, FIELD_connection);
        assert_false(fields_list_has(&fields, FIELD_connection, SLICE("close")));
        arena_fini(&arena);
    }
}

static void name_the_nameless(void)
{
    (void)field_id_name(FIELD_other);
}

static void other_has_no_name(void **state)
{
    (void)state;
    assert_true(dies(name_the_nameless));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_in_any_case),
        cmocka_unit_test(no_neighbour_is_taken_for_a_row),
        cmocka_unit_test(other_names_are_other),
        cmocka_unit_test(added_fields_keep_their_order_and_spelling),
        cmocka_unit_test(thousands_of_fields_fit),
        cmocka_unit_test(removed_fields_are_marked_and_not_moved),
        cmocka_unit_test(the_first_present_field_is_found),
        cmocka_unit_test(what_was_seen_is_found),
        cmocka_unit_test(lists_are_searched_by_element),
        cmocka_unit_test(other_has_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
