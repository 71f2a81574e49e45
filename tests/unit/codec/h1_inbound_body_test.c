/*
 * codec/h1_inbound, content both ways: framings, backpressure in both directions, broken bodies, responses
 * that end short, and tunnels.
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

#define CHUNKED_POST "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static void chunks_become_a_body(void **state)
{
    (void)state;
    come(false);
    say(client, CHUNKED_POST "3\r\nabc\r\n");
    struct asked *request = next_request(0);
    TURN_UNTIL(has(request, STREAM_BODY));
    assert_false(request->stream->rx.ended);
    expect_text(&request->stream->rx, "abc");
    request->stream->facts &= ~(unsigned)STREAM_BODY;
    unsigned woken = request->woken;
    say(client, "2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n" GET("/next"));
    TURN_UNTIL(request->stream->rx.ended);
    assert_true(has(request, STREAM_BODY));
    assert_true(request->woken > woken);
    expect_text(&request->stream->rx, "de");
    assert_int_equal(request->stream->rx_trailers.count, 1);
    assert_int_equal(request->stream->rx_bytes, 5);
    answer(request, "");
    answer(next_request(1), "");
    HEAR(client, &heard, OK_HEAD(0) OK_HEAD(0));
}

static void a_broken_body_fails_the_stream(void **state)
{
    (void)state;
    static const char *const bodies[] = {"3\r\nabc\r\nzz\r\n", "1\r\na\r\n0\r\nno colon\r\n\r\n"};
    static const enum fault faults[] = {FAULT_bad_chunk, FAULT_bad_trailer};
    for (unsigned i = 0; i < 2; i++) {
        come(false);
        say(client, CHUNKED_POST);
        struct asked *request = next_request(i);
        say(client, bodies[i]);
        say(client, GET("/smuggled"));
        TURN_UNTIL(has(request, STREAM_FAILED));
        assert_int_equal(request->stream->fault, faults[i]);
        assert_false(request->stream->rx.ended);
        refuse(request); /* what is sent still goes out */
        HEAR(client, &heard, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        HEAR_END(client, &heard);
        turn_for(3000);
        assert_int_equal(born, i + 1);
        go();
        TURN_UNTIL(session_home_count(&home) == 0);
    }
}

/* A client that sends more than anybody takes is stopped, and nothing is lost. */
static void a_full_body_stops_the_client(void **state)
{
    (void)state;
    enum { TOTAL = 3 * 1000 * 1000 };
    static char piece[60 * 1000];
    unsigned char next_out = 0, next_in = 0;
    size_t said = 0, taken = 0;
    come(false);
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
    struct asked *request = next_request(0);
    struct stream *stream = request->stream;
    for (int i = 0; i < 100000 && !body_is_done(&stream->rx); i++) {
        size_t len = sizeof piece < TOTAL - said ? sizeof piece : TOTAL - said;
        for (size_t at = 0; at < len; at++)
            piece[at] = (char)(next_out + at);
        ssize_t sent = len > 0 ? send(client, piece, len, MSG_NOSIGNAL) : 0;
        if (sent > 0) {
            said += (size_t)sent;
            next_out = (unsigned char)(next_out + sent);
        }
        turn();
        assert_true(stream->rx.queued < BODY_HIGH_MARK + BLOCK_SIZE_LARGE);
        if (i % 5 != 4)
            continue;
        taken += take_counting(&stream->rx, &next_in);
        stream->ops->rx_resume(stream);
    }
    taken += take_counting(&stream->rx, &next_in);
    assert_int_equal(taken, TOTAL);
    assert_true(stream->rx.ended);
    assert_true(stream->rx_bytes == TOTAL);
    say(client, GET("/next"));
    answer(request, "");
    answer(next_request(1), "");
    HEAR(client, &heard, OK_HEAD(0) OK_HEAD(0));
}

static void a_stopped_client_stays_stopped(void **state)
{
    (void)state;
    static char bytes[150 * 1000];
    come(false);
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
    struct asked *request = next_request(0);
    say_bytes(client, bytes, sizeof bytes);
    turn_for(10000);
    uint64_t come_so_far = request->stream->rx_bytes;
    assert_true(come_so_far < sizeof bytes);
    assert_in_range(come_so_far, BODY_HIGH_MARK, BODY_HIGH_MARK + BLOCK_SIZE_LARGE);
    turn_for(10000);
    assert_true(request->stream->rx_bytes == come_so_far);
    close_request(request, FAULT_client_stalled);
}

