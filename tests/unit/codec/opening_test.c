/*
 * codec/opening: handshakes take their turns, who goes when there are too many of them, and that every one
 * that fails is counted under one name.
 */
#include "codec/opening.h"

#include "inbound_scene.h"

#include "../certificates.h"

#include <openssl/ssl.h>

enum { OPENINGS = 8, CROWD = 32, CLIENTS_MAX = 40 };

static const struct session_entrance entrance = {.tls = true};
static int clients[CLIENTS_MAX]; /* their ends */
static unsigned came;
static SSL_CTX *client_ctx;

static int start(void **state)
{
    (void)state;
    static const char *const names[] = {"one.test", NULL};
    start_home();
    struct tls_context *server = make_server(names, (struct tls_settings){.offer_h2 = true});
    session_home_set_tls(&home, server);
    tls_context_unref(&server);
    home.settings.openings_max = OPENINGS;
    memset(&loop_counts, 0, sizeof loop_counts);
    came = 0;
    client_ctx = SSL_CTX_new(TLS_client_method());
    return 0;
}

static int stop(void **state)
{
    (void)state;
    while (came > 0)
        if (clients[--came] >= 0)
            close(clients[came]);
    SSL_CTX_free(client_ctx);
    stop_home();
    return 0;
}

static int make_files(void **state)
{
    (void)state;
    open_certificates();
    make_certificate((struct making){.name = "one.test", .alternatives = "DNS:one.test"});
    return 0;
}

static uint64_t ended_with(enum fault fault)
{
    return loop_counts.value[COUNTER_CAUSES + fault];
}

/* Another client connects: its number. */
static unsigned come_to_open(const struct session_entrance *through)
{
    int ends[2];
    struct address remote;
    assert_true(address_from_literal(SLICE("192.0.2.1"), 4711, &remote));
    make_pair(ends);
    session_open(&home, through, ends[0], &remote, (struct crowd_place){0});
    clients[came] = ends[1];
    return came++;
}

static bool is_closed(unsigned number)
{
    char byte;
    return recv(clients[number], &byte, 1, MSG_PEEK) == 0;
}

/* Sockets that OpenSSL reads and writes. */
static SSL *begin_handshake(unsigned number)
{
    SSL *ssl = SSL_new(client_ctx);
    SSL_set_fd(ssl, clients[number]);
    SSL_set_connect_state(ssl);
    assert_int_equal(SSL_do_handshake(ssl), -1);
    return ssl;
}

static void a_handshake_ends_in_http(void **state)
{
    (void)state;
    SSL *ssl = begin_handshake(come_to_open(&entrance));
    TURN_UNTIL(SSL_do_handshake(ssl) == 1);
    TURN_UNTIL(home.openings.count == 0);
    assert_int_equal(session_home_count(&home), 1);
    assert_int_equal(loop_counts.value[COUNTER_tls_handshakes], 1);
    assert_int_equal(loop_counts.value[COUNTER_openings_failed], 0);
    SSL_free(ssl);
}

static unsigned answered(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < came; i++)
        count += recv(clients[i], &(char){0}, 1, MSG_PEEK) == 1;
    return count;
}

/* Bytes that are there are looked at in one turn, but the work that they ask for is shared out: a turn
 * without other work takes a step or more of it, but never as many as there may be. */
static void handshakes_take_turns(void **state)
{
    (void)state;
    SSL *ssl[CROWD];
    home.settings.openings_max = CROWD;
    for (unsigned i = 0; i < CROWD; i++)
        ssl[i] = begin_handshake(come_to_open(&entrance));
    for (unsigned turns = 0, before = 0; before < CROWD; turns++) {
        clock_turn(&loop.clock);
        event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        task_drain(&loop.tasks);
        loop.clock.now_us = clock_monotonic_us() + SECOND_US; /* no time has passed */
        loop.clock.fresh = true;
        conn_take_handshakes(&loop);
        task_drain(&loop.tasks);
        assert_in_range(answered(), before + 1, turns == 0 ? CROWD - 1 : CROWD);
        before = answered();
    }
    for (unsigned i = 0; i < CROWD; i++)
        TURN_UNTIL(SSL_do_handshake(ssl[i]) == 1);
    for (unsigned i = 0; i < CROWD; i++)
        SSL_free(ssl[i]);
}

