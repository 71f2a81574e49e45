/*
 * codec/h1_outbound, exchanges that go well: dialling, requests and responses of every framing, interim
 * heads, tunnels, backpressure, and when a connection may rest and be used again.
 */
#include "outbound_scene.h"

enum { TRANSFER_US = 60 * 1000 * 1000 }; /* for some megabytes on a busy machine */

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

static void it_is_open_when_it_stands(void **state)
{
    (void)state;
    dial_endpoint();
    assert_int_equal(exchange.stream->facts, 0);
    assert_false(exchange.stream->reused);
    TURN_UNTIL(exchange.stream->facts == STREAM_OPEN);
    assert_true(exchange.woken > 0);
    assert_false(exchange.stream->tx_started);
}

static const struct {
    const char *name;
    enum method method;
    const char *response;
    bool closes; /* behind the response */
    unsigned status;
    const char *body;
    bool may_rest;
} responses[] = {
    {"length", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false, 200, "hello", true},
    {"chunked", METHOD_GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
     false, 200, "hello", true},
    {"until close", METHOD_GET, "HTTP/1.1 200 OK\r\n\r\nhello", true, 200, "hello", false},
    {"until close, nothing", METHOD_GET, "HTTP/1.1 200 OK\r\n\r\n", true, 200, "", false},
    {"empty", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, "", true},
    {"204", METHOD_GET, "HTTP/1.1 204 No Content\r\n\r\n", false, 204, "", true},
    {"304", METHOD_GET, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, 304, "", true},
    {"HEAD", METHOD_HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, "", true},
    {"HEAD, chunked", METHOD_HEAD, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 200, "",
     true},
    {"Connection: close", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
     false, 200, "x", false},
    {"HTTP/1.0", METHOD_GET, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, 200, "x", false},
    {"HTTP/1.0, keep-alive", METHOD_GET,
     "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx", false, 200, "x", true},
    {"complete, then closed", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", true, 200, "x",
     false},
    {"more behind it", METHOD_GET, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy", false, 200, "x", false},
    {"another response behind it", METHOD_GET,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200,
     "", false},
};

static void check_response(size_t i, size_t step)
{
    const char *method = responses[i].method == METHOD_HEAD ? "HEAD" : "GET";
    size_t len = strlen(responses[i].response);
    connect_endpoint();
    struct stream *stream = exchange.stream;
    ask(responses[i].method, method);
    for (size_t at = 0; at < len; at += step) {
        say_bytes(server, responses[i].response + at, step < len - at ? step : len - at);
        turn();
    }
    if (responses[i].closes)
        shutdown(server, SHUT_WR);
    TURN_UNTIL(has(STREAM_HEAD) && stream->rx.ended);
    turn_for(2000);
    assert_false(stream->facts & STREAM_FAILED);
    assert_int_equal(stream->rx_head.status, responses[i].status);
    assert_int_equal(stream->rx_bytes, strlen(responses[i].body));
    if (strlen(responses[i].body) > 0)
        assert_true(has(STREAM_BODY));
    expect_text(&stream->rx, responses[i].body);
    if (h1_outbound_rest(stream) != responses[i].may_rest)
        fail_msg("%s, step %zu", responses[i].name, step);
    hang_up();
}

static void every_response(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        check_response(i, 1000);
        check_response(i, 1);
    }
}

