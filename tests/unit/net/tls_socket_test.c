/*
 * net/tls_socket on real sockets: what it asks the kernel for, what it keeps for later, what leaves together,
 * and what OpenSSL learns of ends and errors.
 */
#include "net/tls_socket.h"

#include "../sockets.h"

#include <errno.h>
#include <string.h>

enum { LARGE = 20000 };

/* A BIO on one end of a connection, and the other end. */
struct line {
    BIO *bio;
    int near, far;
};

static struct line line_new(void)
{
    int ends[2];
    make_pair(ends);
    return (struct line){tls_socket_new(ends[0], NULL), ends[0], ends[1]};
}

static void line_free(struct line *line)
{
    BIO_free(line->bio);
    close(line->near);
    close(line->far);
}

static void say(const struct line *line, const char *text)
{
    assert_int_equal(write(line->far, text, strlen(text)), strlen(text));
}

static void expect_read(BIO *bio, int room, const char *text)
{
    char got[64];
    assert_true(room <= (int)sizeof got);
    assert_int_equal(BIO_read(bio, got, room), strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void test_one_read_brings_everything(void **state)
{
    (void)state;
    struct line line = line_new();
    char left;
    say(&line, "headRECORD");
    expect_read(line.bio, 4, "head");
    assert_true(tls_socket_has_ahead(line.bio));
    assert_int_equal(recv(line.near, &left, 1, MSG_PEEK), -1); /* nothing is left in the kernel */
    expect_read(line.bio, 60, "RECORD");
    assert_false(tls_socket_has_ahead(line.bio));
    tls_socket_settle(line.bio);
    assert_int_equal(BIO_read(line.bio, &left, 1), -1);
    assert_true(BIO_should_read(line.bio));
    line_free(&line);
}

static void test_what_is_left_survives_another_connection(void **state)
{
    (void)state;
    struct line one = line_new(), other = line_new();
    say(&one, "aONE");
    say(&other, "bOTHER");
    expect_read(one.bio, 1, "a");
    tls_socket_settle(one.bio);
    expect_read(other.bio, 1, "b");
    tls_socket_settle(other.bio);
    expect_read(one.bio, 1, "O");
    tls_socket_settle(one.bio);
    expect_read(other.bio, 9, "OTHER");
    expect_read(one.bio, 9, "NE");
    say(&one, "c");
    tls_socket_settle(one.bio);
    expect_read(one.bio, 9, "c");
    line_free(&one);
    line_free(&other);
}

static void test_who_asks_for_much_is_served_directly(void **state)
{
    (void)state;
    struct line line = line_new();
    static char sent[LARGE], got[LARGE];
    memset(sent, 'x', sizeof sent);
    assert_int_equal(write(line.far, sent, sizeof sent), sizeof sent);
    assert_int_equal(BIO_read(line.bio, got, LARGE / 2), LARGE / 2);
    assert_false(tls_socket_has_ahead(line.bio));
    assert_int_equal(BIO_read(line.bio, got + LARGE / 2, LARGE), LARGE / 2);
    assert_memory_equal(sent, got, LARGE);
    line_free(&line);
}

static void test_the_end_is_told_after_the_bytes(void **state)
{
    (void)state;
    struct line line = line_new();
    say(&line, "last");
    shutdown(line.far, SHUT_WR);
    expect_read(line.bio, 2, "la");
    assert_false(BIO_eof(line.bio));
    expect_read(line.bio, 9, "st");
    char none;
    assert_int_equal(BIO_read(line.bio, &none, 1), 0);
    assert_false(BIO_should_retry(line.bio));
    assert_true(BIO_eof(line.bio));
    line_free(&line);
}

static void test_writing_to_nobody_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct line line = line_new();
    shutdown(line.far, SHUT_RD);
    assert_int_equal(BIO_write(line.bio, "x", 1), -1);
    assert_false(BIO_should_retry(line.bio));
    line_free(&line);
}

static void test_a_full_socket_is_to_be_asked_again(void **state)
{
    (void)state;
    struct line line = line_new();
    static char bytes[LARGE];
    while (BIO_write(line.bio, bytes, LARGE) > 0)
        ;
    assert_true(BIO_should_write(line.bio));
    line_free(&line);
}

/* Over TCP: without MSG_MORE whatever is written leaves at once. */
static struct line tcp_line(void)
{
    int ends[2];
    make_tcp_pair(ends);
    send_at_once(ends[0]);
    return (struct line){tls_socket_new(ends[0], NULL), ends[0], ends[1]};
}

static void test_what_more_follows_leaves_with_it(void **state)
{
    (void)state;
    struct line line = tcp_line();
    char got[8];
    tls_socket_begin_record(line.bio, true);
    assert_int_equal(BIO_write(line.bio, "one", 3), 3);
    assert_true(tls_socket_end_record(line.bio));
    assert_int_equal(recv(line.far, got, sizeof got, 0), -1);
    tls_socket_begin_record(line.bio, false);
    assert_int_equal(BIO_write(line.bio, "two", 3), 3);
    assert_true(tls_socket_end_record(line.bio));
    await_readable(line.far);
    assert_int_equal(recv(line.far, got, sizeof got, 0), 6);
    assert_memory_equal(got, "onetwo", 6);
    line_free(&line);
}

/* A record of bytes that count on from `*next`; whether all of it has left. */
static bool write_record(const struct line *line, unsigned char *next)
{
    unsigned char record[LARGE];
    for (unsigned i = 0; i < sizeof record; i++)
        record[i] = (*next)++;
    tls_socket_begin_record(line->bio, false);
    assert_int_equal(BIO_write(line->bio, record, sizeof record), sizeof record);
    return tls_socket_end_record(line->bio);
}

/* What is there of the same; gives how many bytes. */
static size_t read_some(const struct line *line, unsigned char *next)
{
    unsigned char got[LARGE];
    ssize_t len = recv(line->far, got, sizeof got, 0);
    for (ssize_t i = 0; i < len; i++)
        assert_int_equal(got[i], (*next)++);
    return len > 0 ? (size_t)len : 0;
}

static void test_what_is_left_of_a_record_goes_first(void **state)
{
    (void)state;
    struct line line = tcp_line();
    unsigned char written = 0, read = 0;
    size_t records = 1, got = 0;
    while (write_record(&line, &written))
        records++;
    assert_int_equal(tls_socket_flush(line.bio), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(BIO_write(line.bio, "x", 1), -1); /* not before it */
    assert_true(BIO_should_write(line.bio));
    while (tls_socket_flush(line.bio) != 0)
        got += read_some(&line, &read);
    assert_int_equal(BIO_write(line.bio, &written, 1), 1);
    while (got < records * LARGE + 1) {
        await_readable(line.far);
        got += read_some(&line, &read);
    }
    line_free(&line);
}

static void test_what_is_left_for_nobody_is_an_error(void **state)
{
    (void)state;
    struct line line = line_new();
    unsigned char written = 0;
    while (write_record(&line, &written))
        ;
    shutdown(line.far, SHUT_RD);
    assert_int_equal(tls_socket_flush(line.bio), -1);
    assert_int_equal(errno, EPIPE);
    line_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_read_brings_everything),
        cmocka_unit_test(test_what_is_left_survives_another_connection),
        cmocka_unit_test(test_who_asks_for_much_is_served_directly),
        cmocka_unit_test(test_the_end_is_told_after_the_bytes),
        cmocka_unit_test(test_writing_to_nobody_is_an_error_and_no_signal),
        cmocka_unit_test(test_a_full_socket_is_to_be_asked_again),
        cmocka_unit_test(test_what_more_follows_leaves_with_it),
        cmocka_unit_test(test_what_is_left_of_a_record_goes_first),
        cmocka_unit_test(test_what_is_left_for_nobody_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
