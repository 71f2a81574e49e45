/*
 * codec/h1_inbound, requests one after the other: keep-alive, pipelining, heads in pieces, refusals, what a
 * head's Connection says, and heads of every kind on their way back.
 */
#include "inbound_scene.h"

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

static bool target_is(const struct asked *request, const char *target)
{
    return slice_equal(request->stream->rx_head.target, slice_of(target));
}

static void a_request_is_born(void **state)
{
    (void)state;
    come(false);
    turn();
    assert_int_equal(born, 0);
    assert_int_equal(session_home_count(&home), 1);
    say(client, "GET /a?b HTTP/1.1\r\nHost: a.example\r\nX-Y: z\r\n\r\n");
    struct asked *request = next_request(0);
    struct stream *stream = request->stream;
    assert_int_equal(stream->facts, STREAM_OPEN | STREAM_HEAD);
    assert_int_equal(stream->fault, FAULT_NONE);
    assert_true(target_is(request, "/a?b"));
    assert_true(stream->rx.ended);
    assert_int_equal(stream->rx_head.fields.count, 2);
    struct address remote = address_of_remote(&stream->client->address), expected;
    assert_true(address_from_literal(SLICE("192.0.2.1"), 4711, &expected));
    assert_true(address_equal(&remote, &expected));
    assert_null(stream->client->tls);
    assert_true(stream_told(stream->client)->server_name.len == 0);
    assert_non_null(stream->arena);
    assert_false(stream->tx_started);
    answer(request, "hello");
    HEAR(client, &heard, OK_HEAD(5) "hello");
}

static void a_connection_serves_one_after_the_other(void **state)
{
    (void)state;
    come(false);
    for (unsigned i = 0; i < 20; i++) {
        say(client, i % 2 ? GET("/odd") : GET("/even"));
        struct asked *request = next_request(i);
        assert_true(target_is(request, i % 2 ? "/odd" : "/even"));
        assert_int_equal(request->stream->facts, STREAM_OPEN | STREAM_HEAD);
        assert_int_equal(request->stream->tx_bytes, 0);
        answer(request, i % 2 ? "odd" : "");
        HEAR(client, &heard, i % 2 ? OK_HEAD(3) "odd" : OK_HEAD(0));
        assert_int_equal(session_home_count(&home), 1);
    }
    assert_int_equal(home.spare_requests.count, 1);
}

static void pipelined_requests_wait_for_their_turn(void **state)
{
    (void)state;
    come(false);
    say(client, GET("/1") "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody" GET("/3"));
    struct asked *request = next_request(0);
    turn_for(10000);
    assert_int_equal(born, 1);
    assert_true(target_is(request, "/1"));
    answer(request, "one");
    request = next_request(1);
    turn_for(10000);
    assert_int_equal(born, 2);
    assert_true(target_is(request, "/2"));
    assert_true(request->stream->rx.ended);
    expect_text(&request->stream->rx, "body");
    say(client, GET("/4"));
    turn_for(10000);
    assert_int_equal(born, 2);
    answer(request, "two");
    answer(next_request(2), "three");
    request = next_request(3);
    assert_true(target_is(request, "/4"));
    answer(request, "");
    HEAR(client, &heard, OK_HEAD(3) "one" OK_HEAD(3) "two" OK_HEAD(5) "three" OK_HEAD(0));
}

/* While a request is under way, what follows waits in the kernel, not here. */
static void a_client_that_says_much_is_stopped(void **state)
{
    (void)state;
    enum { MUCH = 1000 * 1000 };
    static char bytes[10 * 1000];
    size_t said = 0;
    come(false);
    say(client, GET("/1"));
    struct asked *request = next_request(0);
    for (int i = 0; i < 500 && said < MUCH; i++) {
        ssize_t sent = send(client, bytes, sizeof bytes, MSG_NOSIGNAL);
        said += sent > 0 ? (size_t)sent : 0;
        turn();
    }
    assert_true(said < MUCH);
    answer(request, "");
    assert_int_equal(next_request(1)->stream->fault, FAULT_bad_request_line);
}

