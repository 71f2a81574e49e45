/*
 * net/conn, bytes through a pipe: they stay in the socket until they are moved, keep their order behind what
 * is queued, and ends, failures and full sockets are told afterwards.
 */
#include "conn_owner.h"

#include <stdlib.h>

enum { LARGE = 8 * 1024 * 1024 };

static struct owner from, to;
static struct pipe *between;
static size_t most, moved_in, moved_out;

/* As a codec does: what has come goes into the pipe while that has room, and from there to the other. */
static void on_spliced(void *arg, unsigned facts)
{
    struct owner *owner = arg;
    if (owner->told < FACTS_MAX)
        owner->facts[owner->told++] = fact_letter(facts);
    if (facts == CONN_FAILED)
        conn_close(&owner->conn);
    if (owner == &from && facts == CONN_RX && between->held < between->capacity)
        moved_in += conn_splice_in(from.conn, between, most - moved_in);
    else if (owner == &from && facts == CONN_RX)
        conn_pause(from.conn);
}

/* Everything that the pipe holds, as far as the socket takes it. */
static void pass_on(void)
{
    if (to.conn && between->held > 0)
        moved_out += conn_splice_out(to.conn, between, between->held);
    if (from.conn && between->held == 0)
        conn_resume(from.conn);
}

static void own_spliced(struct owner *owner)
{
    int ends[2];
    make_tcp_pair(ends);
    owner->other = ends[1];
    owner->conn = conn_accept(&loop, ends[0], (struct conn_owner){on_spliced, owner});
}

static int set_up(void **state)
{
    (void)state;
    memset(&from, 0, sizeof from);
    memset(&to, 0, sizeof to);
    start_loop();
    own_spliced(&from);
    own_spliced(&to);
    between = conn_take_pipe(from.conn);
    assert_non_null(between);
    conn_leave_unread(from.conn, true);
    most = LARGE;
    moved_in = moved_out = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    disown(&from);
    disown(&to);
    pipe_give(&between);
    stop_loop();
    return 0;
}

static char *sent, *got;
static size_t sent_len, got_len;

/* Both other ends do what they can at the moment; true when everything has arrived. */
static bool has_arrived(void)
{
    ssize_t n = send(from.other, sent + sent_len, LARGE - sent_len, MSG_DONTWAIT);
    sent_len += n > 0 ? (size_t)n : 0;
    pass_on();
    n = recv(to.other, got + got_len, LARGE - got_len, MSG_DONTWAIT);
    got_len += n > 0 ? (size_t)n : 0;
    return got_len == LARGE;
}

static void large_contents_arrive_whole(void **state)
{
    (void)state;
    sent = malloc(LARGE), got = malloc(LARGE);
    assert_true(sent && got);
    for (size_t i = 0; i < LARGE; i++)
        sent[i] = (char)(i * 2654435761u >> 13);
    sent_len = got_len = 0;
    TURN_UNTIL(has_arrived());
    assert_memory_equal(sent, got, LARGE);
    assert_int_equal(moved_in, LARGE);
    assert_int_equal(moved_out, LARGE);
    assert_int_equal(conn_tx_total(to.conn), LARGE);
    assert_int_equal(conn_unread(from.conn).len, 0);
    free(sent);
    free(got);
}

static void no_more_than_asked_for_is_moved(void **state)
{
    (void)state;
    most = 4;
    assert_int_equal(write(from.other, "bodynext", 8), 8);
    TURN_UNTIL(moved_in == 4);
    conn_leave_unread(from.conn, false);
    TURN_UNTIL(conn_unread(from.conn).len == 4);
    assert_memory_equal(conn_unread(from.conn).at, "next", 4);
    assert_int_equal(between->held, 4);
}

