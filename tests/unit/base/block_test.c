/*
 * base/block: size classes, references, and that a pool keeps some blocks but not all.
 */
#include "base/block.h"

#include "../dies.h"

#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static void capacities_are_rounded_up_to_a_class(void **state)
{
    (void)state;
    static const struct {
        size_t wanted, capacity;
    } cases[] = {
        {0, BLOCK_SIZE},
        {1, BLOCK_SIZE},
        {BLOCK_SIZE, BLOCK_SIZE},
        {BLOCK_SIZE + 1, BLOCK_SIZE_LARGE},
        {BLOCK_SIZE_LARGE, BLOCK_SIZE_LARGE},
        {BLOCK_SIZE_LARGE + 1, BLOCK_SIZE_LARGE + 1},
        {1000000, 1000000},
    };
    struct block_pool pool;
    block_pool_init(&pool);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct block *block = block_new(&pool, cases[i].wanted);
        assert_int_equal(block->capacity, cases[i].capacity);
        assert_int_equal(block->used, 0);
        assert_int_equal(block->refs, 1);
        memset(block->data, 0x5a, block->capacity);
        block->used = block->capacity;
        block_unref(&block);
        assert_null(block);
    }
    block_pool_fini(&pool);
}

static void the_last_reference_returns_the_block(void **state)
{
    (void)state;
    struct block_pool pool;
    block_pool_init(&pool);
    struct block *a = block_new(&pool, 1), *b = block_ref(a), *first = a;
    block_unref(&a);
    assert_int_equal(pool.free_small_count, 0);
    assert_int_equal(b->refs, 1);
    block_unref(&b);
    assert_int_equal(pool.free_small_count, 1);
    a = block_new(&pool, 1);
    assert_ptr_equal(a, first);
    assert_int_equal(a->refs, 1);
    assert_int_equal(a->used, 0);
    assert_int_equal(pool.free_small_count, 0);
    block_unref(&a);
    block_unref(&a);
    block_pool_fini(&pool);
    assert_null(pool.free_small);
}

static void idle_blocks_are_bounded(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static const size_t sizes[] = {BLOCK_SIZE, BLOCK_SIZE_LARGE, BLOCK_SIZE_LARGE + 1};
    struct block *blocks[COUNT];
    struct block_pool pool;
    block_pool_init(&pool);
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < COUNT; i++)
            blocks[i] = block_new(&pool, sizes[k]);
        for (size_t i = 0; i < COUNT; i++)
            block_unref(&blocks[i]);
    }
    assert_in_range(pool.free_small_count, 1, 64);
    assert_in_range(pool.free_large_count, 1, 16);
    unsigned counted = 0;
    for (struct block *block = pool.free_small; block; block = block->next_free)
        counted++;
    assert_int_equal(counted, pool.free_small_count);
    block_pool_fini(&pool);
}

static void unref_twice(void)
{
    struct block_pool pool;
    block_pool_init(&pool);
    struct block *block = block_new(&pool, 1), *again = block;
    block_unref(&block);
    block_unref(&again);
}

static void a_block_without_references_is_not_given_up_again(void **state)
{
    (void)state;
    assert_true(dies(unref_twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacities_are_rounded_up_to_a_class),
        cmocka_unit_test(the_last_reference_returns_the_block),
        cmocka_unit_test(idle_blocks_are_bounded),
        cmocka_unit_test(a_block_without_references_is_not_given_up_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
