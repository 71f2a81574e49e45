/*
 * codec/session, when the gateway is overloaded: idle sessions are closed, the longest idle first, and none
 * that owes an answer or has just been asked; who comes is told to come back.
 */
#include "inbound_scene.h"

#include <event2/event.h>

enum { CROWD = 16, PART = 8 };

static int ends[CROWD];
static struct crowd *crowd;
static struct crowd_place first;
static struct heard seen;

static int set_up(void **state)
{
    (void)state;
    start_home();
    crowd = crowd_new(); /* in which there is room for one */
    crowd_bound(crowd, &(struct crowd_bounds){.room = 1});
    memset(&loop_counts, 0, sizeof loop_counts);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_home();
    crowd_leave(&first);
    crowd_free(&crowd);
    return 0;
}

/* As many clients connect, one after the other. */
static void come_all(void)
{
    for (int i = 0; i < CROWD; i++) {
        come(false);
        ends[i] = client;
    }
    client = -1;
}

static void go_all(void)
{
    for (int i = 0; i < CROWD; i++)
        close(ends[i]);
}

static bool is_closed(int end)
{
    char byte;
    return recv(end, &byte, 1, MSG_PEEK) == 0;
}

static void the_longest_idle_go_first(void **state)
{
    (void)state;
    come_all();
    say(ends[0], GET("/")); /* it is the last to have rested */
    answer(next_request(0), "");
    session_home_shed(&home);
    assert_int_equal(session_home_count(&home), CROWD); /* nobody has been idle for long */
    pass(SECOND_US);
    session_home_shed(&home);
    turn();
    assert_int_equal(session_home_count(&home), CROWD - CROWD / PART - 1);
    assert_int_equal(loop_counts.value[COUNTER_inbound_shed], CROWD / PART + 1);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(is_closed(ends[i]), i >= 1 && i <= 1 + CROWD / PART);
    for (int i = 0; i < CROWD; i++)
        session_home_shed(&home);
    turn();
    assert_int_equal(session_home_count(&home), 0);
    go_all();
}

static void who_is_owed_an_answer_stays(void **state)
{
    (void)state;
    come_all();
    for (int i = 0; i < CROWD; i++) {
        say(ends[i], GET("/"));
        next_request((unsigned)i);
    }
    assert_int_equal(home.idle.count, 0);
    pass(SECOND_US);
    session_home_shed(&home);
    turn();
    assert_int_equal(loop_counts.value[COUNTER_inbound_shed], 0);
    for (int i = 0; i < CROWD; i++) {
        answer(&asked[i], "x");
        seen = (struct heard){.len = 0};
        HEAR(ends[i], &seen, OK_HEAD(1) "x");
    }
    assert_int_equal(home.idle.count, CROWD);
    go_all();
}

static void who_is_in_the_middle_of_a_head_stays(void **state)
{
    (void)state;
    come(false);
    say(client, "GET / HT");
    turn();
    pass(SECOND_US);
    session_home_shed(&home);
    assert_int_equal(session_home_count(&home), 1);
    say(client, "TP/1.1\r\nHost: a\r\n\r\n");
    answer(next_request(0), "");
}

static void a_request_that_is_there_already_is_answered(void **state)
{
    (void)state;
    come(false);
    pass(SECOND_US);
    say(client, GET("/")); /* and nobody has read it */
    session_home_shed(&home);
    assert_int_equal(loop_counts.value[COUNTER_inbound_shed], 0);
    answer(next_request(0), "");
    HEAR(client, &heard, OK_HEAD(0));
}

/* --- who comes --- */

static int come_refused(const struct session_entrance *entrance)
{
    int pair[2];
    struct address remote;
    assert_true(address_from_literal(SLICE("192.0.2.1"), 4711, &remote));
    struct crowd_place second;
    assert_true(crowd_enter(crowd, &first) && crowd_enter(crowd, &second));
    make_pair(pair);
    session_open(&home, entrance, pair[0], &remote, second);
    return pair[1];
}

static void who_is_refused_is_told(void **state)
{
    (void)state;
    home.settings.openings_max = CROWD;
    client = come_refused(&(struct session_entrance){.tls = false});
    say(client, GET("/"));
    assert_int_equal(next_request(0)->stream->client->refusal, FAULT_overloaded);
    answer(&asked[0], "");
    HEAR(client, &heard, OK_HEAD(0));
}

static void where_tls_is_spoken_it_ends(void **state)
{
    (void)state;
    client = come_refused(&(struct session_entrance){.tls = true});
    seen = (struct heard){.len = 0};
    HEAR_END(client, &seen);
    assert_int_equal(seen.len, 0);
    assert_int_equal(loop_counts.value[COUNTER_CAUSES + FAULT_overloaded], 1);
}

static void who_has_not_begun_a_handshake_goes(void **state)
{
    (void)state;
    int pair[2];
    struct address remote;
    home.settings.openings_max = CROWD;
    assert_true(address_from_literal(SLICE("192.0.2.1"), 4711, &remote));
    make_pair(pair);
    session_open(&home, &(struct session_entrance){.tls = true}, pair[0], &remote, (struct crowd_place){0});
    assert_int_equal(home.idle.count, 1);
    pass(SECOND_US);
    session_home_shed(&home);
    turn();
    assert_int_equal(session_home_count(&home), 0);
    assert_true(is_closed(pair[1]));
    assert_int_equal(loop_counts.value[COUNTER_CAUSES + FAULT_overloaded], 1);
    close(pair[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_longest_idle_go_first),
        TEST(who_is_owed_an_answer_stays),
        TEST(who_is_in_the_middle_of_a_head_stays),
        TEST(a_request_that_is_there_already_is_answered),
        TEST(who_is_refused_is_told),
        TEST(where_tls_is_spoken_it_ends),
        TEST(who_has_not_begun_a_handshake_goes),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
