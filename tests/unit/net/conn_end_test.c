/*
 * net/conn, birth and death: dialling, failing while bytes are queued, what the other side said before it
 * went, and closing from inside of every fact.
 */
#include "conn_owner.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

static struct owner owner;

static int set_up(void **state)
{
    (void)state;
    memset(&owner, 0, sizeof owner);
    owner.other = -1;
    start_loop();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    disown(&owner);
    stop_loop();
    return 0;
}

static bool dial(const struct address *address)
{
    owner.conn = conn_dial(&loop, address, (struct conn_owner){on_facts, &owner});
    return owner.conn != NULL;
}

/* --- dialling --- */

static void a_dialled_conn_opens(void **state)
{
    (void)state;
    struct address address;
    int listening = listen_somewhere(&address);
    owner.keeps_bytes = true;
    assert_true(dial(&address));
    told(&owner, ""); /* never from inside */
    TOLD(&owner, "O");
    owner.other = accept_next(listening);
    close(listening);
    put_text(&owner, "there");
    HEAR(owner.other, &owner.heard, "there");
    say(owner.other, "and back");
    TOLD(&owner, "R");
    assert_true(slice_equal(conn_unread(owner.conn), SLICE("and back")));
}

/* The descriptor of ours whose other end `accepted` is. */
static int descriptor_of(int accepted)
{
    struct sockaddr_in there, here;
    socklen_t len = sizeof there;
    assert_int_equal(getpeername(accepted, (struct sockaddr *)&there, &len), 0);
    for (int fd = 0; fd < 1024; fd++) {
        len = sizeof here;
        if (getsockname(fd, (struct sockaddr *)&here, &len) == 0 && here.sin_family == AF_INET &&
            here.sin_port == there.sin_port)
            return fd;
    }
    return -1;
}

static void who_is_on_this_machine_needs_no_pacing(void **state)
{
    (void)state;
    struct address address;
    int listening = listen_somewhere(&address);
    assert_true(dial(&address));
    TOLD(&owner, "O");
    owner.other = accept_next(listening);
    close(listening);
    char name[16] = "";
    socklen_t len = sizeof name;
    assert_int_equal(getsockopt(descriptor_of(owner.other), IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "reno");
}

static void a_unix_socket_is_dialled(void **state)
{
    (void)state;
    char dir[] = "/tmp/portico-conn-XXXXXX", path[64];
    struct address address;
    memset(&address, 0, sizeof address);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/socket", dir);
    assert_true(address_from_unix_path(slice_of(path), &address));
    assert_false(dial(&address));
    assert_int_equal(errno, ENOENT);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, &address.any, address.len), 0);
    assert_false(dial(&address));
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(listen(listening, 1), 0);
    assert_true(dial(&address));
    TOLD(&owner, "O");
    owner.other = accept_next(listening);
    put_text(&owner, "there");
    HEAR(owner.other, &owner.heard, "there");
    close(listening);
    unlink(path);
    rmdir(dir);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct address address;
    close(listen_somewhere(&address));
    if (!dial(&address)) {
        assert_int_equal(errno, ECONNREFUSED);
        return;
    }
    told(&owner, "");
    TOLD(&owner, "F");
    assert_int_equal(conn_error(owner.conn), ECONNREFUSED);
}

static void closing_while_it_connects(void **state)
{
    (void)state;
    struct address address;
    int listening = listen_somewhere(&address);
    assert_true(dial(&address));
    conn_close(&owner.conn);
    assert_null(owner.conn);
    turn_for(10000);
    told(&owner, "");
    close(listening);
}

static void no_family_no_conn(void **state)
{
    (void)state;
    struct address address = {.len = sizeof(struct sockaddr)};
    address.any.sa_family = AF_UNSPEC;
    assert_false(dial(&address));
    assert_int_equal(errno, EAFNOSUPPORT);
}

/* --- closing inside of a fact --- */