static void what_is_queued_goes_first(void **state)
{
    (void)state;
    assert_int_equal(write(from.other, "body", 4), 4);
    TURN_UNTIL(moved_in == 4);
    memcpy(conn_tx_reserve(to.conn, 5), "head ", 5);
    conn_tx_commit(to.conn, 5);
    assert_int_equal(conn_splice_out(to.conn, between, 4), 4);
    assert_int_equal(conn_tx_queued(to.conn), 0);
    assert_int_equal(conn_tx_total(to.conn), 9);
    char heard[16];
    TURN_UNTIL(recv(to.other, heard, sizeof heard, MSG_PEEK | MSG_DONTWAIT) == 9);
    assert_memory_equal(heard, "head body", 9);
}

/* What is queued does not fit, so nothing of the pipe goes before it; when there is room, that is told. */
static void a_queue_that_does_not_fit_goes_first(void **state)
{
    (void)state;
    struct block *block = block_new(&loop.blocks, BLOCK_SIZE_LARGE);
    memset(block->data, 'q', BLOCK_SIZE_LARGE);
    assert_int_equal(write(from.other, "body", 4), 4);
    TURN_UNTIL(moved_in == 4);
    while (conn_tx_has_room(to.conn)) {
        conn_tx_slice(to.conn, block, 0, BLOCK_SIZE_LARGE);
        turn();
    }
    block_unref(&block);
    assert_int_equal(conn_splice_out(to.conn, between, 4), 0);
    assert_null(strchr(to.facts, 'D'));
    static char heard[256 * 1024];
    for (size_t all = conn_tx_total(to.conn) + conn_tx_queued(to.conn), len = 0; len < all;) {
        TURN_UNTIL(recv(to.other, heard, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
        ssize_t part = recv(to.other, heard, sizeof heard, MSG_DONTWAIT);
        assert_null(memchr(heard, 'b', (size_t)part));
        len += (size_t)part;
    }
    TURN_UNTIL(strchr(to.facts, 'D') != NULL);
    assert_int_equal(conn_splice_out(to.conn, between, 4), 4);
    TURN_UNTIL(recv(to.other, heard, sizeof heard, MSG_PEEK | MSG_DONTWAIT) == 4);
    assert_memory_equal(heard, "body", 4);
}

static void the_end_is_told_after_the_bytes(void **state)
{
    (void)state;
    assert_int_equal(write(from.other, "last", 4), 4);
    shutdown(from.other, SHUT_WR);
    TURN_UNTIL(conn_at_eof(from.conn));
    assert_int_equal(moved_in, 4);
    assert_string_equal(from.facts + strlen(from.facts) - 1, "E");
}

static void a_reset_is_told(void **state)
{
    (void)state;
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(from.other, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(from.other);
    from.other = -1;
    TURN_UNTIL(from.conn == NULL);
    assert_string_equal(from.facts + strlen(from.facts) - 1, "F");
}

static void a_reader_that_has_gone_is_told_later(void **state)
{
    (void)state;
    assert_int_equal(write(from.other, "body", 4), 4);
    TURN_UNTIL(moved_in == 4);
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(to.other, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(to.other);
    to.other = -1;
    for (int tries = 0; tries < 100 && to.conn; tries++) {
        if (between->held > 0)
            conn_splice_out(to.conn, between, between->held);
        assert_non_null(to.conn); /* never from inside the call */
        turn();
    }
    assert_null(to.conn);
}

/* A pipe has room for so many parts, however short: then the conn waits until it is emptied. */
static void a_full_pipe_pauses(void **state)
{
    (void)state;
    for (unsigned parts = 0; parts < 5000 && !conn_is_paused(from.conn); parts++) {
        assert_int_equal(write(from.other, "x", 1), 1);
        turn();
    }
    assert_true(conn_is_paused(from.conn));
    uint32_t held = between->held;
    assert_true(held > 0);
    assert_int_equal(conn_splice_out(to.conn, between, held), held);
    conn_resume(from.conn);
    TURN_UNTIL(between->held > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_contents_arrive_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_than_asked_for_is_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_queued_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_queue_that_does_not_fit_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_is_told_after_the_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_has_gone_is_told_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_pipe_pauses, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
