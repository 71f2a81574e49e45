/*
 * codec/h1_inbound, how connections end: timeouts, clients that leave, lingering, draining and killing.
 */
#include "inbound_scene.h"

enum { LINGER_US = 2 * SECOND_US, LINGER_BYTES = 64 * 1024 };

static int set_up(void **state)
{
    (void)state;
    start_home();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_home();
    return 0;
}

static void gone_without_a_word(void)
{
    HEAR_END(client, &heard);
    assert_int_equal(session_home_count(&home), 0);
}

/* --- time --- */

static void a_silent_client_is_left(void **state)
{
    (void)state;
    come(false);
    pass(HEAD_TIMEOUT_US - SECOND_US);
    assert_int_equal(session_home_count(&home), 1);
    pass(SECOND_US);
    gone_without_a_word();
    assert_int_equal(born, 0);
}

static void a_head_has_its_time(void **state)
{
    (void)state;
    come(false);
    pass(2 * SECOND_US);
    say(client, "GET / HTTP/1.1\r\n"); /* the head's time begins with its first byte */
    turn();
    pass(HEAD_TIMEOUT_US - SECOND_US);
    assert_int_equal(born, 0);
    say(client, "Host: a\r\n"); /* and does not begin again with each */
    turn();
    pass(SECOND_US);
    struct asked *request = next_request(0);
    assert_int_equal(request->stream->fault, FAULT_head_timeout);
    assert_true(has(request, STREAM_HEAD));
    refuse(request);
    HEAR(client, &heard, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    HEAR_END(client, &heard);
    say(client, "\r\n" GET("/late"));
    turn_for(5000);
    assert_int_equal(born, 1);
}

static void an_idle_connection_has_its_time(void **state)
{
    (void)state;
    come(false);
    for (unsigned i = 0; i < 2; i++) {
        say(client, GET("/"));
        answer(next_request(i), "");
        HEAR(client, &heard, OK_HEAD(0));
        pass(KEEP_ALIVE_US - SECOND_US);
        assert_int_equal(session_home_count(&home), 1);
    }
    pass(SECOND_US);
    gone_without_a_word();
}

static void a_second_head_has_its_time(void **state)
{
    (void)state;
    come(false);
    say(client, GET("/"));
    answer(next_request(0), "");
    HEAR(client, &heard, OK_HEAD(0));
    pass(KEEP_ALIVE_US - SECOND_US);
    say(client, "GET ");
    turn();
    pass(HEAD_TIMEOUT_US - SECOND_US);
    assert_int_equal(born, 1);
    pass(SECOND_US);
    assert_int_equal(next_request(1)->stream->fault, FAULT_head_timeout);
}

static void a_request_under_way_has_no_time_here(void **state)
{
    (void)state;
    come(false);
    say(client, GET("/slow"));
    struct asked *request = next_request(0);
    for (int i = 0; i < 3; i++)
        pass(KEEP_ALIVE_US + HEAD_TIMEOUT_US);
    assert_false(request->stream->facts & STREAM_FAILED);
    answer(request, "x");
    HEAR(client, &heard, OK_HEAD(1) "x");
    pass(KEEP_ALIVE_US - SECOND_US);
    assert_int_equal(session_home_count(&home), 1);
}

/* --- clients that leave --- */

static const struct {
    const char *bytes;
    bool is_reset;
} departures[] = {{"", false}, {"GET / HT", false}, {"\r\n", false}, {"", true}, {"GET / HT", true}};

static void nobody_is_born_of_half_a_head(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof departures / sizeof *departures; i++) {
        come_by_tcp();
        say(client, departures[i].bytes);
        turn_for(2000);
        if (departures[i].is_reset)
            reset_now(client), client = -1;
        else
            shutdown(client, SHUT_WR);
        TURN_UNTIL(session_home_count(&home) == 0);
        assert_int_equal(born, 0);
        go();
    }
}

static void an_idle_client_may_leave(void **state)
{
    (void)state;
    come(false);
    say(client, GET("/"));
    answer(next_request(0), "");
    HEAR(client, &heard, OK_HEAD(0));
    shutdown(client, SHUT_WR);
    gone_without_a_word();
}

static void a_half_closed_client_gets_its_answer(void **state)
{
    (void)state;
    come(false);
    say(client, GET("/"));
    struct asked *request = next_request(0);
    shutdown(client, SHUT_WR);
    TURN_UNTIL(has(request, STREAM_HALF));
    assert_false(request->stream->facts & STREAM_FAILED);
    answer(request, "x");
    HEAR(client, &heard, OK_HEAD_CLOSE(1) "x");
    gone_without_a_word();
}