/* The client closes behind its content while it is stopped: all of it is still read. */
static void the_end_of_a_stopped_client_is_seen_later(void **state)
{
    (void)state;
    static char bytes[150 * 1000];
    come(false);
    say(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\n\r\n");
    struct asked *request = next_request(0);
    struct stream *stream = request->stream;
    say_bytes(client, bytes, sizeof bytes);
    shutdown(client, SHUT_WR);
    turn_for(5000);
    assert_false(stream->rx.ended);
    for (int i = 0; i < 100 && !stream->rx.ended; i++) {
        body_consume(&stream->rx, stream->rx.queued);
        stream->ops->rx_resume(stream);
        turn();
    }
    assert_true(stream->rx.ended);
    assert_int_equal(stream->rx_bytes, sizeof bytes);
    assert_false(stream->facts & STREAM_FAILED);
    body_consume(&stream->rx, stream->rx.queued);
    TURN_UNTIL(has(request, STREAM_HALF));
    answer(request, "x");
    HEAR(client, &heard, OK_HEAD_CLOSE(1) "x");
    HEAR_END(client, &heard);
}

/* A client that reads slowly: the rest of the response waits in the body. */
static void a_slow_client_gets_everything(void **state)
{
    (void)state;
    enum { TOTAL = 500 * 1000, PIECE = 15000 };
    unsigned char next_out = 0, next_in = 0;
    size_t added = 0, received = 0;
    come(true);
    say(client, GET("/large"));
    struct asked *request = next_request(0);
    struct message head = response_of(200, FRAMING_LENGTH, TOTAL);
    send_head(request, &head);
    TURN_UNTIL(hear(client, &heard) && strstr(heard.text, "\r\n\r\n"));
    forget(&heard);
    for (int i = 0; i < 100000 && received < TOTAL; i++) {
        bool again = has(request, STREAM_ROOM);
        request->stream->facts &= ~(unsigned)STREAM_ROOM;
        for (; added < TOTAL && body_has_room(&request->body); again = true) {
            uint32_t len = TOTAL - added < PIECE ? (uint32_t)(TOTAL - added) : PIECE;
            add_counting(&request->body, len, &next_out);
            added += len;
            request->body.ended = added == TOTAL;
        }
        if (again &&
            !(request->body.ended && request->body.queued == 0 && added == request->stream->tx_bytes))
            send_body(request);
        turn();
        hear_some(client, &heard, 9000);
        for (size_t at = 0; at < heard.len; at++)
            assert_int_equal((unsigned char)heard.text[at], next_in++);
        received += heard.len;
        forget(&heard);
    }
    assert_int_equal(received, TOTAL);
    TURN_UNTIL(has(request, STREAM_SENT));
    close_request(request, FAULT_NONE);
    say(client, GET("/next"));
    answer(next_request(1), "");
    HEAR(client, &heard, OK_HEAD(0));
}

/* --- responses that end short --- */

static void a_response_cut_short_is_not_taken_for_whole(void **state)
{
    (void)state;
    static const char *const requests[] = {GET("/"), "GET / HTTP/1.0\r\n\r\n", GET("/")};
    static const enum framing_kind kinds[] = {FRAMING_STREAM, FRAMING_UNTIL_CLOSE, FRAMING_LENGTH};
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf",
                                          "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"};
    for (unsigned i = 0; i < 3; i++) {
        come_by_tcp();
        say(client, requests[i]);
        struct asked *request = next_request(i);
        struct message head = response_of(200, kinds[i], 8);
        send_head(request, &head);
        add_text(&request->body, "half");
        send_body(request);
        HEAR(client, &heard, answers[i]);
        close_request(request, FAULT_upstream_truncated);
        TURN_UNTIL(hear(client, &heard) && (heard.eof || heard.error));
        assert_string_equal(heard.text, "");
        assert_int_equal(heard.error, kinds[i] == FRAMING_UNTIL_CLOSE ? ECONNRESET : 0);
        go();
        TURN_UNTIL(session_home_count(&home) == 0);
    }
}

