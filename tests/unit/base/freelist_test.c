/*
 * base/freelist: what is given back is taken again, last in first out, never more than the bound; the rest of
 * an object stays as it was. That the others are freed, a leak checker sees.
 */
#include "base/freelist.h"

#include <stdint.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

enum { SIZE = 40 };

static void an_empty_list_allocates(void **state)
{
    (void)state;
    struct freelist list = {.size = SIZE, .most = 2};
    char *a = freelist_take(&list), *b = freelist_take(&list);
    assert_ptr_not_equal(a, b);
    assert_int_equal(list.count, 0);
    memset(a, 'a', SIZE);
    memset(b, 'b', SIZE);
    free(a);
    free(b);
    freelist_fini(&list);
}

static void the_last_comes_first(void **state)
{
    (void)state;
    struct freelist list = {.size = SIZE, .most = 3};
    void *objects[3];
    for (int i = 0; i < 3; i++)
        objects[i] = freelist_take(&list);
    for (int i = 0; i < 3; i++)
        freelist_put(&list, objects[i]);
    assert_int_equal(list.count, 3);
    for (int i = 3; i > 0; i--)
        assert_ptr_equal(freelist_take(&list), objects[i - 1]);
    assert_int_equal(list.count, 0);
    assert_null(list.first);
    for (int i = 0; i < 3; i++)
        free(objects[i]);
}

static void no_more_than_the_bound_are_kept(void **state)
{
    (void)state;
    struct freelist list = {.size = SIZE, .most = 2};
    void *objects[4];
    for (int i = 0; i < 4; i++)
        objects[i] = freelist_take(&list);
    for (int i = 0; i < 4; i++)
        freelist_put(&list, objects[i]);
    assert_int_equal(list.count, 2);
    assert_ptr_equal(list.first, objects[1]);
    freelist_fini(&list);
    assert_int_equal(list.count, 0);
    assert_null(list.first);
    freelist_fini(&list);
}

static void a_bound_of_zero_keeps_nothing(void **state)
{
    (void)state;
    struct freelist list = {.size = SIZE};
    freelist_put(&list, freelist_take(&list));
    assert_int_equal(list.count, 0);
    assert_null(list.first);
}

static void only_the_first_bytes_are_overwritten(void **state)
{
    (void)state;
    struct freelist list = {.size = SIZE, .most = 1};
    char expected[SIZE], *object = freelist_take(&list);
    memset(expected, 'x', SIZE);
    memset(object, 'x', SIZE);
    freelist_put(&list, object);
    assert_ptr_equal(freelist_take(&list), object);
    assert_memory_equal(object + sizeof(void *), expected, SIZE - sizeof(void *));
    free(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_allocates),
        cmocka_unit_test(the_last_comes_first),
        cmocka_unit_test(no_more_than_the_bound_are_kept),
        cmocka_unit_test(a_bound_of_zero_keeps_nothing),
        cmocka_unit_test(only_the_first_bytes_are_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
