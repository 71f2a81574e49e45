/*
 * The two pages of a lane: bytes come out whole and in order, whoever is behind, with one thread and with
 * two.
 */
#include "observe/lane.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PAGE = 256 * 1024, ITEMS = 200000 };

static struct lane lane;
static uint64_t next_in, next_out;

static bool put_item(void)
{
    char *room = lane_room(&lane, sizeof next_in);
    if (room == NULL)
        return false;
    memcpy(room, &next_in, sizeof next_in);
    lane_filled(&lane, sizeof next_in);
    next_in++;
    return true;
}

/* Takes everything that is published; how many items that was. */
static size_t take_items(void)
{
    size_t count = 0;
    for (struct slice bytes; (bytes = lane_peek(&lane)).len > 0; count++) {
        uint64_t item;
        memcpy(&item, bytes.at, sizeof item);
        assert_int_equal(item, next_out);
        next_out++;
        lane_done(&lane, sizeof item);
    }
    return count;
}

static int init(void **state)
{
    (void)state;
    next_in = next_out = 0;
    lane_init(&lane, PAGE);
    return 0;
}

static int fini(void **state)
{
    (void)state;
    lane_fini(&lane);
    return 0;
}

static void what_is_not_published_is_not_seen(void **state)
{
    (void)state;
    assert_false(lane_publish(&lane));
    assert_true(put_item());
    assert_int_equal(take_items(), 0);
    assert_true(lane_publish(&lane));
    assert_false(lane_publish(&lane));
    assert_int_equal(take_items(), 1);
    assert_int_equal(take_items(), 0);
}

/* The first page, then the other; then nothing until the writer has come on. */
static void two_pages_are_all(void **state)
{
    (void)state;
    const size_t fit = 2 * PAGE / sizeof(uint64_t);
    for (size_t i = 0; i < fit; i++)
        assert_true(put_item());
    assert_true(lane_is_pressed(&lane));
    assert_false(put_item());
    assert_false(put_item());
    assert_int_equal(take_items(), fit);
    assert_true(put_item());
    lane_publish(&lane);
    assert_int_equal(take_items(), 1);
    assert_int_equal(next_in, next_out);
}

/* A writer that keeps up leaves the worker at the start of its pages. */
static void little_memory_is_touched(void **state)
{
    (void)state;
    size_t most = 0;
    for (int turn = 0; turn < 5000; turn++) {
        for (int i = 0; i < 100; i++)
            assert_true(put_item());
        lane_publish(&lane);
        take_items();
        most = lane.used > most ? lane.used : most;
    }
    assert_int_equal(next_in, next_out);
    assert_true(most < PAGE / 2);
}

static void *take_all(void *opaque)
{
    while (next_out < ITEMS)
        take_items();
    return opaque;
}

static void two_threads_agree(void **state)
{
    (void)state;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, take_all, NULL), 0);
    for (unsigned i = 0; i < ITEMS; i++) {
        while (!put_item()) {
        }
        if (i % 7 == 0)
            lane_publish(&lane);
    }
    lane_publish(&lane);
    pthread_join(writer, NULL);
    assert_int_equal(next_out, ITEMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_not_published_is_not_seen, init, fini),
        cmocka_unit_test_setup_teardown(two_pages_are_all, init, fini),
        cmocka_unit_test_setup_teardown(little_memory_is_touched, init, fini),
        cmocka_unit_test_setup_teardown(two_threads_agree, init, fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