static void a_client_that_closes_behind_two_requests_gets_both(void **state)
{
    (void)state;
    come(false);
    say(client, GET("/1") GET("/2"));
    shutdown(client, SHUT_WR);
    answer(next_request(0), "x");
    answer(next_request(1), "y");
    TURN_UNTIL(hear(client, &heard) && heard.eof);
    assert_non_null(strstr(heard.text, "\r\n\r\nx"));
    assert_non_null(strstr(heard.text, "\r\n\r\ny"));
    assert_int_equal(born, 2);
    assert_int_equal(session_home_count(&home), 0);
}

static void half_a_body_is_no_request(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf"};
    for (unsigned i = 0; i < 2; i++) {
        come(false);
        say(client, requests[i]);
        struct asked *request = next_request(i);
        shutdown(client, SHUT_WR);
        TURN_UNTIL(has(request, STREAM_FAILED));
        assert_int_equal(request->stream->fault, FAULT_client_gone);
        assert_false(request->stream->rx.ended);
        close_request(request, FAULT_client_gone);
        gone_without_a_word();
        go();
    }
}

static void a_reset_fails_the_request(void **state)
{
    (void)state;
    come_by_tcp();
    say(client, GET("/"));
    struct asked *request = next_request(0);
    struct message head = response_of(200, FRAMING_LENGTH, 9);
    send_head(request, &head);
    turn();
    reset_now(client);
    client = -1;
    TURN_UNTIL(has(request, STREAM_FAILED));
    assert_int_equal(request->stream->fault, FAULT_client_gone);
    add_text(&request->body, "to nobody");
    request->body.ended = true;
    send_body(request); /* nothing to send it to; no harm */
    send_head(request, &head);
    request->stream->ops->rx_resume(request->stream);
    assert_int_equal(session_home_count(&home), 1);
    close_request(request, FAULT_client_gone);
    assert_int_equal(session_home_count(&home), 0);
}

/* A body was broken first, then the client left: the owner learns the second, too. */
static void a_client_may_leave_after_its_body_broke(void **state)
{
    (void)state;
    come_by_tcp();
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    struct asked *request = next_request(0);
    TURN_UNTIL(has(request, STREAM_FAILED));
    assert_int_equal(request->stream->fault, FAULT_bad_chunk);
    struct message head = response_of(400, FRAMING_LENGTH, 4);
    send_head(request, &head);
    turn();
    reset_now(client);
    client = -1;
    turn_for(2000);
    add_text(&request->body, "body");
    request->body.ended = true;
    send_body(request);
    TURN_UNTIL(request->stream->fault == FAULT_client_gone || has(request, STREAM_SENT));
    close_request(request, FAULT_bad_chunk);
    TURN_UNTIL(session_home_count(&home) == 0);
}

/* --- lingering --- */

