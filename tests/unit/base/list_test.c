/*
 * base/list: order, counts, and removal at every place, also of nodes that are on no list.
 */
#include "base/list.h"

#include "base/check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

struct item {
    int number;
    struct list_node node;
};

/* Forwards and backwards the list holds `count` items with these numbers. */
static void expect(const struct list *list, const int *numbers, size_t count)
{
    assert_int_equal(list->count, count);
    size_t i = 0;
    for (struct list_node *node = list_first(list); node; node = list_next(list, node))
        assert_int_equal(CONTAINER_OF(node, item, node)->number, numbers[i++]);
    assert_int_equal(i, count);
    for (const struct list_node *node = list->ring.prev; node != &list->ring; node = node->prev)
        assert_int_equal(CONTAINER_OF(node, item, node)->number, numbers[--i]);
    assert_int_equal(i, 0);
}

static void items_stand_in_order(void **state)
{
    (void)state;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct list list;
    list_init(&list);
    expect(&list, NULL, 0);
    assert_null(list_first(&list));
    assert_null(list_pop(&list));
    list_append(&list, &items[1].node);
    list_append(&list, &items[2].node);
    list_prepend(&list, &items[0].node);
    list_append(&list, &items[3].node);
    expect(&list, (int[]){0, 1, 2, 3}, 4);
}

static void any_item_can_be_removed(void **state)
{
    (void)state;
    static const int left[3][2] = {{1, 2}, {0, 2}, {0, 1}};
    for (int i = 0; i < 3; i++) {
        struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
        struct list list;
        list_init(&list);
        for (int k = 0; k < 3; k++)
            list_append(&list, &items[k].node);
        assert_true(list_linked(&items[i].node));
        list_remove(&list, &items[i].node);
        assert_false(list_linked(&items[i].node));
        expect(&list, left[i], 2);
        list_remove(&list, &items[i].node);
        expect(&list, left[i], 2);
        list_append(&list, &items[i].node);
        expect(&list, (int[]){left[i][0], left[i][1], i}, 3);
    }
}

static void popping_empties_the_list(void **state)
{
    (void)state;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    struct list list;
    list_init(&list);
    for (int k = 0; k < 3; k++)
        list_append(&list, &items[k].node);
    for (int k = 0; k < 3; k++) {
        struct list_node *node = list_pop(&list);
        assert_ptr_equal(node, &items[k].node);
        assert_false(list_linked(node));
    }
    expect(&list, NULL, 0);
}

static void an_item_may_be_on_two_lists(void **state)
{
    (void)state;
    struct {
        struct list_node a, b;
    } item = {0};
    struct list list_a, list_b;
    list_init(&list_a);
    list_init(&list_b);
    list_append(&list_a, &item.a);
    list_append(&list_b, &item.b);
    list_remove(&list_a, &item.a);
    assert_true(list_linked(&item.b));
    assert_int_equal(list_a.count, 0);
    assert_int_equal(list_b.count, 1);
}

static void items_are_inserted_anywhere(void **state)
{
    (void)state;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct list list;
    list_init(&list);
    assert_null(list_last(&list));
    list_insert(&list, NULL, &items[1].node);
    list_insert(&list, NULL, &items[0].node);
    list_insert(&list, &items[1].node, &items[3].node);
    list_insert(&list, &items[1].node, &items[2].node);
    expect(&list, (int[]){0, 1, 2, 3}, 4);
    assert_ptr_equal(list_last(&list), &items[3].node);
    assert_ptr_equal(list_previous(&list, &items[3].node), &items[2].node);
    assert_null(list_previous(&list, &items[0].node));
}

static void ring_expect(struct list_node *ring, const int *numbers, size_t count)
{
    struct list_node *node;
    for (size_t i = 0; i < count; i++) {
        node = ring_pop(ring);
        assert_non_null(node);
        assert_int_equal(CONTAINER_OF(node, item, node)->number, numbers[i]);
        assert_false(list_linked(node));
    }
    assert_null(ring_pop(ring));
}

static void a_ring_needs_not_be_known_to_leave_it(void **state)
{
    (void)state;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    struct list_node ring;
    ring_init(&ring);
    ring_expect(&ring, NULL, 0);
    for (int i = 0; i < 4; i++)
        ring_append(&ring, &items[i].node);
    ring_remove(&items[3].node);
    ring_remove(&items[0].node);
    assert_false(list_linked(&items[0].node));
    ring_append(&ring, &items[0].node);
    ring_expect(&ring, (int[]){1, 2, 0}, 3);
}

static void a_ring_moves(void **state)
{
    (void)state;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    struct list_node from, to;
    ring_init(&from);
    ring_move(&from, &to);
    ring_expect(&to, NULL, 0);
    for (int i = 0; i < 3; i++)
        ring_append(&from, &items[i].node);
    ring_move(&from, &to);
    assert_null(ring_pop(&from));
    ring_remove(&items[1].node);
    ring_append(&from, &items[1].node);
    ring_expect(&to, (int[]){0, 2}, 2);
    ring_expect(&from, (int[]){1}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_stand_in_order),
        cmocka_unit_test(any_item_can_be_removed),
        cmocka_unit_test(popping_empties_the_list),
        cmocka_unit_test(an_item_may_be_on_two_lists),
        cmocka_unit_test(items_are_inserted_anywhere),
        cmocka_unit_test(a_ring_needs_not_be_known_to_leave_it),
        cmocka_unit_test(a_ring_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
