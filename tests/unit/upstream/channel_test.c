/*
 * upstream/channel against an endpoint on the loopback that the tests play frame by frame: who shares a
 * connection, when another one is dialled, what becomes of one that is left, and how a silent one is noticed.
 */
#include "upstream/channel.h"

#include "cluster_scene.h"

enum {
    SERVERS_MAX = 8,
    STREAMS_MAX = 8,
    TYPE_HEADERS = 1,
    TYPE_SETTINGS = 4,
    TYPE_PING = 6,
    TYPE_GOAWAY = 7,
    PREFACE_LEN = 24,
    KEEPALIVE_S = 330, /* of codec/h2_outbound.c */
    PING_ANSWER_S = 20
};

/* One of the endpoint's sockets, and what was heard on it. */
struct server {
    int fd;
    struct heard heard;
    const unsigned char *last_payload;
};

static struct address address;
static int listening;
static struct server servers[SERVERS_MAX];
static unsigned server_count;
static struct endpoint *endpoint;
static struct arena arena;
static struct task task; /* the owner of every stream */

static void run(struct task *ran)
{
    assert_ptr_equal(ran, &task);
}

static int set_up(void **state)
{
    (void)state;
    start_cluster();
    upstream.protocol = CONFIG_PROTOCOL_H2C;
    clusters_follow(&clusters, &upstream);
    arena_init(&arena, NULL, 0);
    task_init(&task, &loop.tasks, run, false);
    server_count = 0;
    listening = listen_somewhere(&address);
    struct endpoint_set *set = endpoint_set_new(SLICE("api"), 1);
    set->addresses[0] = address;
    clusters_adopt(&clusters, set);
    endpoint_set_unref(&set);
    endpoint = endpoint_at(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_cluster();
    arena_fini(&arena);
    close(listening);
    for (unsigned i = 0; i < server_count; i++)
        close(servers[i].fd);
    return 0;
}

static struct stream *take(bool fresh)
{
    struct stream *stream = NULL;
    struct claim claim = {.task = &task, .fresh = fresh};
    assert_int_equal(channel_take(endpoint, &claim, &stream), FAULT_NONE);
    stream->owner = &task;
    stream->arena = &arena;
    return stream;
}

/* Sends a request, the server's half of whose exchange is left to the test. */
static void ask(struct stream *stream)
{
    struct message head = {.method = METHOD_GET,
                           .method_text = SLICE("GET"),
                           .target = SLICE("/"),
                           .authority = SLICE("a.test")};
    struct body body = {.ended = true};
    stream->ops->tx_head(stream, &head);
    stream->ops->tx_body(stream, &body, NULL);
}

static void give(struct stream *stream)
{
    stream->ops->close(stream, FAULT_NONE);
    turn();
}

/* --- the endpoint --- */

/* The connection that was dialled last. */
static struct server *serve(void)
{
    struct server *server = &servers[server_count++];
    memset(server, 0, offsetof(struct server, heard) + offsetof(struct heard, text));
    server->fd = accept_next(listening);
    return server;
}

static bool nobody_dials(void)
{
    turn_for(20 * 1000);
    return accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) < 0;
}

static void say_frame(struct server *server, unsigned char type, unsigned char flags, struct slice payload)
{
    char frame[64] = {0, 0, (char)payload.len, (char)type, (char)flags};
    assert_true(payload.len <= sizeof frame - 9);
    if (payload.len > 0)
        memcpy(frame + 9, payload.at, payload.len);
    say_bytes(server->fd, frame, 9 + payload.len);
}

/* Its SETTINGS: how many streams it takes. */
static void greet(struct server *server, unsigned char streams)
{
    const char setting[] = {0, 3, 0, 0, 0, (char)streams};
    say_frame(server, TYPE_SETTINGS, 0, slice_make(setting, sizeof setting));
}

static void leave(struct server *server, unsigned char last_stream)
{
    const char payload[] = {0, 0, 0, (char)last_stream, 0, 0, 0, 0};
    say_frame(server, TYPE_GOAWAY, 0, slice_make(payload, sizeof payload));
}

