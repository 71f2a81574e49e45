/*
 * codec/h1_tx: bytes on the wire for every framing, in one go and as the body grows, and a receiver that is
 * slower than the body.
 */
#include "codec/h1_tx.h"

#include "../dies.h"
#include "h1_scene.h"

static struct conn *conn;
static int other;
static struct h1_tx tx;
static struct stream stream;
static struct body body;
static struct arena arena;
static struct heard heard;
static unsigned drained;

static void on_facts(void *arg, unsigned facts)
{
    assert_null(arg);
    drained += facts == CONN_DRAINED;
}

static void open_conn(bool is_narrow)
{
    int ends[2], least = 1;
    make_pair(ends);
    other = ends[1];
    if (is_narrow)
        assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    stream = (struct stream){0};
    drained = 0;
    memset(&heard, 0, offsetof(struct heard, text));
    body_init(&body);
    arena_init(&arena, NULL, 0);
    conn = conn_accept(&loop, ends[0], (struct conn_owner){on_facts, NULL});
    assert_non_null(conn);
}

static void close_conn(void)
{
    body_fini(&body);
    arena_fini(&arena);
    conn_close(&conn);
    close(other);
    turn();
}

static int set_up(void **state)
{
    (void)state;
    start_loop();
    open_conn(false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_conn();
    stop_loop();
    return 0;
}

static const struct {
    const char *name;
    enum framing_kind kind;
    uint64_t length;
    const char *pieces[4];
    bool trailers;
    const char *wire; /* behind the head's first line */
} messages[] = {
    {"none", FRAMING_NONE, 0, {NULL}, false, "Content-Length: 0\r\n\r\n"},
    {"length", FRAMING_LENGTH, 5, {"hello"}, false, "Content-Length: 5\r\n\r\nhello"},
    {"length in pieces", FRAMING_LENGTH, 5, {"he", "l", "lo"}, false, "Content-Length: 5\r\n\r\nhello"},
    {"stream",
     FRAMING_STREAM,
     0,
     {"hello"},
     false,
     "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
    {"stream in pieces",
     FRAMING_STREAM,
     0,
     {"hello ", "wonderful", " worldwide"},
     false,
     "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n9\r\nwonderful\r\na\r\n worldwide\r\n0\r\n\r\n"},
    {"stream, empty", FRAMING_STREAM, 0, {NULL}, false, "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"stream, trailers",
     FRAMING_STREAM,
     0,
     {"a"},
     true,
     "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-sum: 7\r\n\r\n"},
    {"stream, trailers only",
     FRAMING_STREAM,
     0,
     {NULL},
     true,
     "Transfer-Encoding: chunked\r\n\r\n0\r\nx-sum: 7\r\n\r\n"},
    {"length, no place for trailers", FRAMING_LENGTH, 1, {"a"}, true, "Content-Length: 1\r\n\r\na"},
    {"until close", FRAMING_UNTIL_CLOSE, 0, {"a", "b"}, false, "\r\nab"},
};

static struct fields trailers_of(bool wanted)
{
    struct fields trailers = {0};
    if (wanted) {
        fields_add(&trailers, &arena, SLICE("x-sum"), SLICE("7"));
        fields_add(&trailers, &arena, SLICE("content-length"), SLICE("7"));
    }
    return trailers;
}

/* Sends the message; a turn after every piece if `slowly`. */
static void send_message(size_t i, bool slowly)
{
    char expected[256];
    struct message head = response_of(200, messages[i].kind, messages[i].length);
    struct fields trailers = trailers_of(messages[i].trailers);
    const struct fields *sent_trailers = messages[i].trailers ? &trailers : NULL;
    uint64_t content = 0;
    h1_tx_response(&tx, conn, &head, H1_KEEP_ALIVE);
    for (int j = 0; j < 4 && messages[i].pieces[j]; j++) {
        add_text(&body, messages[i].pieces[j]);
        content += strlen(messages[i].pieces[j]);
        if (slowly) {
            h1_tx_body(&tx, conn, &stream, &body, sent_trailers);
            assert_int_equal(body.queued, 0);
            assert_false(tx.ended);
            turn();
        }
    }
    body.ended = true;
    h1_tx_body(&tx, conn, &stream, &body, sent_trailers);
    assert_true(tx.ended);
    assert_true(stream.tx_bytes == content);
    snprintf(expected, sizeof expected, "HTTP/1.1 200 OK\r\n%s", messages[i].wire);
    turn();
    hear(other, &heard);
    if (strcmp(heard.text, expected) != 0)
        fail_msg("%s%s: %s", messages[i].name, slowly ? ", slowly" : "", heard.text);
    turn();
    assert_int_equal(drained, 0);
}

static void every_framing(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof messages / sizeof *messages); i++) {
        close_conn();
        open_conn(false);
        send_message(i / 2, i % 2);
    }
}