static void heads_come_in_any_pieces(void **state)
{
    (void)state;
    static const char *const heads[] = {"PUT /a HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "PR /a HTTP/1.1\r\nHost: a\r\n\r\n", GET("/a")};
    for (unsigned i = 0; i < 3; i++) {
        come(false);
        for (const char *at = heads[i]; *at; at++) {
            assert_int_equal(born, i);
            say_bytes(client, at, 1);
            turn();
        }
        struct asked *request = next_request(i);
        assert_int_equal(request->stream->fault, FAULT_NONE);
        assert_true(target_is(request, "/a"));
        answer(request, "a");
        HEAR(client, &heard, OK_HEAD(1) "a");
        go();
        TURN_UNTIL(session_home_count(&home) == 0);
    }
}

static void empty_lines_before_a_head_are_skipped(void **state)
{
    (void)state;
    come(false);
    say(client, "\r\n\r\n" GET("/1"));
    answer(next_request(0), "");
    say(client, "\r\n");
    turn();
    pass(HEAD_TIMEOUT_US + SECOND_US); /* they are no beginning of a head */
    assert_int_equal(born, 1);
    say(client, GET("/2"));
    assert_true(target_is(next_request(1), "/2"));
    answer(&asked[1], "");
    HEAR(client, &heard, OK_HEAD(0) OK_HEAD(0));
}

static void bytes_may_have_been_read_already(void **state)
{
    (void)state;
    int ends[2];
    struct stream_client remote = {.redirects = true};
    make_pair(ends);
    client = ends[1];
    forget_client();
    struct conn *conn = conn_accept(&loop, ends[0], (struct conn_owner){no_facts, NULL});
    say(client, GET("/early"));
    TURN_UNTIL(conn_unread(conn).len > 0);
    h1_inbound_open(&home, conn, &remote);
    assert_int_equal(born, 1);
    assert_true(target_is(&asked[0], "/early"));
    assert_true(asked[0].stream->client->redirects);
    answer(&asked[0], "a");
    HEAR(client, &heard, OK_HEAD(1) "a");
}

/* --- refusals --- */

static const struct {
    const char *bytes;
    enum fault fault;
    const char *answer;
} refusals[] = {
    {"GET / HTTP/1.1\nHost: a\r\n\r\n", FAULT_bad_line_ending, "400 Bad Request"},
    {"GET /\r\n\r\n", FAULT_bad_request_line, "400 Bad Request"},
    {"\x16\x03\x01\x02", FAULT_bad_request_line, "400 Bad Request"},
    {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", FAULT_bad_version, "505 HTTP Version Not Supported"},
    {"GET / HTTP/1.1\r\n\r\n", FAULT_bad_host, "400 Bad Request"},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", FAULT_bad_field_name, "400 Bad Request"},
    {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", FAULT_folded_field, "400 Bad Request"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", FAULT_bad_content_length, "400 Bad Request"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
     FAULT_framing_conflict, "400 Bad Request"},
    {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", FAULT_unknown_transfer_coding,
     "501 Not Implemented"},
};

static void what_is_refused_is_born_with_its_fault(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        char expected[256];
        come(false);
        say(client, refusals[i].bytes);
        say(client, GET("/smuggled"));
        struct asked *request = next_request(i);
        if (request->stream->fault != refusals[i].fault)
            fail_msg("%s: %s", refusals[i].bytes, fault_row(request->stream->fault)->name);
        assert_int_equal(request->stream->facts, STREAM_OPEN | STREAM_HEAD);
        assert_true(request->stream->rx.ended);
        refuse(request);
        snprintf(expected, sizeof expected, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                 refusals[i].answer);
        HEAR(client, &heard, expected);
        HEAR_END(client, &heard);
        assert_int_equal(born, i + 1);
        go();
        TURN_UNTIL(session_home_count(&home) == 0);
    }
}

static void limits_are_those_of_the_home(void **state)
{
    (void)state;
    static const enum fault expected[] = {FAULT_target_too_long, FAULT_head_too_large, FAULT_too_many_fields};
    for (unsigned i = 0; i < 3; i++) {
        static char head[64 * 1024];
        size_t len = (size_t)sprintf(head, "GET /");
        if (i == 0)
            len += (size_t)sprintf(head + len, "%02000d", 0);
        len += (size_t)sprintf(head + len, " HTTP/1.1\r\nHost: a\r\n");
        for (int j = 0; j < (i == 2 ? 21 : 8); j++)
            len += (size_t)sprintf(head + len, i == 1 ? "x: %0600d\r\n" : "x: %d\r\n", j);
        come(false);
        say(client, head);
        assert_int_equal(next_request(i)->stream->fault, expected[i]);
        refuse(&asked[i]);
        go();
        TURN_UNTIL(session_home_count(&home) == 0);
    }
}

/* --- what is said about the connection --- */

static const struct {
    const char *request;
    enum framing_kind kind; /* of a response of one byte */
    bool upstream_closes;   /* the response's keep_alive is false */
    const char *answer;
    bool lives;
} connections[] = {
    {GET("/"), FRAMING_LENGTH, false, OK_HEAD(1) "x", true},
    {GET("/"), FRAMING_LENGTH, true, OK_HEAD_CLOSE(1) "x", false},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", FRAMING_LENGTH, false, OK_HEAD_CLOSE(1) "x",
     false},
    {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", FRAMING_LENGTH, false, OK_HEAD_CLOSE(1) "x",
     false},
    {"GET / HTTP/1.0\r\n\r\n", FRAMING_LENGTH, false, OK_HEAD_CLOSE(1) "x", false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", FRAMING_LENGTH, false,
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx", true},
    {GET("/"), FRAMING_STREAM, false,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", true},
    {GET("/"), FRAMING_UNTIL_CLOSE, false,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", true},
    {"GET / HTTP/1.0\r\n\r\n", FRAMING_STREAM, false, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx", false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", FRAMING_STREAM, false,
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx", false},
    {"GET / HTTP/1.0\r\n\r\n", FRAMING_UNTIL_CLOSE, false, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nx",
     false},
};

static void the_connection_lives_as_was_said(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof connections / sizeof *connections; i++) {
        come(false);
        say(client, connections[i].request);
        struct asked *request = next_request(i);
        assert_int_equal(request->stream->fault, FAULT_NONE);
        struct message head = response_of(200, connections[i].kind, 1);
        head.keep_alive = !connections[i].upstream_closes;
        send_head(request, &head);
        assert_true(request->stream->tx_started);
        add_text(&request->body, "x");
        request->body.ended = true;
        send_body(request);
        TURN_UNTIL(has(request, STREAM_SENT));
        assert_int_equal(request->stream->tx_bytes, 1);
        close_request(request, FAULT_NONE);
        HEAR(client, &heard, connections[i].answer);
        turn_for(3000);
        hear(client, &heard);
        if (heard.eof == connections[i].lives)
            fail_msg("%s", connections[i].request);
        go();
        TURN_UNTIL(session_home_count(&home) == 0);
    }
}

static void interim_heads_come_before_the_final_one(void **state)
{
    (void)state;
    come(false);
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    struct asked *request = next_request(0);
    assert_true(request->stream->rx_head.expects_continue);
    assert_false(request->stream->rx.ended);
    struct message interim = response_of(100, FRAMING_NONE, 0);
    send_head(request, &interim);
    HEAR(client, &heard, "HTTP/1.1 100 Continue\r\n\r\n");
    interim.status = 103;
    send_head(request, &interim);
    HEAR(client, &heard, "HTTP/1.1 103 Early Hints\r\n\r\n");
    say(client, "hi");
    TURN_UNTIL(request->stream->rx.ended);
    expect_text(&request->stream->rx, "hi");
    answer(request, "x");
    HEAR(client, &heard, OK_HEAD(1) "x");
    say(client, GET("/next"));
    answer(next_request(1), "");
    HEAR(client, &heard, OK_HEAD(0));
}

/* An answer before the whole request has come: what follows on the connection is nobody's request. */
static void an_early_answer_ends_the_connection(void **state)
{
    (void)state;
    come(false);
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome");
    struct asked *request = next_request(0);
    answer(request, "no");
    HEAR(client, &heard, OK_HEAD_CLOSE(2) "no");
    HEAR_END(client, &heard);
    say(client, "more of it" GET("/smuggled"));
    turn_for(10000);
    assert_int_equal(born, 1);
}

static void a_head_without_content_keeps_its_length(void **state)
{
    (void)state;
    come(false);
    say(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    struct asked *request = next_request(0);
    struct message head = response_of(200, FRAMING_NONE, 1234);
    send_head(request, &head);
    request->body.ended = true;
    send_body(request);
    TURN_UNTIL(has(request, STREAM_SENT));
    close_request(request, FAULT_NONE);
    HEAR(client, &heard, OK_HEAD(1234));
    say(client, GET("/next"));
    answer(next_request(1), "");
    HEAR(client, &heard, OK_HEAD(0));
}

static void an_empty_line_in_two_pieces_is_skipped(void **state)
{
    (void)state;
    come(false);
    say(client, "\r");
    turn();
    say(client, "\n" GET("/a"));
    struct asked *request = next_request(0);
    assert_int_equal(request->stream->fault, FAULT_NONE);
    assert_true(target_is(request, "/a"));
    answer(request, "");
    HEAR(client, &heard, OK_HEAD(0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_line_in_two_pieces_is_skipped),  TEST(a_request_is_born),
        TEST(a_connection_serves_one_after_the_other), TEST(pipelined_requests_wait_for_their_turn),
        TEST(a_client_that_says_much_is_stopped),      TEST(heads_come_in_any_pieces),
        TEST(empty_lines_before_a_head_are_skipped),   TEST(bytes_may_have_been_read_already),
        TEST(what_is_refused_is_born_with_its_fault),  TEST(limits_are_those_of_the_home),
        TEST(the_connection_lives_as_was_said),        TEST(interim_heads_come_before_the_final_one),
        TEST(an_early_answer_ends_the_connection),     TEST(a_head_without_content_keeps_its_length),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
