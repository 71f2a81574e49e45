/*
 * net/tls over TCP: when the last words of a handshake leave. A ticket is sent with the answer to a client
 * that has asked already, and at once to one that has not.
 */
#include "net/tls.h"

#include "base/clock.h"

#include "../certificates.h"
#include "../sockets.h"

#include <limits.h>

/* The kernel holds back what more shall follow for 200 ms. */
enum { HELD_MS = 100, TRIES = 50 };

/* A client that has just ended its handshake, and a server that has not heard of it yet. */
struct meeting {
    struct tls_context *context;
    struct tls_dialer *dialer;
    int near, far; /* the server's socket, the client's */
    struct tls *server, *client;
};

static int make_files(void **state)
{
    (void)state;
    open_certificates();
    make_certificate((struct making){.name = "one", .alternatives = "DNS:one.test"});
    return 0;
}

static void connect_ends(struct meeting *meeting)
{
    int ends[2];
    make_tcp_pair(ends);
    meeting->far = ends[0];
    meeting->near = ends[1];
    send_at_once(meeting->far);
    send_at_once(meeting->near);
}

/* Does its part of the handshake once it has heard of the other side. */
static enum tls_result hear_and_shake(struct tls *tls, int fd)
{
    await_readable(fd);
    return tls_handshake(tls);
}

static struct meeting meet(void)
{
    static const char *const names[] = {"one", NULL};
    struct tls_client_settings settings = {.verify = false};
    struct tls_error error;
    struct tls_client *client = tls_client_new(&settings, &error);
    struct meeting meeting = {.context = make_server(names, (struct tls_settings){.offer_h2 = false}),
                              .dialer = tls_dialer_new(client)};
    tls_client_unref(&client);
    connect_ends(&meeting);
    meeting.server = tls_accept(meeting.context, meeting.near);
    meeting.client = tls_connect(meeting.dialer, meeting.far);
    assert_int_equal(tls_handshake(meeting.client), TLS_WANT_READ);
    assert_int_equal(hear_and_shake(meeting.server, meeting.near), TLS_WANT_READ);
    assert_int_equal(hear_and_shake(meeting.client, meeting.far), TLS_OK);
    return meeting;
}

static void part(struct meeting *meeting)
{
    tls_free(&meeting->client);
    tls_free(&meeting->server);
    close(meeting->near);
    close(meeting->far);
    tls_dialer_unref(&meeting->dialer);
    tls_context_unref(&meeting->context);
}

static void say(struct tls *tls, const char *text)
{
    size_t sent = 0;
    assert_int_equal(tls_write(tls, slice_of(text), false, &sent), TLS_OK);
    assert_int_equal(sent, strlen(text));
}

static void hear(struct tls *tls, int fd, const char *text)
{
    char got[16];
    size_t len = 0;
    while (tls_read(tls, got, sizeof got, &len) == TLS_WANT_READ)
        await_readable(fd);
    tls_settle(tls);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(got, text, len);
}

/* What the client does in the same breath as its part of the handshake. */
enum asking { SILENT, ASKING, ANSWERED };

/* Milliseconds from the end of the server's part until the client gets more. */
static unsigned wait_for_ticket(enum asking asking)
{
    struct meeting meeting = meet();
    if (asking != SILENT)
        say(meeting.client, "ask");
    uint64_t began_us = clock_monotonic_us();
    assert_int_equal(hear_and_shake(meeting.server, meeting.near), TLS_OK);
    if (asking == ANSWERED) {
        hear(meeting.server, meeting.near, "ask");
        say(meeting.server, "answer");
        hear(meeting.client, meeting.far, "answer");
    } else {
        await_readable(meeting.far);
    }
    uint64_t took_us = clock_monotonic_us() - began_us;
    part(&meeting);
    return (unsigned)(took_us / 1000);
}

/* One try of many is enough: a busy machine makes it later, never sooner. */
static void expect_soon(enum asking asking)
{
    unsigned soonest = UINT_MAX;
    for (int i = 0; i < TRIES && soonest >= HELD_MS; i++) {
        unsigned took = wait_for_ticket(asking);
        soonest = took < soonest ? took : soonest;
    }
    assert_in_range(soonest, 0, HELD_MS - 1);
}

static void who_has_not_asked_gets_the_ticket_at_once(void **state)
{
    (void)state;
    expect_soon(SILENT);
}

static void who_has_asked_gets_it_with_the_answer(void **state)
{
    (void)state;
    expect_soon(ANSWERED);
}

static void or_after_a_while(void **state)
{
    (void)state;
    assert_in_range(wait_for_ticket(ASKING), HELD_MS, PAIR_PATIENCE_MS);
}

/* Full records until one has not all left; gives how many bytes they carry. */
static size_t write_until_full(struct tls *tls)
{
    static char bytes[TLS_RECORD_MAX];
    size_t total = 0, taken = 0;
    enum tls_result result;
    do {
        memset(bytes, (int)(total / sizeof bytes), sizeof bytes);
        result = tls_write(tls, slice_make(bytes, sizeof bytes), true, &taken);
        assert_int_equal(taken, sizeof bytes);
        total += taken;
    } while (result == TLS_OK);
    assert_int_equal(result, TLS_WANT_WRITE);
    return total;
}

/* What is there of the same; gives how far it is. */
static size_t read_on(struct tls *tls, size_t from)
{
    static char bytes[TLS_RECORD_MAX];
    size_t got = 0;
    while (tls_read(tls, bytes, sizeof bytes, &got) == TLS_OK) {
        for (size_t i = 0; i < got; i++)
            assert_int_equal((unsigned char)bytes[i], (unsigned char)((from + i) / sizeof bytes));
        from += got;
    }
    tls_settle(tls);
    return from;
}

static void a_record_that_has_not_all_left_is_taken_all_the_same(void **state)
{
    (void)state;
    struct meeting meeting = meet();
    size_t got = 0;
    assert_int_equal(hear_and_shake(meeting.server, meeting.near), TLS_OK);
    size_t written = write_until_full(meeting.server);
    assert_int_equal(tls_flush(meeting.server), TLS_WANT_WRITE);
    while (tls_flush(meeting.server) == TLS_WANT_WRITE)
        got = read_on(meeting.client, got);
    while (got < written) {
        await_readable(meeting.far);
        got = read_on(meeting.client, got);
    }
    assert_int_equal(got, written);
    say(meeting.server, "on");
    hear(meeting.client, meeting.far, "on");
    part(&meeting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_not_asked_gets_the_ticket_at_once),
        cmocka_unit_test(who_has_asked_gets_it_with_the_answer),
        cmocka_unit_test(or_after_a_while),
        cmocka_unit_test(a_record_that_has_not_all_left_is_taken_all_the_same),
    };
    return cmocka_run_group_tests(tests, make_files, remove_certificates);
}
