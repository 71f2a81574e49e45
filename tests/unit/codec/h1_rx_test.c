/*
 * codec/h1_rx: every framing in pieces of every size, never a byte past the end, and bodies larger than their
 * room.
 */
#include "codec/h1_rx.h"

#include "h1_scene.h"

static struct conn *conn;
static int other;
static struct h1_rx rx;
static struct stream stream;
static struct arena arena;
static enum fault fault;
static bool ended_by_eof;

static void on_facts(void *arg, unsigned facts)
{
    assert_null(arg);
    if (facts == CONN_RX && !fault)
        fault = h1_rx_feed(&rx, conn, &stream);
    if (facts == CONN_EOF)
        ended_by_eof = h1_rx_eof(&rx, &stream);
    if (stream.rx.ended || fault)
        conn_pause(conn);
}

static void open_conn(void)
{
    int ends[2];
    make_pair(ends);
    other = ends[1];
    stream = (struct stream){.arena = &arena};
    fault = FAULT_NONE;
    ended_by_eof = false;
    arena_init(&arena, NULL, 0);
    conn = conn_accept(&loop, ends[0], (struct conn_owner){on_facts, NULL});
    assert_non_null(conn);
}

static void close_conn(void)
{
    body_fini(&stream.rx);
    arena_fini(&arena);
    conn_close(&conn);
    if (other >= 0)
        close(other);
    turn();
}

static int set_up(void **state)
{
    (void)state;
    start_loop();
    open_conn();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close_conn();
    stop_loop();
    return 0;
}

#define LONG_EXT "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n"

static const struct {
    const char *name;
    struct framing framing;
    const char *bytes;
    bool closes; /* behind the bytes */
    const char *body, *unread;
    bool ended;
    enum fault fault;
    const char *trailers; /* "name=value " each */
} bodies[] = {
    {"none", {FRAMING_NONE, false, 0}, "GET", false, "", "GET", true, FAULT_NONE, ""},
    {"length", {FRAMING_LENGTH, true, 5}, "hello", false, "hello", "", true, FAULT_NONE, ""},
    {"length, more behind",
     {FRAMING_LENGTH, true, 5},
     "helloGET",
     false,
     "hello",
     "GET",
     true,
     FAULT_NONE,
     ""},
    {"length, not all", {FRAMING_LENGTH, true, 6}, "hello", false, "hello", "", false, FAULT_NONE, ""},
    {"length, cut", {FRAMING_LENGTH, true, 6}, "hello", true, "hello", "", false, FAULT_NONE, ""},
    {"length, beyond 32 bits",
     {FRAMING_LENGTH, true, 1ull << 32},
     "hel",
     false,
     "hel",
     "",
     false,
     FAULT_NONE,
     ""},
    {"chunks",
     {FRAMING_STREAM, false, 0},
     "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
     false,
     "abcde",
     "",
     true,
     FAULT_NONE,
     ""},
    {"chunks, more behind",
     {FRAMING_STREAM, false, 0},
     "1\r\na\r\n0\r\n\r\n\r\nGET",
     false,
     "a",
     "\r\nGET",
     true,
     FAULT_NONE,
     ""},
    {"chunks, empty", {FRAMING_STREAM, false, 0}, "0\r\n\r\nG", false, "", "G", true, FAULT_NONE, ""},
    {"chunks, no last one",
     {FRAMING_STREAM, false, 0},
     "3\r\nabc\r\n",
     true,
     "abc",
     "",
     false,
     FAULT_NONE,
     ""},
    {"chunks, no empty line",
     {FRAMING_STREAM, false, 0},
     "1\r\na\r\n0\r\n",
     true,
     "a",
     "",
     false,
     FAULT_NONE,
     ""},
    {"chunks, trailers",
     {FRAMING_STREAM, false, 0},
     "1\r\na\r\n0\r\nX-A: 1\r\nx-b: 2\r\n\r\nG",
     false,
     "a",
     "G",
     true,
     FAULT_NONE,
     "X-A=1 x-b=2 "},
    {"chunks, forbidden trailer",
     {FRAMING_STREAM, false, 0},
     "0\r\nContent-Length: 1\r\nx: 2\r\n\r\n",
     false,
     "",
     "",
     true,
     FAULT_NONE,
     "x=2 "},
    {"chunks, bad size",
     {FRAMING_STREAM, false, 0},
     "1\r\na\r\nz\r\n",
     false,
     "a",
     NULL,
     false,
     FAULT_bad_chunk,
     ""},
    {"chunks, no line end",
     {FRAMING_STREAM, false, 0},
     "1\r\nab\r\n",
     false,
     "a",
     NULL,
     false,
     FAULT_bad_chunk,
     ""},
    {"chunks, long extension",
     {FRAMING_STREAM, false, 0},
     LONG_EXT,
     false,
     "",
     NULL,
     false,
     FAULT_bad_chunk,
     ""},
    {"chunks, bad trailer",
     {FRAMING_STREAM, false, 0},
     "1\r\na\r\n0\r\nno colon\r\n\r\n",
     false,
     "a",
     NULL,
     false,
     FAULT_bad_trailer,
     ""},
    {"until close",
     {FRAMING_UNTIL_CLOSE, false, 0},
     "all of it\r\n\r\n",
     true,
     "all of it\r\n\r\n",
     "",
     true,
     FAULT_NONE,
     ""},
    {"until close, open", {FRAMING_UNTIL_CLOSE, false, 0}, "some", false, "some", "", false, FAULT_NONE, ""},
    {"until close, empty", {FRAMING_UNTIL_CLOSE, false, 0}, "", true, "", "", true, FAULT_NONE, ""},
    {"tunnel", {FRAMING_TUNNEL, false, 0}, "\x81\x05hello", true, "\x81\x05hello", "", true, FAULT_NONE, ""},
};

