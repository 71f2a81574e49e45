/*
 * net/crowd: the total and each client's connections, IPv6 by its /64, entries that go with their last
 * connection; many threads at once, fit for a thread checker.
 */
#include "net/crowd.h"

#include "../turning.h"

static struct crowd *crowd;

static int set_up(void **state)
{
    (void)state;
    crowd = crowd_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    crowd_free(&crowd);
    assert_null(crowd);
    return 0;
}

static struct address client(const char *text)
{
    struct address address;
    memset(&address, 0, sizeof address);
    assert_true(address_from_literal(slice_of(text), 4711, &address));
    return address;
}

/* A place in total and for the client. */
static bool enter(struct crowd_place *place, const char *text)
{
    struct address address = client(text);
    assert_true(crowd_enter(crowd, place));
    return crowd_count(place, &address.any);
}

static void the_total_is_bounded(void **state)
{
    (void)state;
    struct crowd_place places[3], other;
    crowd_bound(crowd, &(struct crowd_bounds){.total = 3});
    for (int i = 0; i < 3; i++)
        assert_true(enter(&places[i], "192.0.2.1"));
    assert_false(crowd_enter(crowd, &other));
    assert_null(other.crowd);
    crowd_leave(&places[1]);
    crowd_leave(&places[1]); /* gives up nothing */
    assert_true(crowd_enter(crowd, &places[1]));
    assert_false(crowd_enter(crowd, &other));
    crowd_bound(crowd, &(struct crowd_bounds){.total = 4});
    assert_true(crowd_enter(crowd, &other));
    crowd_leave(&other);
    for (int i = 0; i < 3; i++)
        crowd_leave(&places[i]);
}

static void each_client_is_bounded(void **state)
{
    (void)state;
    struct crowd_place a, b, c, other;
    crowd_bound(crowd, &(struct crowd_bounds){.client = 2});
    assert_true(enter(&a, "192.0.2.1") && enter(&b, "192.0.2.1"));
    assert_false(enter(&c, "192.0.2.1"));
    assert_non_null(c.crowd); /* it still has its place in total */
    assert_null(c.client);
    assert_true(enter(&other, "192.0.2.2"));
    crowd_leave(&c);
    crowd_leave(&a);
    assert_true(enter(&c, "192.0.2.1"));
    crowd_leave(&b);
    crowd_leave(&c);
    crowd_leave(&other);
    assert_true(enter(&a, "192.0.2.1"));
    crowd_leave(&a);
}

static void an_ipv6_client_is_its_64(void **state)
{
    (void)state;
    struct crowd_place a, b, other, mapped;
    crowd_bound(crowd, &(struct crowd_bounds){.client = 1});
    assert_true(enter(&a, "2001:db8:1:2::1"));
    assert_false(enter(&b, "2001:db8:1:2:ffff::2"));
    assert_true(enter(&other, "2001:db8:1:3::1"));
    assert_true(enter(&mapped, "32.1.13.184")); /* the same first bytes */
    crowd_leave(&a);
    crowd_leave(&b);
    crowd_leave(&other);
    crowd_leave(&mapped);
}

static void nothing_is_counted_without_a_bound(void **state)
{
    (void)state;
    struct crowd_place before, after, more;
    assert_true(enter(&before, "192.0.2.1"));
    assert_null(before.client);
    crowd_bound(crowd, &(struct crowd_bounds){.client = 1});
    assert_true(enter(&after, "192.0.2.1"));
    assert_false(enter(&more, "192.0.2.1"));
    crowd_leave(&before);
    assert_null(more.client);
    crowd_leave(&after);
    crowd_leave(&more);
}

static void without_a_crowd_everybody_may(void **state)
{
    (void)state;
    struct crowd_place place;
    struct address address = client("192.0.2.1");
    assert_true(crowd_enter(NULL, &place));
    assert_true(crowd_count(&place, &address.any));
    crowd_leave(&place);
}

static void a_gate_refuses_or_shuts_out(void **state)
{
    (void)state;
    struct crowd_place few[CROWD_ALWAYS], other;
    crowd_set_gate(crowd, CROWD_SHUT);
    for (int i = 0; i < CROWD_ALWAYS; i++) /* a few may always come */
        assert_true(crowd_enter(crowd, &few[i]) && !crowd_is_refused(&few[i]));
    assert_int_equal(crowd_total(crowd), CROWD_ALWAYS);
    assert_false(crowd_enter(crowd, &other));
    crowd_set_gate(crowd, CROWD_REFUSES);
    assert_true(crowd_enter(crowd, &other) && crowd_is_refused(&other));
    assert_int_equal(crowd_total(crowd), CROWD_ALWAYS); /* it is not one of them */
    assert_int_equal(crowd_refused(crowd), 1);
    crowd_leave(&other);
    assert_int_equal(crowd_refused(crowd), 0);
    crowd_set_gate(crowd, CROWD_OPEN);
    assert_true(crowd_enter(crowd, &other) && !crowd_is_refused(&other));
    crowd_leave(&other);
    crowd_bound(crowd, &(struct crowd_bounds){.total = CROWD_ALWAYS});
    assert_false(crowd_enter(crowd, &other));
    assert_false(crowd_is_refused(&other));
    crowd_bound(crowd, &(struct crowd_bounds){.room = CROWD_ALWAYS});
    assert_true(crowd_enter(crowd, &other) && crowd_is_refused(&other));
    crowd_leave(&other);
    crowd_leave(&few[0]);
    assert_true(crowd_enter(crowd, &few[0]) && !crowd_is_refused(&few[0]));
    for (int i = 0; i < CROWD_ALWAYS; i++)
        crowd_leave(&few[i]);
}

enum { THREADS = 4, ROUNDS = 20000, OPEN = 8 };

static void *come_and_go(void *arg)
{
    struct crowd_place places[OPEN] = {{.crowd = NULL}};
    struct address address = client("192.0.2.1");
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct crowd_place *place = &places[i % OPEN];
        crowd_leave(place);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        address.in.sin_addr.s_addr = (uint32_t)(seed >> 33) % 64;
        if (crowd_enter(crowd, place))
            crowd_count(place, &address.any);
    }
    for (int i = 0; i < OPEN; i++)
        crowd_leave(&places[i]);
    return NULL;
}

static void many_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    crowd_bound(crowd, &(struct crowd_bounds){.total = 30, .client = 2});
    for (int i = 0; i < THREADS; i++)
        loop_start_pthread(&threads[i], come_and_go, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct crowd_place places[30], other;
    for (int i = 0; i < 30; i++)
        assert_true(crowd_enter(crowd, &places[i]));
    assert_false(crowd_enter(crowd, &other));
    for (int i = 0; i < 30; i++)
        crowd_leave(&places[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_total_is_bounded),
        TEST(each_client_is_bounded),
        TEST(an_ipv6_client_is_its_64),
        TEST(nothing_is_counted_without_a_bound),
        TEST(without_a_crowd_everybody_may),
        TEST(a_gate_refuses_or_shuts_out),
        TEST(many_threads),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