static void closing_when_bytes_come(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.close_on = CONN_RX;
    owner.keeps_bytes = true;
    say(owner.other, "abc");
    TURN_UNTIL(owner.conn == NULL);
    told(&owner, "R");
    TURN_UNTIL(hear(owner.other, &owner.heard) && (owner.heard.eof || owner.heard.error));
}

static void closing_at_the_end(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.close_on = CONN_EOF;
    shutdown(owner.other, SHUT_WR);
    TURN_UNTIL(owner.conn == NULL);
    told(&owner, "E");
    HEAR_END(owner.other, &owner.heard);
}

static void closing_when_drained(void **state)
{
    (void)state;
    own_narrow(&owner);
    owner.close_on = CONN_DRAINED;
    put_block(&owner, 50000);
    conn_want_drained(owner.conn);
    conn_shutdown_tx(owner.conn);
    TURN_UNTIL(hear(owner.other, &owner.heard) && owner.heard.eof);
    assert_int_equal(owner.heard.len, 50000);
    assert_null(owner.conn);
    told(&owner, "D");
}

static void closing_when_drained_at_once(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.close_on = CONN_DRAINED;
    put_text(&owner, "abc");
    conn_want_drained(owner.conn);
    HEAR(owner.other, &owner.heard, "abc");
    assert_null(owner.conn);
    HEAR_END(owner.other, &owner.heard);
}

static void closing_when_failed(void **state)
{
    (void)state;
    own_tcp(&owner);
    owner.close_on = CONN_FAILED;
    reset_now(owner.other);
    owner.other = -1;
    TURN_UNTIL(owner.conn == NULL);
    told(&owner, "F");
}

static void closing_when_open(void **state)
{
    (void)state;
    struct address address;
    int listening = listen_somewhere(&address);
    owner.close_on = CONN_OPEN;
    assert_true(dial(&address));
    TURN_UNTIL(owner.conn == NULL);
    told(&owner, "O");
    owner.other = accept_next(listening);
    close(listening);
    HEAR_END(owner.other, &owner.heard);
}

static void closing_drops_what_is_queued(void **state)
{
    (void)state;
    own_narrow(&owner);
    struct block *block = counting_block(&owner, 60000);
    conn_tx_slice(owner.conn, block, 0, 60000);
    turn();
    assert_int_equal(block->refs, 2);
    put_text(&owner, "behind it");
    conn_close(&owner.conn);
    conn_close(&owner.conn);
    assert_int_equal(block->refs, 1);
    block_unref(&block);
    turn_for(5000);
    told(&owner, "");
    TURN_UNTIL(hear(owner.other, &owner.heard) && owner.heard.eof);
    assert_true(owner.heard.len < 60000);
}

static void a_reset_is_no_end(void **state)
{
    (void)state;
    own_tcp(&owner);
    put_text(&owner, "half of it");
    turn();
    conn_reset(&owner.conn);
    assert_null(owner.conn);
    TURN_UNTIL(hear(owner.other, &owner.heard) && (owner.heard.eof || owner.heard.error));
    assert_int_equal(owner.heard.error, ECONNRESET);
    told(&owner, "");
}

/* --- a write that fails --- */

/* The other side says something and goes; then something is written that nobody takes any more. */
static void say_and_go(const char *text)
{
    own_pair(&owner);
    turn();
    say(owner.other, text);
    close(owner.other);
    owner.other = -1;
    put_text(&owner, "to nobody");
    task_drain(&loop.tasks); /* the write comes before the loop has seen any of it */
}

static void what_was_said_before_is_read(void **state)
{
    (void)state;
    owner.keeps_bytes = true;
    say_and_go("an early answer");
    told(&owner, "REF");
    assert_int_equal(conn_error(owner.conn), EPIPE);
    assert_true(slice_equal(conn_unread(owner.conn), SLICE("an early answer")));
    turn_for(10000);
    told(&owner, "");
}

static void nothing_was_said_before(void **state)
{
    (void)state;
    say_and_go("");
    told(&owner, "EF");
    assert_int_equal(conn_error(owner.conn), EPIPE);
}