/* How many frames of the type have come, answers not counted; the payload of the last frame is kept. */
static unsigned heard_of(struct server *server, unsigned char type)
{
    unsigned count = 0;
    size_t at = PREFACE_LEN;
    hear(server->fd, &server->heard);
    while (at + 9 <= server->heard.len) {
        const unsigned char *frame = (const unsigned char *)server->heard.text + at;
        size_t len = (size_t)frame[1] << 8 | frame[2];
        at += 9 + len;
        if (at > server->heard.len)
            break;
        count += frame[3] == type && !(type == TYPE_PING && frame[4] & 1);
        server->last_payload = frame + 9;
    }
    return count;
}

static bool is_closed(struct server *server)
{
    turn();
    hear(server->fd, &server->heard);
    return server->heard.eof || server->heard.error;
}

/* --- sharing --- */

static void streams_share_a_connection(void **state)
{
    (void)state;
    struct stream *streams[3] = {take(false), take(false)};
    struct server *server = serve();
    assert_int_equal(streams[0]->facts, 0);
    greet(server, 100);
    TURN_UNTIL(streams[0]->facts & streams[1]->facts & STREAM_OPEN);
    streams[2] = take(false);
    assert_true(streams[2]->facts & STREAM_OPEN);
    assert_true(streams[2]->reused && !streams[0]->reused);
    assert_true(nobody_dials());
    assert_int_equal(endpoint->channels.count, 1);
    for (unsigned i = 0; i < 3; i++)
        give(streams[i]);
}

static void beyond_the_limit_another_one_is_dialled(void **state)
{
    (void)state;
    struct stream *first = take(false);
    struct server *server = serve();
    greet(server, 2);
    TURN_UNTIL(first->facts & STREAM_OPEN);
    struct stream *second = take(false), *third = take(false);
    assert_true(second->facts & STREAM_OPEN);
    assert_int_equal(third->facts, 0);
    struct server *other = serve();
    greet(other, 2);
    TURN_UNTIL(third->facts & STREAM_OPEN);
    give(first); /* there is room on the first connection again */
    struct stream *fourth = take(false);
    assert_true(fourth->facts & STREAM_OPEN);
    struct stream *fifth = take(false);
    assert_true(fifth->facts & STREAM_OPEN);
    assert_true(nobody_dials());
    give(second);
    give(third);
    give(fourth);
    give(fifth);
}

/* What the server allows is remembered: while a second connection is being dialled no more streams wait for
 * it than it will take. */
static void the_limit_is_expected_of_the_next_connection(void **state)
{
    (void)state;
    struct stream *streams[5] = {take(false)};
    greet(serve(), 1);
    TURN_UNTIL(streams[0]->facts & STREAM_OPEN);
    for (unsigned i = 1; i < 4; i++)
        streams[i] = take(false);
    assert_int_equal(endpoint->channels.count, 4);
    for (unsigned i = 1; i < 4; i++)
        greet(serve(), 1);
    TURN_UNTIL(streams[1]->facts & streams[2]->facts & streams[3]->facts & STREAM_OPEN);
    for (unsigned i = 0; i < 4; i++)
        give(streams[i]);
}

static void a_fresh_one_is_dialled_for_whom_asks(void **state)
{
    (void)state;
    struct stream *first = take(false);
    greet(serve(), 100);
    TURN_UNTIL(first->facts & STREAM_OPEN);
    struct stream *second = take(true);
    assert_int_equal(second->facts, 0);
    struct server *other = serve();
    greet(other, 100);
    TURN_UNTIL(second->facts & STREAM_OPEN);
    assert_false(second->reused);
    give(first);
    give(second);
}

/* --- ends --- */

static void idle_ones_are_closed(void **state)
{
    (void)state;
    struct stream *stream = take(false);
    struct server *server = serve();
    greet(server, 100);
    TURN_UNTIL(stream->facts & STREAM_OPEN);
    pass(11 * SECOND_US);
    assert_false(is_closed(server)); /* it carries a stream */
    give(stream);
    pass(9 * SECOND_US);
    assert_false(is_closed(server));
    stream = take(false);
    give(stream);
    pass(9 * SECOND_US);
    assert_false(is_closed(server));
    pass(2 * SECOND_US);
    assert_true(is_closed(server));
    assert_int_equal(endpoint->channels.count, 0);
}