static void a_request_has_content(void **state)
{
    (void)state;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    struct message head = request_of_method(METHOD_POST, "POST");
    struct fields trailers = {0};
    fields_add(&trailers, &arena, SLICE("x-sum"), SLICE("7"));
    head.framing.kind = FRAMING_STREAM;
    stream->ops->tx_head(stream, &head);
    add_text(&exchange.body, "abc");
    stream->ops->tx_body(stream, &exchange.body, NULL);
    HEAR(server, &heard, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc");
    add_text(&exchange.body, "defg");
    exchange.body.ended = true;
    stream->ops->tx_body(stream, &exchange.body, &trailers);
    HEAR(server, &heard, "\r\n4\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n");
    assert_int_equal(stream->tx_bytes, 7);
}

/* An answer before the whole request was sent is passed on, but the connection carries no other. */
static void an_early_answer_may_not_rest(void **state)
{
    (void)state;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    struct message head = request_of_method(METHOD_POST, "POST");
    head.framing = (struct framing){FRAMING_LENGTH, true, 10};
    stream->ops->tx_head(stream, &head);
    add_text(&exchange.body, "half");
    stream->ops->tx_body(stream, &exchange.body, NULL);
    HEAR(server, &heard, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf");
    say(server, "HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n");
    TURN_UNTIL(has(STREAM_HEAD));
    assert_true(stream->rx.ended);
    assert_int_equal(stream->rx_head.status, 413);
    assert_true(slice_equal(stream->rx_head.reason, SLICE("Too Much")));
    assert_false(h1_outbound_rest(stream));
}

static void interim_heads_come_one_by_one(void **state)
{
    (void)state;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    ask(METHOD_GET, "GET");
    say(server, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    static const unsigned statuses[] = {103, 100, 200};
    for (int i = 0; i < 3; i++) {
        TURN_UNTIL(has(STREAM_HEAD));
        turn_for(2000);
        assert_int_equal(stream->rx_head.status, statuses[i]);
        assert_int_equal(stream->rx_head.fields.count, i == 1 ? 0 : 1);
        assert_int_equal(stream->rx_bytes, i < 2 ? 0 : 2);
        stream->facts &= ~(unsigned)STREAM_HEAD;
        if (i < 2)
            stream->ops->rx_resume(stream);
    }
    TURN_UNTIL(stream->rx.ended);
    expect_text(&stream->rx, "hi");
    assert_true(h1_outbound_rest(stream));
}

static void a_tunnel_moves_bytes_both_ways(void **state)
{
    (void)state;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    struct message head = request_of_method(METHOD_GET, "GET");
    head.wants_upgrade = true;
    stream->ops->tx_head(stream, &head);
    exchange.body.ended = true;
    stream->ops->tx_body(stream, &exchange.body, NULL);
    HEAR(server, &heard, "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    say(server, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly");
    TURN_UNTIL(has(STREAM_HEAD | STREAM_BODY));
    assert_int_equal(stream->rx_head.status, 101);
    expect_text(&stream->rx, "early");
    exchange.body = (struct body){0};
    add_text(&exchange.body, "frames");
    stream->ops->tx_body(stream, &exchange.body, NULL);
    HEAR(server, &heard, "frames");
    say(server, "HTTP/1.1 200 OK\r\n\r\n");
    TURN_UNTIL(stream->rx.queued > 0);
    expect_text(&stream->rx, "HTTP/1.1 200 OK\r\n\r\n");
    exchange.body.ended = true;
    stream->ops->tx_body(stream, &exchange.body, NULL);
    HEAR_END(server, &heard);
    shutdown(server, SHUT_WR);
    TURN_UNTIL(stream->rx.ended);
    assert_false(stream->facts & STREAM_FAILED);
    assert_false(h1_outbound_rest(stream));
}

/* Bytes that are on their way arrive in the kernel's time, however often the loop is turned meanwhile. */
static void turn_or_wait(bool moved)
{
    turn();
    if (!moved)
        usleep(100);
}

static void a_full_body_stops_the_endpoint(void **state)
{
    (void)state;
    enum { TOTAL = 3 * 1000 * 1000 };
    static char piece[50 * 1000];
    unsigned char next_out = 0, next_in = 0;
    size_t said = 0, taken = 0;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    ask(METHOD_GET, "GET");
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
    TURN_UNTIL(has(STREAM_HEAD));
    uint64_t end_us = clock_monotonic_us() + TRANSFER_US;
    for (int i = 0; clock_monotonic_us() < end_us && !body_is_done(&stream->rx); i++) {
        size_t len = sizeof piece < TOTAL - said ? sizeof piece : TOTAL - said;
        for (size_t at = 0; at < len; at++)
            piece[at] = (char)(next_out + at);
        ssize_t sent = len > 0 ? send(server, piece, len, MSG_NOSIGNAL) : 0;
        said += sent > 0 ? (size_t)sent : 0;
        next_out = (unsigned char)(next_out + (sent > 0 ? sent : 0));
        turn_or_wait(sent > 0);
        assert_true(stream->rx.queued < BODY_HIGH_MARK + BLOCK_SIZE_LARGE);
        if (i % 4 != 3)
            continue;
        taken += take_counting(&stream->rx, &next_in);
        stream->ops->rx_resume(stream);
    }
    taken += take_counting(&stream->rx, &next_in);
    assert_int_equal(taken, TOTAL);
    assert_true(stream->rx.ended);
    assert_true(h1_outbound_rest(stream));
}

static void a_slow_endpoint_gets_everything(void **state)
{
    (void)state;
    enum { TOTAL = 8 * 1000 * 1000, PIECE = 15000 };
    unsigned char next_out = 0, next_in = 0;
    size_t added = 0, received = 0;
    unsigned rooms = 0;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    struct message head = request_of_method(METHOD_POST, "POST");
    head.framing = (struct framing){FRAMING_LENGTH, true, TOTAL};
    stream->ops->tx_head(stream, &head);
    TURN_UNTIL(hear(server, &heard) && strstr(heard.text, "\r\n\r\n"));
    forget(&heard);
    uint64_t end_us = clock_monotonic_us() + TRANSFER_US;
    for (int i = 0; clock_monotonic_us() < end_us && received < TOTAL; i++) {
        bool again = has(STREAM_ROOM);
        rooms += again;
        stream->facts &= ~(unsigned)STREAM_ROOM;
        for (; added < TOTAL && body_has_room(&exchange.body); again = true) {
            uint32_t len = TOTAL - added < PIECE ? (uint32_t)(TOTAL - added) : PIECE;
            add_counting(&exchange.body, len, &next_out);
            added += len;
            exchange.body.ended = added == TOTAL;
        }
        if (again)
            stream->ops->tx_body(stream, &exchange.body, NULL);
        turn_or_wait(again || heard.len > 0);
        forget(&heard);
        if (i < 500)
            continue; /* it does not listen for a while */
        hear_some(server, &heard, 200 * 1000);
        for (size_t at = 0; at < heard.len; at++)
            if ((unsigned char)heard.text[at] != next_in++)
                fail_msg("byte %zu", received + at);
        received += heard.len;
    }
    assert_int_equal(received, TOTAL);
    assert_true(stream->tx_bytes == TOTAL);
    assert_true(rooms > 0);
}

/* --- rest and reuse --- */

static void rest(void)
{
    TURN_UNTIL(exchange.stream->rx.ended);
    body_consume(&exchange.stream->rx, exchange.stream->rx.queued);
    assert_true(h1_outbound_rest(exchange.stream));
}

static void a_connection_carries_many(void **state)
{
    (void)state;
    connect_endpoint();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(exchange.stream->reused, i > 0);
        ask(i % 2 ? METHOD_HEAD : METHOD_GET, i % 2 ? "HEAD" : "GET");
        say(server, i % 2 ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
                          : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
        rest();
        assert_null(exchange.stream->arena);
        turn();
        h1_outbound_reuse(exchange.stream);
        assert_int_equal(exchange.stream->facts, STREAM_OPEN);
        assert_int_equal(exchange.stream->rx_bytes + exchange.stream->tx_bytes, 0);
        assert_false(exchange.stream->tx_started || exchange.stream->rx.ended);
        assert_int_equal(exchange.stream->rx_head.status, 0);
        own_stream();
    }
}

static void content_that_nobody_took_forbids_to_rest(void **state)
{
    (void)state;
    connect_endpoint();
    struct stream *stream = exchange.stream;
    ask(METHOD_GET, "GET");
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    TURN_UNTIL(stream->rx.ended);
    assert_false(h1_outbound_rest(stream));
    expect_text(&stream->rx, "hi");
    assert_true(h1_outbound_rest(stream));
}

static void nothing_that_is_not_over_may_rest(void **state)
{
    (void)state;
    dial_endpoint();
    assert_false(h1_outbound_rest(exchange.stream));
    TURN_UNTIL(has(STREAM_OPEN));
    assert_false(h1_outbound_rest(exchange.stream));
    server = accept_next(listening);
    ask(METHOD_GET, "GET");
    assert_false(h1_outbound_rest(exchange.stream));
    say(server, "HTTP/1.1 100 Continue\r\n\r\n");
    TURN_UNTIL(has(STREAM_HEAD));
    assert_false(h1_outbound_rest(exchange.stream));
    exchange.stream->facts &= ~(unsigned)STREAM_HEAD;
    exchange.stream->ops->rx_resume(exchange.stream);
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh");
    TURN_UNTIL(has(STREAM_BODY));
    expect_text(&exchange.stream->rx, "h");
    assert_false(h1_outbound_rest(exchange.stream));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_open_when_it_stands),
        TEST(every_response),
        TEST(a_request_has_content),
        TEST(an_early_answer_may_not_rest),
        TEST(interim_heads_come_one_by_one),
        TEST(a_tunnel_moves_bytes_both_ways),
        TEST(a_full_body_stops_the_endpoint),
        TEST(a_slow_endpoint_gets_everything),
        TEST(a_connection_carries_many),
        TEST(content_that_nobody_took_forbids_to_rest),
        TEST(nothing_that_is_not_over_may_rest),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
