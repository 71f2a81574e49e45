/*
 * loadtest/mix: what a mix says, where a wrong one is wrong, and an order that gives every line its share.
 */
#include "loadtest/mix.h"

#include <stdlib.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static struct arena arena;
static struct mix_entry *entries;
static unsigned count;
static struct mix_error error;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void expect(unsigned at, const char *authority, const char *target, unsigned weight)
{
    assert_true(at < count);
    assert_true(slice_equal(entries[at].authority, slice_of(authority)));
    assert_true(slice_equal(entries[at].target, slice_of(target)));
    assert_int_equal(entries[at].weight, weight);
}

static void test_entries(void **state)
{
    (void)state;
    assert_true(mix_parse(
        SLICE("/api=5, /,h2:/x=2,ws:a.test:8443/chat,sse:[::1]/e=20,ws2:/c,sse2:/d=3,h1:/q?a=1&b=2"), &arena,
        &entries, &count, &error));
    assert_int_equal(count, 8);
    expect(0, "", "/api", 5);
    expect(1, "", "/", 1);
    expect(2, "", "/x", 2);
    expect(3, "a.test:8443", "/chat", 1);
    expect(4, "[::1]", "/e", 20);
    expect(5, "", "/c", 1);
    expect(6, "", "/d", 3);
    expect(7, "", "/q?a=1&b=2", 1);
    static const enum load_protocol protocols[] = {
        0, 0, LOAD_H2, LOAD_WEBSOCKET, LOAD_EVENTS, LOAD_WEBSOCKET_H2, LOAD_EVENTS_H2, LOAD_H1};
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(entries[i].has_protocol, i >= 2);
        assert_int_equal(entries[i].protocol, protocols[i]);
    }
    assert_int_equal(entries[1].column, 9);
}

/* A host may be called like a protocol as long as nothing but its path follows. */
static void test_a_host_called_ws(void **state)
{
    (void)state;
    assert_true(mix_parse(SLICE("ws/chat"), &arena, &entries, &count, &error));
    expect(0, "ws", "/chat", 1);
    assert_false(entries[0].has_protocol);
}

static void test_what_is_wrong_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned column;
    } wrong[] = {{"", 1},           {"/a,", 4},          {"api", 1},
                 {"/a,api=2", 4},   {"/a=0", 4},         {"/a=1001", 4},
                 {"/a=x", 4},       {"/a,/b=", 7},       {"/a b", 1},
                 {"/a,/b#c", 4},    {"h3:/a\n", 1},      {"/\x80", 1},
                 {"h3:/a", 1},      {"/b,http://a/", 4}, {"ws:x:/a", 1},
                 {"/b,a:port/", 4}, {"ws:", 1},          {"/a=99999999999999999999", 4}};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(mix_parse(slice_of(wrong[i].text), &arena, &entries, &count, &error));
        assert_int_equal(error.column, wrong[i].column);
        assert_true(error.sentence.len > 0);
    }
}

static void test_too_many(void **state)
{
    (void)state;
    char text[2 * LOAD_LINES_MAX + 4], *end = text;
    for (unsigned i = 0; i < LOAD_LINES_MAX; i++)
        *end++ = '/', *end++ = ',';
    assert_true(mix_parse(slice_make(text, (size_t)(end - text) - 1), &arena, &entries, &count, &error));
    assert_int_equal(count, LOAD_LINES_MAX);
    *end++ = '/';
    assert_false(mix_parse(slice_make(text, (size_t)(end - text)), &arena, &entries, &count, &error));
}

static void test_the_order_gives_every_line_its_share(void **state)
{
    (void)state;
    const unsigned weights[] = {5, 0, 1, 2};
    const uint16_t *cycle;
    unsigned seen[4] = {0}, run = 0;
    assert_int_equal(mix_cycle(weights, 4, &arena, &cycle), 8);
    for (unsigned i = 0; i < 16; i++) {
        run = i > 0 && cycle[i % 8] == cycle[(i - 1) % 8] ? run + 1 : 1;
        assert_true(run <= 2);
        seen[cycle[i % 8]]++;
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(seen[i], 2 * weights[i]);
}

static void test_nothing_in_the_order(void **state)
{
    (void)state;
    const unsigned weights[] = {0};
    const uint16_t *cycle;
    assert_int_equal(mix_cycle(weights, 1, &arena, &cycle), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_host_called_ws, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_and_where, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_order_gives_every_line_its_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_in_the_order, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
