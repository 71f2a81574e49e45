/*
 * net/appetite: what makes reads large, what makes them small again, and what waits for neither.
 */
#include "net/appetite.h"

#include "base/block.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

static void filled_blocks_make_the_next_ones_large(void **state)
{
    (void)state;
    struct appetite appetite = {0};
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE);
    appetite_note(&appetite, BLOCK_SIZE - 1, false);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE);
    appetite_note(&appetite, BLOCK_SIZE, true);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE_LARGE);
}

static void a_few_small_reads_are_forgiven(void **state)
{
    (void)state;
    struct appetite appetite = {0};
    appetite_note(&appetite, BLOCK_SIZE, true);
    for (int i = 0; i < 7; i++)
        appetite_note(&appetite, 100, false);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE_LARGE);
    appetite_note(&appetite, 4096, false); /* as good as a filled one, while it lasts */
    for (int i = 0; i < 7; i++)
        appetite_note(&appetite, 100, false);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE_LARGE);
    appetite_note(&appetite, 100, false);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE);
    appetite_note(&appetite, 4096, false);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE);
}

static void one_who_was_slow_has_to_prove_himself(void **state)
{
    (void)state;
    struct appetite appetite = {0};
    appetite_note(&appetite, BLOCK_SIZE, true);
    appetite_spoil(&appetite);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(appetite_block(&appetite), BLOCK_SIZE);
        appetite_note(&appetite, BLOCK_SIZE, true);
    }
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE);
    appetite_note(&appetite, BLOCK_SIZE, true);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE_LARGE);
}

static void after_a_spliced_body_only_a_head_is_read(void **state)
{
    (void)state;
    struct appetite appetite = {0};
    assert_int_equal(appetite_next(&appetite, 20000), 20000);
    appetite_note_spliced(&appetite, 1024 * 1024);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE);
    assert_int_equal(appetite_next(&appetite, 1000), 1000); /* once */
    assert_int_equal(appetite_next(&appetite, 20000), 20000);
    assert_int_equal(appetite_block(&appetite), BLOCK_SIZE_LARGE);
    appetite_note_spliced(&appetite, 1024 * 1024);
    assert_int_equal(appetite_next(&appetite, 20000), 2048);
    assert_int_equal(appetite_next(&appetite, 20000), 20000);
}

static void much_is_8_kib(void **state)
{
    (void)state;
    struct appetite appetite = {0};
    appetite_note(&appetite, 8191, false);
    assert_false(appetite.much);
    appetite_note(&appetite, 8192, false);
    assert_true(appetite.much);
    appetite_note(&appetite, 1, false);
    assert_false(appetite.much);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filled_blocks_make_the_next_ones_large),
        cmocka_unit_test(a_few_small_reads_are_forgiven),
        cmocka_unit_test(one_who_was_slow_has_to_prove_himself),
        cmocka_unit_test(after_a_spliced_body_only_a_head_is_read),
        cmocka_unit_test(much_is_8_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