static void print_trailers(char *text_out, size_t size)
{
    size_t len = 0;
    text_out[0] = '\0';
    for (unsigned i = 0; i < stream.rx_trailers.count; i++) {
        const struct field *field = &stream.rx_trailers.at[i];
        if (!(field->marks & FIELD_GONE))
            len += (size_t)snprintf(text_out + len, size - len, "%.*s=%.*s ", SLICE_ARGS(field_name(field)),
                                    SLICE_ARGS(field_value(field)));
    }
}

static void say_in_steps(const char *bytes, size_t step)
{
    size_t len = strlen(bytes);
    for (size_t at = 0; at < len; at += step) {
        say_bytes(other, bytes + at, step < len - at ? step : len - at);
        turn();
    }
}

static void check_body(size_t i, size_t step)
{
    char text[256], trailers[256];
    h1_rx_start(&rx, &stream, &bodies[i].framing);
    if (stream.rx.ended)
        assert_int_equal(bodies[i].framing.kind, FRAMING_NONE);
    say_in_steps(bodies[i].bytes, step);
    if (bodies[i].closes)
        shutdown(other, SHUT_WR);
    turn();
    turn();
    size_t len = take_text(&stream.rx, text, sizeof text);
    print_trailers(trailers, sizeof trailers);
    if (len != strlen(bodies[i].body) || strcmp(text, bodies[i].body) != 0 || stream.rx_bytes != len ||
        stream.rx.ended != bodies[i].ended || fault != bodies[i].fault ||
        strcmp(trailers, bodies[i].trailers) != 0)
        fail_msg("%s, step %zu: \"%s\" ended=%d fault=%s trailers=%s", bodies[i].name, step, text,
                 stream.rx.ended, fault_row(fault)->name, trailers);
    if (bodies[i].closes && bodies[i].framing.kind != FRAMING_STREAM &&
        bodies[i].framing.kind != FRAMING_LENGTH)
        assert_true(ended_by_eof);
    if (step >= strlen(bodies[i].bytes) && bodies[i].unread)
        assert_true(slice_equal(conn_unread(conn), slice_of(bodies[i].unread)));
}

static void every_framing_in_every_step(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 3, 7, 1000};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        for (size_t j = 0; j < sizeof steps / sizeof *steps; j++) {
            close_conn();
            open_conn();
            check_body(i, steps[j]);
        }
    }
}

/* The body is full: the conn is paused, nothing is lost, and what is left comes when there is room. */
static void check_backpressure(enum framing_kind kind, size_t total)
{
    unsigned char next_out = 0, next_in = 0;
    static char bytes[400 * 1000];
    size_t len = 0;
    if (kind == FRAMING_STREAM)
        len = (size_t)sprintf(bytes, "%zx\r\n", total);
    for (size_t i = 0; i < total; i++)
        bytes[len++] = (char)next_out++;
    if (kind == FRAMING_STREAM)
        len += (size_t)sprintf(bytes + len, "\r\n0\r\n\r\n");
    h1_rx_start(&rx, &stream, &(struct framing){kind, false, total});
    size_t said = 0, received = 0;
    for (int i = 0; i < 10000 && !(body_is_done(&stream.rx) && said == len); i++) {
        ssize_t sent = said < len ? send(other, bytes + said, len - said, MSG_NOSIGNAL) : 0;
        said += sent > 0 ? (size_t)sent : 0;
        turn();
        assert_true(stream.rx.queued < BODY_HIGH_MARK + 2 * BLOCK_SIZE_LARGE);
        if (!conn_is_paused(conn))
            continue;
        assert_true(stream.rx.ended || !body_has_room(&stream.rx));
        received += take_counting(&stream.rx, &next_in);
        if (stream.rx.ended)
            break;
        conn_resume(conn);
        assert_int_equal(h1_rx_feed(&rx, conn, &stream), FAULT_NONE);
    }
    received += take_counting(&stream.rx, &next_in);
    assert_int_equal(received, total);
    assert_true(stream.rx_bytes == total);
}

static void a_full_body_pauses_the_conn(void **state)
{
    (void)state;
    static const enum framing_kind kinds[] = {FRAMING_LENGTH, FRAMING_STREAM};
    for (size_t i = 0; i < 2; i++) {
        close_conn();
        open_conn();
        check_backpressure(kinds[i], 390 * 1000);
        assert_true(stream.rx.ended);
    }
}

static void pieces_beyond_the_room_wait(void **state)
{
    (void)state;
    h1_rx_start(&rx, &stream, &(struct framing){FRAMING_UNTIL_CLOSE, false, 0});
    struct block *blocks[BODY_PIECES];
    for (int i = 0; i < BODY_PIECES; i++) {
        blocks[i] = block_new(&loop.blocks, 10);
        blocks[i]->data[0] = 'x';
        body_append(&stream.rx, blocks[i], 0, 1);
    }
    say(other, "waits");
    turn();
    assert_true(conn_is_paused(conn));
    assert_true(slice_equal(conn_unread(conn), SLICE("waits")));
    for (int i = 0; i < BODY_PIECES; i++)
        block_unref(&blocks[i]);
    expect_text(&stream.rx, "xxxxxxxx");
    conn_resume(conn);
    assert_int_equal(h1_rx_feed(&rx, conn, &stream), FAULT_NONE);
    expect_text(&stream.rx, "waits");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_framing_in_every_step),
        TEST(a_full_body_pauses_the_conn),
        TEST(pieces_beyond_the_room_wait),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
