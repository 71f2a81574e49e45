/*
 * upstream/cluster: clusters by name with their settings, endpoints by address across resolutions, and
 * endpoints that live on while something refers to them.
 */
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

static void a_cluster_has_the_settings_of_its_upstream(void **state)
{
    (void)state;
    char name[] = "web";
    struct config_upstream web = {.name = slice_make(name, 3),
                                  .connect_timeout_us = 1,
                                  .idle_timeout_us = 2,
                                  .idle_max = 3,
                                  .head_max = 4};
    struct cluster *made = clusters_follow(&clusters, &web);
    name[0] = 'X';
    assert_ptr_not_equal(made, cluster);
    assert_string_equal(made->name, "web");
    assert_ptr_equal(made->home, &clusters);
    assert_int_equal(made->connect_timeout_us, 1);
    assert_int_equal(made->idle_timeout_us, 2);
    assert_int_equal(made->idle_max, 3);
    assert_int_equal(made->head_max, 4);
    assert_int_equal(made->endpoints.count, 0);
    assert_int_equal(clusters.all.count, 2);
}

static void a_known_cluster_gets_the_new_settings(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80");
    struct endpoint *endpoint = endpoint_at(0);
    upstream.connect_timeout_us = 11;
    upstream.idle_timeout_us = 12;
    upstream.idle_max = 13;
    upstream.head_max = 14;
    assert_ptr_equal(clusters_follow(&clusters, &upstream), cluster);
    assert_int_equal(clusters.all.count, 1);
    assert_int_equal(cluster->connect_timeout_us, 11);
    assert_int_equal(cluster->idle_timeout_us, 12);
    assert_int_equal(cluster->idle_max, 13);
    assert_int_equal(cluster->head_max, 14);
    assert_ptr_equal(endpoint_at(0), endpoint);
    upstream.name = SLICE("ap"); /* a beginning of the name is another name */
    assert_ptr_not_equal(clusters_follow(&clusters, &upstream), cluster);
}

static void endpoints_come_and_go_in_the_sets_order(void **state)
{
    (void)state;
    ADOPT("10.0.0.2:80", "10.0.0.1:80");
    assert_string_equal(endpoints_text(), "10.0.0.2:80 10.0.0.1:80 ");
    ADOPT("10.0.0.1:80", "[2001:db8::1]:443", "10.0.0.2:80");
    assert_string_equal(endpoints_text(), "10.0.0.1:80 [2001:db8::1]:443 10.0.0.2:80 ");
    ADOPT("[2001:db8::1]:443");
    assert_string_equal(endpoints_text(), "[2001:db8::1]:443 ");
    assert_int_equal(cluster->endpoints.count, 1);
    adopt_as("api", NULL, 0);
    assert_string_equal(endpoints_text(), "");
    ADOPT("10.0.0.1:80");
    assert_string_equal(endpoints_text(), "10.0.0.1:80 ");
    assert_ptr_equal(endpoint_at(0)->cluster, cluster);
}

static void known_endpoints_stay(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
    struct endpoint *first = endpoint_at(0), *third = endpoint_at(2);
    first->avoid_until_us = 77;
    ADOPT("10.0.0.3:80", "10.0.0.1:81", "10.0.0.1:80");
    assert_ptr_equal(endpoint_at(0), third);
    assert_ptr_not_equal(endpoint_at(1), first); /* another port is another endpoint */
    assert_ptr_equal(endpoint_at(2), first);
    assert_int_equal(first->avoid_until_us, 77);
    assert_int_equal(first->refs, 1);
    assert_int_equal(endpoint_at(1)->avoid_until_us, 0);
}

/* One address twice, by two servers say, is two endpoints. */
static void an_address_may_come_twice(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80", "10.0.0.1:80");
    struct endpoint *first = endpoint_at(0), *second = endpoint_at(1);
    assert_ptr_not_equal(first, second);
    ADOPT("10.0.0.1:80", "10.0.0.1:80");
    assert_ptr_equal(endpoint_at(0), first);
    assert_ptr_equal(endpoint_at(1), second);
    ADOPT("10.0.0.1:80");
    assert_int_equal(cluster->endpoints.count, 1);
}

