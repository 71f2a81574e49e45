/*
 * codec/h1_outbound, exchanges that do not go well: nobody there, an endpoint that closes, resets, cuts short
 * or says what is not HTTP, and connections that end while they rest.
 */
#include "outbound_scene.h"

#include <stdlib.h>

static int set_up(void **state)
{
    (void)state;
    start_endpoint();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_endpoint();
    return 0;
}

static void nobody_listens(void **state)
{
    (void)state;
    close(listening);
    dial_endpoint();
    FAILS(FAULT_connect_refused, FAULT_NONE);
    assert_false(has(STREAM_OPEN));
    assert_false(exchange.stream->tx_started);
}

static void no_socket_no_stream(void **state)
{
    (void)state;
    struct address nowhere;
    memset(&nowhere, 0, sizeof nowhere);
    assert_true(address_from_unix_path(SLICE("/nowhere/at/all"), &nowhere));
    assert_null(h1_outbound_open(&loop, &nowhere, &outbound_settings));
    assert_int_equal(errno, ENOENT);
}

static void closing_while_it_connects(void **state)
{
    (void)state;
    dial_endpoint();
    close_exchange(FAULT_connect_timeout);
    turn_for(5000);
}

enum leaving { STAYS, CLOSES, RESETS };

static const struct {
    const char *name;
    const char *response;
    enum leaving leaving;
    enum fault fault, detail;
} failures[] = {
    {"silence, closed", "", CLOSES, FAULT_upstream_closed, FAULT_NONE},
    {"silence, reset", "", RESETS, FAULT_upstream_reset, FAULT_NONE},
    {"half a head, closed", "HTTP/1.1 200 OK\r\nA: ", CLOSES, FAULT_upstream_truncated, FAULT_NONE},
    {"half a head, reset", "HTTP/1.1 200 OK\r\nA: ", RESETS, FAULT_upstream_truncated, FAULT_NONE},
    {"half a body, closed", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", CLOSES,
     FAULT_upstream_truncated, FAULT_NONE},
    {"no body, closed", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", CLOSES, FAULT_upstream_truncated,
     FAULT_NONE},
    {"half a body, reset", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", RESETS,
     FAULT_upstream_truncated, FAULT_NONE},
    {"no last chunk, closed", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", CLOSES,
     FAULT_upstream_truncated, FAULT_NONE},
    {"until close, reset", "HTTP/1.1 200 OK\r\n\r\nhalf", RESETS, FAULT_upstream_truncated, FAULT_NONE},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", STAYS, FAULT_upstream_malformed, FAULT_bad_request_line},
    {"bare LF", "HTTP/1.1 200 OK\nA: b\r\n\r\n", STAYS, FAULT_upstream_malformed, FAULT_bad_line_ending},
    {"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz\r\n", STAYS,
     FAULT_upstream_malformed, FAULT_bad_chunk},
    {"bad trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n", STAYS,
     FAULT_upstream_malformed, FAULT_bad_trailer},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", STAYS,
     FAULT_upstream_malformed, FAULT_bad_content_length},
    {"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", STAYS,
     FAULT_upstream_malformed, FAULT_framing_conflict},
    {"too many fields",
     "HTTP/1.1 200 OK\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: 1\r\na: "
     "1\r\n\r\n",
     STAYS, FAULT_upstream_head_too_large, FAULT_too_many_fields},
    {"101 that nobody asked for",
     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", STAYS,
     FAULT_upstream_bad_upgrade, FAULT_NONE},
};

static void every_failure_has_its_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        connect_endpoint();
        ask(METHOD_GET, "GET");
        if (*failures[i].response) {
            say(server, failures[i].response);
            turn_for(2000); /* a reset must not overtake it */
        }
        if (failures[i].leaving == CLOSES)
            shutdown(server, SHUT_WR);
        if (failures[i].leaving == RESETS)
            reset_now(server), server = -1;
        TURN_UNTIL(has(STREAM_FAILED));
        if (exchange.stream->fault != failures[i].fault || exchange.stream->detail != failures[i].detail)
            fail_msg("%s: %s, %s", failures[i].name, fault_row(exchange.stream->fault)->name,
                     fault_row(exchange.stream->detail)->name);
        assert_false(h1_outbound_rest(exchange.stream));
        exchange.stream->ops->rx_resume(exchange.stream); /* no harm */
        turn();
        hang_up();
    }
}

static void a_large_head_is_refused(void **state)
{
    (void)state;
    char head[4096];
    connect_endpoint();
    ask(METHOD_GET, "GET");
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nx: %03000d\r\n\r\n", 0);
    say(server, head);
    FAILS(FAULT_upstream_head_too_large, FAULT_head_too_large);
}