static void the_most_patient_goes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < OPENINGS; i++)
        come_to_open(&entrance);
    SSL *first = begin_handshake(0); /* it is the oldest, but it has come a step further */
    TURN_UNTIL(recv(clients[0], &(char){0}, 1, MSG_PEEK) == 1);
    assert_int_equal(home.openings.count, OPENINGS);
    come_to_open(&entrance);
    come_to_open(&entrance);
    assert_true(is_closed(1) && is_closed(2));
    assert_int_equal(home.openings.count, OPENINGS);
    assert_int_equal(ended_with(FAULT_handshakes_full), 2);
    assert_int_equal(loop_counts.value[COUNTER_openings_failed], 2);
    TURN_UNTIL(SSL_do_handshake(first) == 1);
    SSL_free(first);
}

static void newcomers_are_refused_when_all_wait_for_us(void **state)
{
    (void)state;
    SSL *ssl[OPENINGS];
    for (unsigned i = 0; i < OPENINGS; i++)
        ssl[i] = begin_handshake(come_to_open(&entrance));
    event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK); /* every hello is seen, none is answered */
    assert_int_equal(loop.handshakes.count, OPENINGS);
    unsigned newcomer = come_to_open(&entrance);
    assert_true(is_closed(newcomer));
    assert_int_equal(ended_with(FAULT_handshakes_full), 1);
    for (unsigned i = 0; i < OPENINGS; i++) {
        TURN_UNTIL(SSL_do_handshake(ssl[i]) == 1);
        SSL_free(ssl[i]);
    }
    TURN_UNTIL(home.openings.count == 0);
}

/* A client that hangs up while its handshake waits for its turn. */
static void a_waiting_handshake_can_end(void **state)
{
    (void)state;
    SSL *ssl = begin_handshake(come_to_open(&entrance));
    event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_int_equal(loop.handshakes.count, 1);
    session_home_kill(&home);
    assert_int_equal(loop.handshakes.count, 0);
    turn();
    assert_int_equal(home.openings.count, 0);
    SSL_free(ssl);
    ssl = begin_handshake(come_to_open(&entrance));
    event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    SSL_free(ssl);
    close(clients[1]);
    clients[1] = -1;
    TURN_UNTIL(home.openings.count == 0);
    assert_int_equal(ended_with(FAULT_handshake_failed), 1);
}

static void every_end_has_a_name(void **state)
{
    (void)state;
    static const struct {
        struct session_entrance entrance;
        const char *said; /* NULL: nothing, for as long as it takes */
        enum fault fault;
    } rows[] = {
        {{.tls = true}, "\x16\x03\x01\x00\x02\x01\x00", FAULT_handshake_failed},
        {{.tls = true}, "\x80\x2e", FAULT_handshake_failed},
        {{.tls = true}, NULL, FAULT_opening_timeout},
        {{.proxy_protocol = true}, NULL, FAULT_untrusted_proxy},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned number = come_to_open(&rows[i].entrance);
        if (rows[i].said)
            say(clients[number], rows[i].said);
        turn();
        if (rows[i].said)
            shutdown(clients[number], SHUT_WR);
        else
            pass(11 * SECOND_US);
        TURN_UNTIL(home.openings.count == 0);
        assert_int_equal(ended_with(rows[i].fault), i == 1 ? 2 : 1);
    }
    assert_int_equal(loop_counts.value[COUNTER_openings_failed], sizeof rows / sizeof *rows);
}

static const struct stream_client *client_of_next(unsigned index)
{
    return next_request(index)->stream->client;
}