static void addresses_may_come_before_the_configuration(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.0.0.9:80"};
    ADOPT("10.0.0.1:80");
    adopt_as("ap", texts, 1);
    assert_string_equal(endpoints_text(), "10.0.0.1:80 ");
    assert_int_equal(clusters.all.count, 2);
    upstream.name = SLICE("ap");
    cluster = clusters_follow(&clusters, &upstream);
    assert_int_equal(clusters.all.count, 2);
    assert_string_equal(cluster->name, "ap");
    assert_string_equal(endpoints_text(), "10.0.0.9:80 ");
    assert_int_equal(cluster->idle_max, 2);
}

static void a_retired_endpoint_lives_while_it_is_used(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80", "10.0.0.2:80");
    struct endpoint *used = endpoint_at(0);
    used->refs++;
    ADOPT("10.0.0.2:80");
    assert_int_equal(used->refs, 1);
    assert_false(list_linked(&used->node));
    assert_true(slice_equal(used->text, SLICE("10.0.0.1:80")));
    ADOPT("10.0.0.1:80", "10.0.0.2:80"); /* back again: it is a new one */
    assert_ptr_not_equal(endpoint_at(0), used);
    endpoint_unref(&used);
    assert_null(used);
    endpoint_unref(&used);
}

/* Another upstream with one endpoint, held by one configuration. */
static struct cluster *follow_web(uint32_t connections_max)
{
    static const char *const texts[] = {"10.0.0.9:80"};
    struct config_upstream web = upstream;
    web.name = SLICE("web");
    web.connections_max = connections_max;
    adopt_as("web", texts, 1);
    return clusters_follow(&clusters, &web);
}

static void who_is_named_no_more_goes(void **state)
{
    (void)state;
    ADOPT("10.0.0.1:80");
    for (uint32_t connections_max = 0; connections_max < 2; connections_max++) {
        struct cluster *web = follow_web(connections_max);
        clusters_tidy(&clusters);
        assert_int_equal(clusters.all.count, 2);
        cluster_let_go(&web);
        assert_null(web);
        assert_int_equal(clusters.all.count, 2);
        clusters_tidy(&clusters);
        assert_int_equal(clusters.all.count, 1);
        assert_string_equal(endpoints_text(), "10.0.0.1:80 ");
    }
}

static void who_is_named_twice_stays_until_both_are_gone(void **state)
{
    (void)state;
    struct cluster *web = follow_web(0), *same = follow_web(0);
    assert_ptr_equal(web, same);
    cluster_let_go(&web);
    clusters_tidy(&clusters);
    assert_int_equal(clusters.all.count, 2);
    assert_int_equal(same->endpoints.count, 1);
    cluster_let_go(&same);
    clusters_tidy(&clusters);
    assert_int_equal(clusters.all.count, 1);
}

static void a_connection_in_use_keeps_its_cluster(void **state)
{
    (void)state;
    for (int retired = 0; retired < 2; retired++) {
        struct cluster *web = follow_web(1), *left = web;
        struct endpoint *used = CONTAINER_OF(list_first(&web->endpoints), endpoint, node);
        used->refs++;
        if (retired)
            adopt_as("web", NULL, 0);
        cluster_let_go(&web);
        clusters_tidy(&clusters);
        assert_int_equal(clusters.all.count, 2);
        assert_ptr_equal(used->cluster, left);
        endpoint_unref(&used);
        clusters_tidy(&clusters);
        assert_int_equal(clusters.all.count, 1);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_cluster_has_the_settings_of_its_upstream),
        TEST(a_known_cluster_gets_the_new_settings),
        TEST(endpoints_come_and_go_in_the_sets_order),
        TEST(known_endpoints_stay),
        TEST(an_address_may_come_twice),
        TEST(addresses_may_come_before_the_configuration),
        TEST(a_retired_endpoint_lives_while_it_is_used),
        TEST(who_is_named_no_more_goes),
        TEST(who_is_named_twice_stays_until_both_are_gone),
        TEST(a_connection_in_use_keeps_its_cluster),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
