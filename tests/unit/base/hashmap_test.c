/*
 * base/hashmap: what was set is found and nothing else is, replacement, growth, seeds, and reading from
 * several threads.
 */
#include "base/hashmap.h"

#include "base/arena.h"
#include "../dies.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static int values[20000];

static void an_empty_map(void **state)
{
    (void)state;
    struct hashmap map;
    hashmap_init(&map);
    assert_null(hashmap_get(&map, SLICE("a")));
    assert_null(hashmap_get(&map, slice_of(NULL)));
    hashmap_fini(&map);
    assert_null(hashmap_get(&map, SLICE("a")));
}

static void keys_are_bytes(void **state)
{
    (void)state;
    static const struct slice keys[] = {{"", 0},
                                        {"a", 1},
                                        {"A", 1},
                                        {"\0", 1},
                                        {"\0\0", 2},
                                        {"a\0", 2},
                                        {"a\0b", 3},
                                        {"12345678", 8},
                                        {"12345678\0", 9},
                                        {"123456781234567", 15},
                                        {"1234567812345678", 16},
                                        {"1234567812345678x", 17}};
    enum { COUNT = sizeof keys / sizeof keys[0] };
    struct hashmap map;
    hashmap_init(&map);
    for (size_t i = 0; i < COUNT; i++)
        assert_null(hashmap_set(&map, keys[i], &values[i]));
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(hashmap_get(&map, keys[i]), &values[i]);
    assert_int_equal(map.count, COUNT);
    assert_null(hashmap_get(&map, SLICE("b")));
    assert_null(hashmap_get(&map, SLICE("1234567")));
    hashmap_fini(&map);
}

static void a_key_is_replaced(void **state)
{
    (void)state;
    struct hashmap map;
    hashmap_init(&map);
    assert_null(hashmap_set(&map, SLICE("a"), &values[0]));
    assert_ptr_equal(hashmap_set(&map, SLICE("a"), &values[1]), &values[0]);
    assert_ptr_equal(hashmap_get(&map, SLICE("a")), &values[1]);
    assert_int_equal(map.count, 1);
    hashmap_fini(&map);
}

static struct slice host_name(struct arena *arena, size_t number)
{
    return arena_printf(arena, "host-%zu.tenant.a.example", number);
}

static void thousands_of_keys(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct arena arena;
    struct hashmap map;
    arena_init(&arena, NULL, 0);
    hashmap_init(&map);
    for (size_t i = 0; i < COUNT; i++)
        assert_null(hashmap_set(&map, host_name(&arena, i), &values[i]));
    assert_int_equal(map.count, COUNT);
    assert_true(map.capacity >= 2 * map.count);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(hashmap_get(&map, host_name(&arena, i)), &values[i]);
    for (size_t i = COUNT; i < 2 * COUNT; i++)
        assert_null(hashmap_get(&map, host_name(&arena, i)));
    hashmap_fini(&map);
    arena_fini(&arena);
}

static void maps_have_seeds_of_their_own(void **state)
{
    (void)state;
    struct hashmap a, b;
    hashmap_init(&a);
    hashmap_init(&b);
    assert_true(a.seed != b.seed);
    hashmap_fini(&a);
    hashmap_fini(&b);
}

static void *read_all(void *arg)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    uintptr_t found = 0;
    for (size_t i = 0; i < 1000; i++)
        found += hashmap_get(arg, host_name(&arena, i)) == &values[i];
    arena_fini(&arena);
    return (void *)found;
}

static void threads_read_together(void **state)
{
    (void)state;
    struct arena arena;
    struct hashmap map;
    pthread_t threads[4];
    arena_init(&arena, NULL, 0);
    hashmap_init(&map);
    for (size_t i = 0; i < 1000; i++)
        assert_null(hashmap_set(&map, host_name(&arena, i), &values[i]));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &map), 0);
    for (size_t i = 0; i < 4; i++) {
        void *found = NULL;
        pthread_join(threads[i], &found);
        assert_int_equal((uintptr_t)found, 1000);
    }
    hashmap_fini(&map);
    arena_fini(&arena);
}

static void set_nothing(void)
{
    struct hashmap map;
    hashmap_init(&map);
    (void)hashmap_set(&map, SLICE("a"), NULL);
}

static void a_key_needs_a_value(void **state)
{
    (void)state;
    assert_true(dies(set_nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(a_key_is_replaced),
        cmocka_unit_test(thousands_of_keys),
        cmocka_unit_test(maps_have_seeds_of_their_own),
        cmocka_unit_test(threads_read_together),
        cmocka_unit_test(a_key_needs_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
