/*
 * net/tls_client with net/tls over pairs of sockets: whom a client trusts and why it refuses the others, what
 * it asks for, which sessions it goes on with; and handshakes that come byte by byte.
 */
#include "net/tls.h"

#include "../certificates.h"
#include "../sockets.h"

#include <openssl/ssl.h>
#include <errno.h>

enum { STEPS_MAX = 100 };

/* Both sides of a handshake and what became of it. */
struct meeting {
    int ends[2];
    struct tls *client, *server;
    enum tls_result said; /* by the client's side */
};

static int make_files(void **state)
{
    (void)state;
    open_certificates();
    make_certificate((struct making){.name = "ca", .is_authority = true});
    make_certificate((struct making){.name = "stranger", .is_authority = true});
    make_certificate((struct making){
        .name = "good", .issuer = "ca", .alternatives = "DNS:one.test,DNS:*.wild.test,IP:127.0.0.1"});
    make_certificate((struct making){
        .name = "old", .issuer = "ca", .alternatives = "DNS:one.test", .from_s = -2L * YEAR_S});
    make_certificate(
        (struct making){.name = "early", .issuer = "ca", .alternatives = "DNS:one.test", .from_s = YEAR_S});
    make_certificate(
        (struct making){.name = "foreign", .issuer = "stranger", .alternatives = "DNS:one.test"});
    make_certificate((struct making){.name = "alone", .alternatives = "DNS:one.test"});
    return 0;
}

static struct tls_context *server_of(const char *certificate, bool offer_h2)
{
    const char *names[] = {certificate, NULL};
    return make_server(names, (struct tls_settings){.offer_h2 = offer_h2});
}

static struct tls_dialer *dialer_of(struct tls_client_settings settings)
{
    struct tls_error error;
    struct tls_client *client = tls_client_new(&settings, &error);
    assert_non_null(client);
    struct tls_dialer *dialer = tls_dialer_new(client);
    tls_client_unref(&client);
    return dialer;
}

static struct tls_client_settings trusting(const char *server_name)
{
    return (struct tls_client_settings){
        .verify = true, .ca_path = path_of("ca", "pem"), .server_name = slice_of(server_name)};
}

static void shake_hands(struct meeting *meeting)
{
    enum tls_result server = TLS_WANT_READ;
    meeting->said = TLS_WANT_READ;
    for (int i = 0; i < STEPS_MAX && meeting->said != TLS_FAILED && (meeting->said || server); i++) {
        if (meeting->said != TLS_OK)
            meeting->said = tls_handshake(meeting->client);
        if (server != TLS_OK && server != TLS_FAILED)
            server = tls_handshake(meeting->server);
    }
}

static void meet(struct meeting *meeting, struct tls_context *server, struct tls_dialer *dialer)
{
    make_pair(meeting->ends);
    meeting->server = tls_accept(server, meeting->ends[0]);
    meeting->client = tls_connect(dialer, meeting->ends[1]);
    assert_true(meeting->server && meeting->client);
    shake_hands(meeting);
}

static void part(struct meeting *meeting)
{
    tls_free(&meeting->client);
    tls_free(&meeting->server);
    close(meeting->ends[0]);
    close(meeting->ends[1]);
}

/* The server says something, and the client reads it and what came before: the tickets. */
static void send_tickets(struct meeting *meeting)
{
    size_t done = 0;
    char text[8];
    assert_int_equal(tls_write(meeting->server, SLICE("hi"), false, &done), TLS_OK);
    assert_int_equal(tls_read(meeting->client, text, sizeof text, &done), TLS_OK);
    tls_settle(meeting->client);
    assert_int_equal(done, 2);
}