static void one_that_is_left_takes_no_more(void **state)
{
    (void)state;
    struct stream *first = take(false);
    struct server *server = serve();
    greet(server, 100);
    TURN_UNTIL(first->facts & STREAM_OPEN);
    ask(first);
    TURN_UNTIL(heard_of(server, TYPE_HEADERS) == 1);
    leave(server, 1);
    TURN_UNTIL(endpoint->channels.count == 0);
    struct stream *second = take(false);
    assert_int_equal(second->facts, 0);
    greet(serve(), 100);
    TURN_UNTIL(second->facts & STREAM_OPEN);
    assert_false(is_closed(server)); /* it owes an answer */
    assert_false(first->facts & STREAM_FAILED);
    give(first);
    TURN_UNTIL(is_closed(server));
    give(second);
}

static void one_that_ends_fails_its_streams(void **state)
{
    (void)state;
    struct stream *first = take(false), *second = take(false);
    struct server *server = serve();
    greet(server, 100);
    TURN_UNTIL(first->facts & STREAM_OPEN);
    shutdown(server->fd, SHUT_RDWR);
    TURN_UNTIL(first->facts & second->facts & STREAM_FAILED);
    assert_int_equal(first->fault, FAULT_upstream_refused_stream); /* nothing had been sent on it */
    give(first);
    assert_int_equal(endpoint->channels.count, 0);
    give(second);
}

static void retired_ones_are_closed_when_they_carry_nothing(void **state)
{
    (void)state;
    struct stream *stream = take(false);
    struct server *server = serve();
    greet(server, 100);
    TURN_UNTIL(stream->facts & STREAM_OPEN);
    channels_retire(endpoint);
    assert_int_equal(endpoint->channels.count, 0);
    assert_false(is_closed(server));
    give(stream);
    TURN_UNTIL(is_closed(server));
}

/* --- silence --- */

static void a_silent_server_is_asked(void **state)
{
    (void)state;
    struct stream *stream = take(false);
    struct server *server = serve();
    greet(server, 100);
    TURN_UNTIL(stream->facts & STREAM_OPEN);
    pass((KEEPALIVE_S - 5) * SECOND_US);
    assert_int_equal(heard_of(server, TYPE_PING), 0);
    pass(10 * SECOND_US);
    TURN_UNTIL(heard_of(server, TYPE_PING) == 1);
    say_frame(server, TYPE_PING, 1, slice_make((const char *)server->last_payload, 8));
    turn_for(10 * 1000);
    pass(2 * PING_ANSWER_S * SECOND_US);
    assert_false(is_closed(server));
    assert_int_equal(heard_of(server, TYPE_PING), 1);
    assert_false(stream->facts & STREAM_FAILED);
    give(stream);
}

static void a_silent_server_that_does_not_answer_is_left(void **state)
{
    (void)state;
    struct stream *stream = take(false);
    struct server *server = serve();
    greet(server, 100);
    TURN_UNTIL(stream->facts & STREAM_OPEN);
    pass((KEEPALIVE_S + 5) * SECOND_US);
    TURN_UNTIL(heard_of(server, TYPE_PING) == 1);
    pass((PING_ANSWER_S - 5) * SECOND_US);
    assert_false(stream->facts & STREAM_FAILED);
    pass(10 * SECOND_US);
    TURN_UNTIL(stream->facts & STREAM_FAILED);
    assert_int_equal(stream->fault, FAULT_between_bytes_timeout);
    assert_true(is_closed(server));
    give(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streams_share_a_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(beyond_the_limit_another_one_is_dialled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_limit_is_expected_of_the_next_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fresh_one_is_dialled_for_whom_asks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(idle_ones_are_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_left_takes_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_ends_fails_its_streams, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retired_ones_are_closed_when_they_carry_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_server_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_server_that_does_not_answer_is_left, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
