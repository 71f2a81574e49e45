/*
 * base/arena: alignment, growth past the first page, large allocations, reuse. A sanitizer build makes it a
 * test of bounds: every byte that is handed out is written.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static void *filled(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % alignof(max_align_t), 0);
    return memset(memory, 0x5a, size);
}

static void the_first_page_is_used_first(void **state)
{
    (void)state;
    alignas(max_align_t) char first[256];
    struct arena arena;
    arena_init(&arena, first, sizeof first);
    assert_ptr_equal(filled(&arena, 1), first);
    assert_ptr_equal(filled(&arena, 100), first + 16);
    assert_ptr_equal(filled(&arena, 128), first + 128);
    assert_null(arena.pages);
    filled(&arena, 1);
    assert_non_null(arena.pages);
    arena_fini(&arena);
    assert_ptr_equal(filled(&arena, 256), first);
    assert_null(arena.pages);
    arena_fini(&arena);
}

static void any_first_page_gives_aligned_memory(void **state)
{
    (void)state;
    alignas(max_align_t) char first[256];
    for (size_t offset = 0; offset < 20; offset++) {
        struct arena arena;
        arena_init(&arena, first + offset, sizeof first - 20);
        filled(&arena, 3);
        filled(&arena, 64);
        filled(&arena, 300);
        arena_fini(&arena);
        filled(&arena, 16);
        arena_fini(&arena);
    }
}

static void a_first_page_smaller_than_the_alignment(void **state)
{
    (void)state;
    alignas(max_align_t) char first[32];
    for (size_t offset = 0; offset < 16; offset++) {
        for (size_t size = 0; size < 16; size++) {
            struct arena arena;
            arena_init(&arena, first + offset, size);
            filled(&arena, 16);
            assert_non_null(arena.pages);
            arena_fini(&arena);
        }
    }
}

static void nothing_is_something(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    assert_non_null(arena_alloc(&arena, 0));
    assert_non_null(arena_zalloc(&arena, 0));
    arena_fini(&arena);
}

static void sizes_around_the_page(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t size = 4000; size < 4200; size++)
        filled(&arena, size);
    arena_fini(&arena);
}

/* A large allocation gets a page of its own and does not waste what is left of the current one. */
static void large_allocations_leave_the_page_open(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    char *before = filled(&arena, 16);
    filled(&arena, 100000);
    assert_ptr_equal(filled(&arena, 16), before + 16);
    arena_fini(&arena);
}

static void many_small_ones_do_not_overlap(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static unsigned char *at[COUNT];
    struct arena arena;
    arena_init(&arena, NULL, 0);
    for (size_t i = 0; i < COUNT; i++)
        at[i] = memset(arena_alloc(&arena, i % 97 + 1), (int)(i % 251), i % 97 + 1);
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < i % 97 + 1; k++)
            assert_int_equal(at[i][k], i % 251);
    arena_fini(&arena);
}

static void zalloc_clears_used_memory(void **state)
{
    (void)state;
    alignas(max_align_t) char first[64];
    memset(first, 0x7f, sizeof first);
    struct arena arena;
    arena_init(&arena, first, sizeof first);
    const char *zeroed = arena_zalloc(&arena, 40);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(zeroed[i], 0);
    arena_fini(&arena);
}

static void copies_are_terminated(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    assert_memory_equal(arena_copy(&arena, slice_make("a\0bc", 3)), "a\0b", 4);
    assert_string_equal(arena_copy(&arena, slice_make(NULL, 0)), "");
    arena_fini(&arena);
}

static void printed_texts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct slice text = arena_printf(&arena, "%s-%d", "a", 42);
    assert_int_equal(text.len, 4);
    assert_string_equal(text.at, "a-42");
    assert_int_equal(arena_printf(&arena, "%s", "").len, 0);
    struct slice wide = arena_printf(&arena, "%10000d", 1);
    assert_int_equal(wide.len, 10000);
    assert_int_equal(wide.at[10000], 0);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_page_is_used_first),
        cmocka_unit_test(any_first_page_gives_aligned_memory),
        cmocka_unit_test(a_first_page_smaller_than_the_alignment),
        cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(sizes_around_the_page),
        cmocka_unit_test(large_allocations_leave_the_page_open),
        cmocka_unit_test(many_small_ones_do_not_overlap),
        cmocka_unit_test(zalloc_clears_used_memory),
        cmocka_unit_test(copies_are_terminated),
        cmocka_unit_test(printed_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