static void a_wrong_upgrade_is_refused(void **state)
{
    (void)state;
    static const char *const responses[] = {
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        connect_endpoint();
        struct message head = request_of_method(METHOD_GET, "GET");
        head.wants_upgrade = true;
        exchange.stream->ops->tx_head(exchange.stream, &head);
        exchange.body.ended = true;
        exchange.stream->ops->tx_body(exchange.stream, &exchange.body, NULL);
        say(server, responses[i]);
        FAILS(FAULT_upstream_bad_upgrade, FAULT_NONE);
        hang_up();
    }
}

/* It closes behind an interim head that the owner has not yet taken note of. */
static void the_end_behind_an_interim_head(void **state)
{
    (void)state;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    ask(METHOD_GET, "GET");
    say(server, "HTTP/1.1 100 Continue\r\n\r\n");
    TURN_UNTIL(has(STREAM_HEAD));
    shutdown(server, SHUT_WR);
    turn_for(2000);
    stream->facts &= ~(unsigned)STREAM_HEAD;
    stream->ops->rx_resume(stream);
    FAILS(FAULT_upstream_closed, FAULT_NONE);
}

/* The endpoint answers and closes before it has read the request: the answer counts. */
static void an_answer_before_a_failed_write_counts(void **state)
{
    (void)state;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    struct message head = request_of_method(METHOD_POST, "POST");
    head.framing = (struct framing){FRAMING_LENGTH, true, 100};
    stream->ops->tx_head(stream, &head);
    HEAR(server, &heard, "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n");
    say(server, "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n");
    reset_now(server);
    server = -1;
    usleep(2000);
    add_text(&exchange.body, "more");
    stream->ops->tx_body(stream, &exchange.body, NULL);
    task_drain(&loop.tasks);
    turn_for(2000);
    assert_true(has(STREAM_HEAD));
    assert_int_equal(stream->rx_head.status, 413);
    assert_true(stream->rx.ended);
    assert_false(h1_outbound_rest(stream));
}

/* --- before and between exchanges --- */

static void bytes_before_the_request_end_it(void **state)
{
    (void)state;
    connect_endpoint();
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    FAILS(FAULT_upstream_closed, FAULT_NONE);
}

static void the_end_before_the_request(void **state)
{
    (void)state;
    connect_endpoint();
    shutdown(server, SHUT_WR);
    FAILS(FAULT_upstream_closed, FAULT_NONE);
}

static void a_resting_connection_may_end(void **state)
{
    (void)state;
    static const enum leaving leavings[] = {STAYS, CLOSES, RESETS};
    for (int i = 0; i < 3; i++) {
        connect_endpoint();
        ask(METHOD_GET, "GET");
        say(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        TURN_UNTIL(exchange.stream->rx.ended);
        assert_true(h1_outbound_rest(exchange.stream));
        exchange.woken = 0;
        turn_for(2000);
        assert_false(has(STREAM_FAILED));
        if (leavings[i] == STAYS)
            say(server, "HTTP/1.1 408 Request Timeout\r\n\r\n");
        else if (leavings[i] == CLOSES)
            shutdown(server, SHUT_WR);
        else
            reset_now(server), server = -1;
        TURN_UNTIL(has(STREAM_FAILED));
        assert_int_not_equal(exchange.woken, 0);
        hang_up();
    }
}

static void a_response_and_the_end_behind_an_interim_head(void **state)
{
    (void)state;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    ask(METHOD_GET, "GET");
    say(server, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nall of it");
    TURN_UNTIL(has(STREAM_HEAD));
    shutdown(server, SHUT_WR);
    turn_for(2000);
    assert_false(has(STREAM_FAILED));
    stream->facts &= ~(unsigned)STREAM_HEAD;
    stream->ops->rx_resume(stream);
    TURN_UNTIL(stream->rx.ended);
    assert_int_equal(stream->rx_head.status, 200);
    assert_false(has(STREAM_FAILED));
    expect_text(&stream->rx, "all of it");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_response_and_the_end_behind_an_interim_head),
        TEST(nobody_listens),
        TEST(no_socket_no_stream),
        TEST(closing_while_it_connects),
        TEST(every_failure_has_its_name),
        TEST(a_large_head_is_refused),
        TEST(a_wrong_upgrade_is_refused),
        TEST(the_end_behind_an_interim_head),
        TEST(an_answer_before_a_failed_write_counts),
        TEST(bytes_before_the_request_end_it),
        TEST(the_end_before_the_request),
        TEST(a_resting_connection_may_end),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