static void a_request_is_written_too(void **state)
{
    (void)state;
    struct message head = request_of_method(METHOD_POST, "POST");
    head.framing = (struct framing){FRAMING_LENGTH, true, 3};
    h1_tx_request(&tx, conn, &head, H1_KEEP_ALIVE);
    add_text(&body, "abc");
    body.ended = true;
    h1_tx_body(&tx, conn, &stream, &body, NULL);
    HEAR(other, &heard, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assert_true(tx.ended);
}

/* The end is sent once, however often it is asked for. */
static void the_end_is_sent_once(void **state)
{
    (void)state;
    struct message head = response_of(200, FRAMING_STREAM, 0);
    h1_tx_response(&tx, conn, &head, H1_CLOSE);
    body.ended = true;
    for (int i = 0; i < 3; i++)
        h1_tx_body(&tx, conn, &stream, &body, NULL);
    HEAR(other, &heard,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n");
    turn();
    hear(other, &heard);
    assert_string_equal(heard.text, "");
}

static void a_tunnel_ends_with_its_sending_side(void **state)
{
    (void)state;
    struct message head = response_of(101, FRAMING_TUNNEL, 0);
    h1_tx_response(&tx, conn, &head, H1_UPGRADE);
    add_text(&body, "frames");
    h1_tx_body(&tx, conn, &stream, &body, NULL);
    HEAR(other, &heard,
         "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes");
    assert_false(heard.eof);
    add_text(&body, "last");
    body.ended = true;
    h1_tx_body(&tx, conn, &stream, &body, NULL);
    HEAR(other, &heard, "last");
    HEAR_END(other, &heard);
}

static void a_head_may_follow_interim_ones(void **state)
{
    (void)state;
    struct message interim = response_of(103, FRAMING_NONE, 0), head = response_of(200, FRAMING_NONE, 0);
    h1_tx_response(&tx, conn, &interim, H1_KEEP_ALIVE);
    h1_tx_response(&tx, conn, &head, H1_KEEP_ALIVE);
    body.ended = true;
    h1_tx_body(&tx, conn, &stream, &body, NULL);
    HEAR(other, &heard, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* The receiver is slow: the rest stays in the body until the conn has told that it is drained. */
static void what_does_not_fit_stays_in_the_body(void **state)
{
    (void)state;
    enum { TOTAL = 400 * 1000, PIECE = 15000 };
    close_conn();
    open_conn(true);
    unsigned char next_out = 0, next_in = 0;
    size_t added = 0, received = 0;
    unsigned seen = 0;
    struct message head = response_of(200, FRAMING_LENGTH, TOTAL);
    h1_tx_response(&tx, conn, &head, H1_KEEP_ALIVE);
    TURN_UNTIL(hear(other, &heard) && strstr(heard.text, "\r\n\r\n"));
    forget(&heard);
    for (int i = 0; i < 10000 && received < TOTAL; i++) {
        bool again = drained != seen;
        seen = drained;
        while (added < TOTAL && body_has_room(&body)) {
            uint32_t len = TOTAL - added < PIECE ? (uint32_t)(TOTAL - added) : PIECE;
            add_counting(&body, len, &next_out);
            added += len;
            body.ended = added == TOTAL;
            again = true;
        }
        if (again)
            h1_tx_body(&tx, conn, &stream, &body, NULL);
        assert_true(conn_tx_queued(conn) < CONN_TX_MARK + PIECE);
        turn();
        hear_some(other, &heard, 20000);
        for (size_t at = 0; at < heard.len; at++)
            assert_int_equal((unsigned char)heard.text[at], next_in++);
        received += heard.len;
        forget(&heard);
    }
    assert_int_equal(received, TOTAL);
    assert_true(stream.tx_bytes == TOTAL);
    assert_true(tx.ended);
    assert_true(drained > 2);
}

static void send_too_much(void)
{
    struct message head = response_of(200, FRAMING_LENGTH, 2);
    h1_tx_response(&tx, conn, &head, H1_KEEP_ALIVE);
    add_text(&body, "abc");
    h1_tx_body(&tx, conn, &stream, &body, NULL);
}

static void send_too_little(void)
{
    struct message head = response_of(200, FRAMING_LENGTH, 4);
    h1_tx_response(&tx, conn, &head, H1_KEEP_ALIVE);
    add_text(&body, "abc");
    body.ended = true;
    h1_tx_body(&tx, conn, &stream, &body, NULL);
}

static void misuse_is_noticed(void **state)
{
    (void)state;
    assert_true(dies(send_too_much));
    assert_true(dies(send_too_little));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_framing),
        TEST(a_request_is_written_too),
        TEST(the_end_is_sent_once),
        TEST(a_tunnel_ends_with_its_sending_side),
        TEST(a_head_may_follow_interim_ones),
        TEST(what_does_not_fit_stays_in_the_body),
        TEST(misuse_is_noticed),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