/* HTTP in clear where TLS is spoken: a session like others, whose requests say why they are refused. */
static void plain_http_on_a_tls_port_is_refused_as_http(void **state)
{
    (void)state;
    unsigned plain = come_to_open(&entrance);
    say(clients[plain], GET("/"));
    assert_int_equal(client_of_next(0)->refusal, FAULT_plain_on_tls);
    assert_null(client_of_next(0)->tls);
    assert_int_equal(home.openings.count, 0);
    assert_int_equal(home.refused, 0);
    assert_int_equal(loop_counts.value[COUNTER_openings_failed], 0);
    close_request(&asked[0], FAULT_plain_on_tls);
    TURN_UNTIL(is_closed(plain));
}

/* Clients beyond their connections: told in HTTP where it costs little, and only so many of them. */
static void one_connection_too_many_is_refused_as_http(void **state)
{
    (void)state;
    enum { TOLD = 3 };
    const struct session_entrance clear = {.tls = false};
    struct crowd *crowd = crowd_new();
    crowd_bound(crowd, &(struct crowd_bounds){.client = 1});
    struct address remote;
    assert_true(address_from_literal(SLICE("192.0.2.1"), 4711, &remote));
    for (unsigned i = 0; i <= TOLD; i++) {
        int ends[2];
        make_pair(ends);
        struct crowd_place place;
        assert_true(crowd_enter(crowd, &place));
        session_open(&home, i == TOLD ? &entrance : &clear, ends[0], &remote, place);
        clients[came] = ends[1];
        if (i < TOLD)
            say(clients[came], GET("/"));
        came++;
    }
    for (unsigned i = 0; i < TOLD; i++)
        assert_int_equal(client_of_next(i)->refusal, i == 0 ? FAULT_NONE : FAULT_too_many_connections);
    assert_int_equal(home.refused, TOLD - 1);
    assert_true(is_closed(TOLD)); /* it asked for a handshake */
    assert_int_equal(ended_with(FAULT_too_many_connections), 1);
    for (unsigned i = 0; i < TOLD; i++)
        close_request(&asked[i], asked[i].stream->client->refusal);
    session_home_kill(&home);
    turn();
    assert_int_equal(home.refused, 0);
    crowd_free(&crowd);
}

/* The same behind a balancer, whose header names the client: who is told is counted once, and given back. */
static void one_connection_too_many_behind_a_balancer(void **state)
{
    (void)state;
    const struct session_entrance balanced = {.proxy_protocol = true};
    const struct address balancer = {.un.sun_family = AF_UNIX, .len = sizeof(sa_family_t)};
    struct crowd *crowd = crowd_new();
    crowd_bound(crowd, &(struct crowd_bounds){.client = 1});
    for (unsigned i = 0; i < 2; i++) {
        int ends[2];
        make_pair(ends);
        struct crowd_place place;
        assert_true(crowd_enter(crowd, &place));
        session_open(&home, &balanced, ends[0], &balancer, place);
        clients[came] = ends[1];
        say(clients[came++], "PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n" GET("/"));
    }
    assert_int_equal(client_of_next(0)->refusal, FAULT_NONE);
    assert_int_equal(client_of_next(1)->refusal, FAULT_too_many_connections);
    assert_int_equal(home.refused, 1);
    for (unsigned i = 0; i < 2; i++)
        close_request(&asked[i], asked[i].stream->client->refusal);
    session_home_kill(&home);
    turn();
    assert_int_equal(home.refused, 0);
    crowd_free(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_handshake_ends_in_http, start, stop),
        cmocka_unit_test_setup_teardown(handshakes_take_turns, start, stop),
        cmocka_unit_test_setup_teardown(the_most_patient_goes, start, stop),
        cmocka_unit_test_setup_teardown(newcomers_are_refused_when_all_wait_for_us, start, stop),
        cmocka_unit_test_setup_teardown(a_waiting_handshake_can_end, start, stop),
        cmocka_unit_test_setup_teardown(every_end_has_a_name, start, stop),
        cmocka_unit_test_setup_teardown(plain_http_on_a_tls_port_is_refused_as_http, start, stop),
        cmocka_unit_test_setup_teardown(one_connection_too_many_is_refused_as_http, start, stop),
        cmocka_unit_test_setup_teardown(one_connection_too_many_behind_a_balancer, start, stop),
    };
    return cmocka_run_group_tests(tests, make_files, remove_certificates);
}