/* --- tunnels --- */

#define UPGRADE                                                                                           \
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: " \
    "13\r\n"                                                                                              \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

static struct asked *open_tunnel(const char *bytes)
{
    come(false);
    say(client, bytes);
    struct asked *request = next_request(0);
    assert_int_equal(request->stream->fault, FAULT_NONE);
    assert_true(request->stream->rx_head.wants_upgrade);
    turn();
    struct message head = response_of(101, FRAMING_TUNNEL, 0);
    send_head(request, &head);
    HEAR(client, &heard, SWITCHING);
    return request;
}

static void a_tunnel_moves_bytes_both_ways(void **state)
{
    (void)state;
    struct asked *request = open_tunnel(UPGRADE);
    struct stream *stream = request->stream;
    assert_false(stream->rx.ended);
    for (int i = 0; i < 3; i++) {
        say(client, GET("/no-request"));
        TURN_UNTIL(stream->rx.queued > 0);
        expect_text(&stream->rx, GET("/no-request"));
        add_text(&request->body, "back");
        send_body(request);
        HEAR(client, &heard, "back");
    }
    assert_int_equal(born, 1);
    shutdown(client, SHUT_WR);
    TURN_UNTIL(stream->rx.ended);
    assert_false(stream->facts & STREAM_FAILED);
    add_text(&request->body, "last");
    request->body.ended = true;
    send_body(request);
    HEAR(client, &heard, "last");
    HEAR_END(client, &heard);
    close_request(request, FAULT_NONE);
    TURN_UNTIL(session_home_count(&home) == 0);
}

static void our_side_of_a_tunnel_may_end_first(void **state)
{
    (void)state;
    struct asked *request = open_tunnel(UPGRADE);
    request->body.ended = true;
    send_body(request);
    HEAR_END(client, &heard);
    say(client, "still");
    TURN_UNTIL(request->stream->rx.queued == 5);
    expect_text(&request->stream->rx, "still");
    close_request(request, FAULT_NONE);
}

static void bytes_behind_the_upgrade_are_the_tunnels(void **state)
{
    (void)state;
    struct asked *request = open_tunnel(UPGRADE "early");
    TURN_UNTIL(request->stream->rx.queued == 5);
    expect_text(&request->stream->rx, "early");
    say(client, "later");
    TURN_UNTIL(request->stream->rx.queued == 5);
    expect_text(&request->stream->rx, "later");
    close_request(request, FAULT_tunnel_idle);
    HEAR_END(client, &heard);
}

static void bytes_behind_a_refused_upgrade_are_no_request(void **state)
{
    (void)state;
    come(false);
    say(client, UPGRADE GET("/smuggled"));
    struct asked *request = next_request(0);
    turn();
    answer(request, "no");
    HEAR(client, &heard, OK_HEAD_CLOSE(2) "no");
    HEAR_END(client, &heard);
    assert_int_equal(born, 1);
}

static void a_refused_upgrade_alone_lives_on(void **state)
{
    (void)state;
    come(false);
    say(client, UPGRADE);
    answer(next_request(0), "no");
    HEAR(client, &heard, OK_HEAD(2) "no");
    say(client, GET("/next"));
    answer(next_request(1), "");
    HEAR(client, &heard, OK_HEAD(0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(chunks_become_a_body),
        TEST(a_broken_body_fails_the_stream),
        TEST(a_full_body_stops_the_client),
        TEST(a_stopped_client_stays_stopped),
        TEST(the_end_of_a_stopped_client_is_seen_later),
        TEST(a_slow_client_gets_everything),
        TEST(a_response_cut_short_is_not_taken_for_whole),
        TEST(a_tunnel_moves_bytes_both_ways),
        TEST(our_side_of_a_tunnel_may_end_first),
        TEST(bytes_behind_the_upgrade_are_the_tunnels),
        TEST(bytes_behind_a_refused_upgrade_are_no_request),
        TEST(a_refused_upgrade_alone_lives_on),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