static void who_is_trusted(void **state)
{
    (void)state;
    static const struct {
        const char *certificate, *name;
        int refusal; /* 0: none */
    } rows[] = {
        {"good", "one.test", 0},
        {"good", "a.wild.test", 0},
        {"good", "127.0.0.1", 0},
        {"good", "", 0}, /* no name is expected: the signature decides */
        {"good", "two.test", ENOKEY},
        {"good", "b.a.wild.test", ENOKEY},
        {"good", "127.0.0.2", ENOKEY},
        {"old", "one.test", EKEYEXPIRED},
        {"early", "one.test", EKEYEXPIRED},
        {"foreign", "one.test", EKEYREJECTED},
        {"alone", "one.test", EKEYREJECTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tls_context *server = server_of(rows[i].certificate, false);
        struct tls_dialer *dialer = dialer_of(trusting(rows[i].name));
        struct meeting meeting;
        meet(&meeting, server, dialer);
        assert_int_equal(meeting.said, rows[i].refusal ? TLS_FAILED : TLS_OK);
        if (rows[i].refusal)
            assert_int_equal(tls_refusal(meeting.client), rows[i].refusal);
        part(&meeting);
        tls_dialer_unref(&dialer);
        tls_context_unref(&server);
    }
}

static void without_verification_anybody_is(void **state)
{
    (void)state;
    struct tls_context *server = server_of("alone", false);
    struct tls_dialer *dialer = dialer_of((struct tls_client_settings){.server_name = SLICE("two.test")});
    struct meeting meeting;
    meet(&meeting, server, dialer);
    assert_int_equal(meeting.said, TLS_OK);
    assert_true(slice_equal(tls_facts(meeting.server).server_name, SLICE("two.test")));
    part(&meeting);
    tls_dialer_unref(&dialer);
    tls_context_unref(&server);
}

static void an_address_is_not_asked_for(void **state)
{
    (void)state;
    struct tls_context *server = server_of("good", false);
    struct tls_dialer *dialer = dialer_of(trusting("127.0.0.1"));
    struct meeting meeting;
    meet(&meeting, server, dialer);
    assert_int_equal(tls_facts(meeting.server).server_name.len, 0);
    part(&meeting);
    tls_dialer_unref(&dialer);
    tls_context_unref(&server);
}

static void what_is_spoken(void **state)
{
    (void)state;
    for (int offer = 0; offer < 2; offer++) {
        struct tls_context *server = server_of("good", true);
        struct tls_client_settings settings = trusting("one.test");
        settings.offer_h2 = offer;
        struct tls_dialer *dialer = dialer_of(settings);
        struct meeting meeting;
        meet(&meeting, server, dialer);
        assert_int_equal(meeting.said, TLS_OK);
        assert_int_equal(tls_facts(meeting.client).h2, offer);
        assert_int_equal(tls_facts(meeting.server).h2, offer);
        part(&meeting);
        tls_dialer_unref(&dialer);
        tls_context_unref(&server);
    }
}

static void files_that_cannot_be_used(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *said;
    } rows[] = {{"key", "holds no certificate"}, {"missing", "No such file"}};
    for (size_t i = 0; i < 2; i++) {
        struct tls_error error = {.text = ""};
        struct tls_client_settings settings = trusting("one.test");
        settings.ca_path = path_of("ca", rows[i].kind);
        assert_null(tls_client_new(&settings, &error));
        assert_non_null(strstr(error.text, rows[i].said));
    }
}

/* A session of TLS 1.3 is for one connection: two that are opened at once do not share it. */
static void sessions_are_gone_on_with(void **state)
{
    (void)state;
    struct tls_context *server = server_of("good", false);
    struct tls_dialer *dialer = dialer_of(trusting("one.test")), *stranger = dialer_of(trusting("one.test"));
    struct meeting first, second, third;
    meet(&first, server, dialer);
    assert_false(tls_facts(first.client).resumed);
    send_tickets(&first);
    meet(&second, server, dialer);
    meet(&third, server, dialer);
    assert_true(tls_facts(second.client).resumed && tls_facts(second.server).resumed);
    assert_false(tls_facts(third.client).resumed);
    part(&third);
    send_tickets(&second);
    meet(&third, server, dialer);
    assert_true(tls_facts(third.client).resumed);
    part(&third);
    send_tickets(&first); /* nothing new in it */
    meet(&third, server, stranger);
    assert_false(tls_facts(third.client).resumed);
    part(&third);
    part(&second);
    part(&first);
    tls_dialer_unref(&stranger);
    tls_dialer_unref(&dialer);
    tls_context_unref(&server);
}