static void refuse_one(unsigned index)
{
    say(client, "GET / HTTP/9.9\r\nHost: a\r\n\r\n");
    refuse(next_request(index));
    HEAR(client, &heard,
         "HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    HEAR_END(client, &heard);
    assert_int_equal(session_home_count(&home), 1);
}

static void a_closed_connection_waits_for_its_client(void **state)
{
    (void)state;
    come_by_tcp();
    refuse_one(0);
    say(client, "what was on its way");
    turn_for(2000);
    assert_int_equal(session_home_count(&home), 1);
    shutdown(client, SHUT_WR);
    TURN_UNTIL(session_home_count(&home) == 0);
    assert_int_equal(born, 1);
}

static void it_does_not_wait_for_ever(void **state)
{
    (void)state;
    come(false);
    refuse_one(0);
    pass(LINGER_US - SECOND_US);
    say(client, "x"); /* this makes it no longer */
    turn();
    assert_int_equal(session_home_count(&home), 1);
    pass(SECOND_US);
    assert_int_equal(session_home_count(&home), 0);
}

static void it_does_not_read_for_ever(void **state)
{
    (void)state;
    static char bytes[LINGER_BYTES];
    come(false);
    refuse_one(0);
    say_bytes(client, bytes, sizeof bytes / 2);
    turn_for(2000);
    say_bytes(client, bytes, sizeof bytes / 2);
    turn_for(2000);
    assert_int_equal(session_home_count(&home), 1);
    say(client, "x");
    TURN_UNTIL(session_home_count(&home) == 0);
}

static void a_client_may_reset_while_it_lingers(void **state)
{
    (void)state;
    come_by_tcp();
    refuse_one(0);
    reset_now(client);
    client = -1;
    TURN_UNTIL(session_home_count(&home) == 0);
}

/* --- draining and killing --- */

static void draining_closes_who_waits(void **state)
{
    (void)state;
    come(false);
    int fresh = client;
    come(false);
    say(client, GET("/"));
    answer(next_request(0), "");
    HEAR(client, &heard, OK_HEAD(0));
    assert_int_equal(session_home_count(&home), 2);
    session_home_drain(&home);
    turn_for(5000);
    assert_int_equal(session_home_count(&home), 2);
    gone_without_a_word();
    close(fresh);
}

static void draining_answers_a_request_that_was_on_its_way(void **state)
{
    (void)state;
    come(false);
    session_home_drain(&home);
    turn_for(5000);
    say(client, GET("/"));
    answer(next_request(0), "");
    HEAR(client, &heard, OK_HEAD_CLOSE(0));
    HEAR_END(client, &heard);
}

static void draining_lets_answers_end(void **state)
{
    (void)state;
    come(false);
    say(client, GET("/"));
    struct asked *request = next_request(0);
    session_home_drain(&home);
    turn_for(2000);
    assert_int_equal(session_home_count(&home), 1);
    answer(request, "x");
    HEAR(client, &heard, OK_HEAD_CLOSE(1) "x");
    HEAR_END(client, &heard);
}

/* The head said that the connection lives on; what comes then is not served any more. */
static void draining_during_an_answer(void **state)
{
    (void)state;
    come(false);
    say(client, GET("/"));
    struct asked *request = next_request(0);
    struct message head = response_of(200, FRAMING_LENGTH, 1);
    send_head(request, &head);
    session_home_drain(&home);
    add_text(&request->body, "x");
    request->body.ended = true;
    send_body(request);
    say(client, GET("/next"));
    TURN_UNTIL(has(request, STREAM_SENT));
    close_request(request, FAULT_NONE);
    HEAR(client, &heard, OK_HEAD(1) "x");
    HEAR_END(client, &heard);
    assert_int_equal(born, 1);
}

static void draining_lets_a_head_come(void **state)
{
    (void)state;
    come(false);
    say(client, "GET / HTTP/1.1\r\n");
    turn();
    session_home_drain(&home);
    assert_int_equal(session_home_count(&home), 1);
    say(client, "Host: a\r\n\r\n");
    answer(next_request(0), "x");
    HEAR(client, &heard, OK_HEAD_CLOSE(1) "x");
    HEAR_END(client, &heard);
}

static void new_ones_close_after_the_first_answer(void **state)
{
    (void)state;
    session_home_drain(&home);
    come(false);
    say(client, GET("/") GET("/2"));
    answer(next_request(0), "x");
    HEAR(client, &heard, OK_HEAD_CLOSE(1) "x");
    HEAR_END(client, &heard);
    assert_int_equal(born, 1);
}

static void killing_ends_everything(void **state)
{
    (void)state;
    int clients[4];
    static const char *const bytes[] = {"", "GET / HT", GET("/"), GET("/")};
    for (int i = 0; i < 4; i++) {
        come(false);
        clients[i] = client;
        say(client, bytes[i]);
        turn();
    }
    next_request(1);
    struct message head = response_of(200, FRAMING_LENGTH, 9);
    send_head(&asked[1], &head);
    session_home_kill(&home);
    assert_int_equal(session_home_count(&home), 2);
    for (unsigned i = 0; i < 2; i++) {
        TURN_UNTIL(asked[i].woken > 0);
        assert_true(has(&asked[i], STREAM_FAILED));
        assert_int_equal(asked[i].stream->fault, FAULT_shutdown);
        close_request(&asked[i], FAULT_shutdown);
    }
    assert_int_equal(session_home_count(&home), 0);
    for (int i = 0; i < 4; i++) {
        TURN_UNTIL(hear(clients[i], &heard) && (heard.eof || heard.error));
        heard.eof = false;
        heard.error = 0;
        close(clients[i]);
    }
    client = -1;
}

static void killing_ends_lingering(void **state)
{
    (void)state;
    come(false);
    refuse_one(0);
    session_home_kill(&home);
    assert_int_equal(session_home_count(&home), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_silent_client_is_left),
        TEST(a_head_has_its_time),
        TEST(an_idle_connection_has_its_time),
        TEST(a_second_head_has_its_time),
        TEST(a_request_under_way_has_no_time_here),
        TEST(nobody_is_born_of_half_a_head),
        TEST(an_idle_client_may_leave),
        TEST(a_half_closed_client_gets_its_answer),
        TEST(a_client_that_closes_behind_two_requests_gets_both),
        TEST(half_a_body_is_no_request),
        TEST(a_reset_fails_the_request),
        TEST(a_client_may_leave_after_its_body_broke),
        TEST(a_closed_connection_waits_for_its_client),
        TEST(it_does_not_wait_for_ever),
        TEST(it_does_not_read_for_ever),
        TEST(a_client_may_reset_while_it_lingers),
        TEST(draining_closes_who_waits),
        TEST(draining_answers_a_request_that_was_on_its_way),
        TEST(draining_lets_answers_end),
        TEST(draining_during_an_answer),
        TEST(draining_lets_a_head_come),
        TEST(new_ones_close_after_the_first_answer),
        TEST(killing_ends_everything),
        TEST(killing_ends_lingering),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
