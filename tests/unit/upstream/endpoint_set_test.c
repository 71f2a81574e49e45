/*
 * upstream/endpoint_set.h: what a set holds, when two are the same, and that the last of several threads
 * frees it.
 */
#include "upstream/endpoint_set.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct endpoint_set *make(const char *first, const char *second)
{
    struct endpoint_set *set = endpoint_set_new(SLICE("api"), 2);
    assert_true(address_from_literal(slice_of(first), 80, &set->addresses[0]));
    assert_true(address_from_literal(slice_of(second), 80, &set->addresses[1]));
    return set;
}

static void new_set_is_zeroed_and_named(void **state)
{
    (void)state;
    char name[] = "api";
    struct endpoint_set *set = endpoint_set_new(slice_make(name, 3), 3);
    name[0] = 'X';
    assert_string_equal(set->upstream, "api");
    assert_int_equal(set->count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(set->addresses[i].len, 0);
    endpoint_set_unref(&set);
    assert_null(set);
    endpoint_set_unref(&set);
}

static void empty_sets_are_equal(void **state)
{
    (void)state;
    struct endpoint_set *a = endpoint_set_new(SLICE("a"), 0), *b = endpoint_set_new(SLICE(""), 0);
    assert_true(endpoint_set_equal(a, b));
    assert_string_equal(b->upstream, "");
    endpoint_set_unref(&a);
    endpoint_set_unref(&b);
}

static void equality_minds_order_and_count(void **state)
{
    (void)state;
    struct endpoint_set *a = make("10.0.0.1", "::1"), *same = make("10.0.0.1", "::1");
    struct endpoint_set *turned = make("::1", "10.0.0.1"), *fewer = endpoint_set_new(SLICE("api"), 1);
    fewer->addresses[0] = a->addresses[0];
    assert_true(endpoint_set_equal(a, same));
    assert_false(endpoint_set_equal(a, turned));
    assert_false(endpoint_set_equal(a, fewer));
    same->addresses[1].in6.sin6_port = htons(81);
    assert_false(endpoint_set_equal(a, same));
    endpoint_set_unref(&a);
    endpoint_set_unref(&same);
    endpoint_set_unref(&turned);
    endpoint_set_unref(&fewer);
}

static void *use(void *arg)
{
    struct endpoint_set *set = arg;
    for (int i = 0; i < 1000; i++) {
        struct endpoint_set *mine = endpoint_set_ref(set);
        if (mine->count != 2)
            return arg;
        endpoint_set_unref(&mine);
    }
    endpoint_set_unref(&set);
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    struct endpoint_set *set = make("10.0.0.1", "10.0.0.2");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, endpoint_set_ref(set)), 0);
    endpoint_set_unref(&set);
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_set_is_zeroed_and_named),
        cmocka_unit_test(empty_sets_are_equal),
        cmocka_unit_test(equality_minds_order_and_count),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
