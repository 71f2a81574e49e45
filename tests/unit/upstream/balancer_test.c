/*
 * upstream/balancer: round robin, avoiding for a second who could not be connected to, never giving up the
 * last, and asking for a new resolution.
 */
#include "upstream/balancer.h"

#include "cluster_scene.h"

static int set_up(void **state)
{
    (void)state;
    start_cluster();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_cluster();
    return 0;
}

/* The next so many picks, as the endpoints' last digits before the port. */
static const char *picks(unsigned count)
{
    static char text[64];
    for (unsigned i = 0; i < count; i++) {
        struct endpoint *endpoint = NULL;
        assert_int_equal(balancer_pick(cluster, &(struct claim){0}, &endpoint), FAULT_NONE);
        text[i] = endpoint->text.at[7];
    }
    text[count] = '\0';
    return text;
}

static void later(uint64_t us)
{
    ahead_us += us;
    set_clock();
}

static void nobody_to_pick(void **state)
{
    (void)state;
    struct endpoint *endpoint = (void *)&hurried;
    assert_int_equal(balancer_pick(cluster, &(struct claim){0}, &endpoint), FAULT_unresolved);
    assert_ptr_equal(endpoint, &hurried);
    ADOPT("10.0.0.1:80");
    assert_string_equal(picks(3), "111");
    adopt_as("api", NULL, 0);
    assert_int_equal(balancer_pick(cluster, &(struct claim){0}, &endpoint), FAULT_unresolved);
}

static void everybody_in_turn(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
    assert_string_equal(picks(8), "12312312");
}

static void a_resolution_begins_anew(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
    assert_string_equal(picks(2), "12");
    ADOPT("10.0.0.4:80", "10.0.0.2:80");
    assert_string_equal(picks(5), "42424");
}

static void who_failed_is_avoided_for_a_second(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
    assert_string_equal(picks(1), "1");
    balancer_connect_failed(endpoint_at(0));
    assert_string_equal(picks(6), "232323");
    later(SECOND_US / 2);
    assert_string_equal(picks(2), "23");
    later(SECOND_US / 2 + 1);
    assert_string_equal(picks(6), "123123");
}

static void several_are_avoided(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80");
    balancer_connect_failed(endpoint_at(1));
    balancer_connect_failed(endpoint_at(2));
    assert_string_equal(picks(6), "141414");
    later(SECOND_US / 2);
    balancer_connect_failed(endpoint_at(3));
    assert_string_equal(picks(3), "111");
    later(SECOND_US / 2 + 1);
    assert_string_equal(picks(6), "231231");
}

static void the_last_is_never_given_up(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80");
    balancer_connect_failed(endpoint_at(0));
    assert_string_equal(picks(3), "111");
    ADOPT("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
    for (unsigned i = 0; i < 3; i++)
        balancer_connect_failed(endpoint_at(i));
    const char *picked = picks(9);
    for (char c = '1'; c <= '3'; c++)
        assert_non_null(strchr(picked, c)); /* all have failed: all are tried */
}

static void names_are_resolved_again_once_a_second(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80", "10.0.0.2:80");
    balancer_connect_failed(endpoint_at(0));
    assert_int_equal(hurried, 1);
    balancer_connect_failed(endpoint_at(0));
    later(SECOND_US / 2);
    balancer_connect_failed(endpoint_at(0));
    assert_int_equal(hurried, 1);
    balancer_connect_failed(endpoint_at(1));
    assert_int_equal(hurried, 2);
    later(SECOND_US - 1000);
    assert_true(endpoint_at(0)->avoid_until_us > clock_now_us(&loop.clock)); /* a later failure counts */
    later(1001);
    balancer_connect_failed(endpoint_at(0));
    assert_int_equal(hurried, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_to_pick),
        TEST(everybody_in_turn),
        TEST(a_resolution_begins_anew),
        TEST(who_failed_is_avoided_for_a_second),
        TEST(several_are_avoided),
        TEST(the_last_is_never_given_up),
        TEST(names_are_resolved_again_once_a_second),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