/* A session brings no trust with it: it goes on only with a server that can open it. */
static void another_server_cannot_go_on(void **state)
{
    (void)state;
    struct tls_context *server = server_of("good", false);
    struct tls_dialer *dialer = dialer_of(trusting("one.test"));
    struct meeting meeting;
    meet(&meeting, server, dialer);
    send_tickets(&meeting);
    part(&meeting);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_file(ctx, path_of("alone", "pem"), SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, path_of("alone", "key"), SSL_FILETYPE_PEM), 1);
    SSL *impostor = SSL_new(ctx);
    make_pair(meeting.ends);
    SSL_set_fd(impostor, meeting.ends[0]);
    meeting.client = tls_connect(dialer, meeting.ends[1]);
    meeting.server = NULL;
    enum tls_result said = TLS_WANT_READ;
    for (int i = 0; i < STEPS_MAX && said == TLS_WANT_READ; i++) {
        said = tls_handshake(meeting.client);
        SSL_accept(impostor);
    }
    assert_int_equal(said, TLS_FAILED);
    assert_int_equal(tls_refusal(meeting.client), EKEYREJECTED);
    part(&meeting);
    SSL_free(impostor);
    SSL_CTX_free(ctx);
    tls_dialer_unref(&dialer);
    tls_context_unref(&server);
}

/* Carries one byte, if there is one. */
static void carry(int from, int to)
{
    char byte;
    if (read(from, &byte, 1) == 1)
        assert_int_equal(write(to, &byte, 1), 1);
}

static void byte_by_byte(void **state)
{
    (void)state;
    struct tls_context *server = server_of("good", true);
    struct tls_dialer *dialer = dialer_of(trusting("one.test"));
    struct meeting meeting;
    int far[2];
    make_pair(meeting.ends);
    make_pair(far);
    meeting.server = tls_accept(server, meeting.ends[0]);
    meeting.client = tls_connect(dialer, far[0]);
    enum tls_result at_server = TLS_WANT_READ, at_client = TLS_WANT_READ;
    for (int i = 0; i < 20000 && (at_server || at_client); i++) {
        if (at_client != TLS_OK)
            at_client = tls_handshake(meeting.client);
        if (at_server != TLS_OK)
            at_server = tls_handshake(meeting.server);
        assert_true(at_client == TLS_OK || at_client == TLS_WANT_READ);
        assert_true(at_server == TLS_OK || at_server == TLS_WANT_READ);
        carry(far[1], meeting.ends[1]);
        carry(meeting.ends[1], far[1]);
    }
    assert_true(at_server == TLS_OK && at_client == TLS_OK);
    assert_true(slice_equal(tls_facts(meeting.server).server_name, SLICE("one.test")));
    part(&meeting);
    close(far[0]);
    close(far[1]);
    tls_dialer_unref(&dialer);
    tls_context_unref(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_trusted),
        cmocka_unit_test(without_verification_anybody_is),
        cmocka_unit_test(an_address_is_not_asked_for),
        cmocka_unit_test(what_is_spoken),
        cmocka_unit_test(files_that_cannot_be_used),
        cmocka_unit_test(sessions_are_gone_on_with),
        cmocka_unit_test(another_server_cannot_go_on),
        cmocka_unit_test(byte_by_byte),
    };
    return cmocka_run_group_tests(tests, make_files, remove_certificates);
}