static void closing_while_the_rest_is_read(void **state)
{
    (void)state;
    static const unsigned facts[] = {CONN_RX, CONN_EOF, CONN_FAILED};
    static const char *const expected[] = {"R", "RE", "REF"};
    for (int i = 0; i < 3; i++) {
        memset(&owner, 0, sizeof owner);
        owner.close_on = facts[i];
        say_and_go("an early answer");
        assert_null(owner.conn);
        told(&owner, expected[i]);
        turn();
    }
}

/* Over TCP the other side resets, for it has not read everything; its answer is there nevertheless. */
static void an_answer_before_a_reset_is_read(void **state)
{
    (void)state;
    own_tcp(&owner);
    owner.keeps_bytes = true;
    put_text(&owner, "much that it does not read");
    turn();
    usleep(2000);
    say(owner.other, "413");
    close(owner.other);
    owner.other = -1;
    usleep(2000);
    put_text(&owner, "more");
    task_drain(&loop.tasks);
    assert_int_equal(owner.facts[0], 'R');
    assert_true(slice_equal(conn_unread(owner.conn), SLICE("413")));
    assert_int_equal(owner.facts[owner.told - 1], 'F');
    assert_int_not_equal(conn_error(owner.conn), 0);
}

static void the_rest_is_bounded(void **state)
{
    (void)state;
    static char bytes[12 * BLOCK_SIZE];
    own_pair(&owner);
    say_bytes(owner.other, bytes, sizeof bytes);
    close(owner.other);
    owner.other = -1;
    put_text(&owner, "to nobody");
    task_drain(&loop.tasks);
    assert_true(owner.told <= 8);
    assert_int_equal(owner.facts[owner.told - 1], 'F');
}

static void nothing_follows_a_failure(void **state)
{
    (void)state;
    own_narrow(&owner);
    conn_want_drained(owner.conn);
    turn();
    told(&owner, "D");
    put_block(&owner, 60000);
    turn();
    conn_want_drained(owner.conn);
    close(owner.other);
    owner.other = -1;
    TURN_UNTIL(conn_error(owner.conn) != 0);
    assert_int_equal(owner.facts[owner.told - 1], 'F');
    assert_null(strchr(owner.facts, 'D'));
    owner.told = 0;
    memset(owner.facts, 0, sizeof owner.facts);
    put_text(&owner, "lost");
    conn_pause(owner.conn);
    conn_resume(owner.conn);
    conn_shutdown_tx(owner.conn);
    conn_want_drained(owner.conn);
    turn_for(10000);
    told(&owner, "");
}

static void what_is_queued_while_it_connects_leaves(void **state)
{
    (void)state;
    struct address address;
    int listening = listen_somewhere(&address);
    assert_true(dial(&address));
    put_text(&owner, "early");
    conn_want_drained(owner.conn);
    TOLD(&owner, "OD");
    owner.other = accept_next(listening);
    close(listening);
    HEAR(owner.other, &owner.heard, "early");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_queued_while_it_connects_leaves),
        TEST(a_dialled_conn_opens),
        TEST(who_is_on_this_machine_needs_no_pacing),
        TEST(a_unix_socket_is_dialled),
        TEST(nobody_listens),
        TEST(closing_while_it_connects),
        TEST(no_family_no_conn),
        TEST(closing_when_bytes_come),
        TEST(closing_at_the_end),
        TEST(closing_when_drained),
        TEST(closing_when_drained_at_once),
        TEST(closing_when_failed),
        TEST(closing_when_open),
        TEST(closing_drops_what_is_queued),
        TEST(a_reset_is_no_end),
        TEST(what_was_said_before_is_read),
        TEST(nothing_was_said_before),
        TEST(closing_while_the_rest_is_read),
        TEST(an_answer_before_a_reset_is_read),
        TEST(the_rest_is_bounded),
        TEST(nothing_follows_a_failure),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
