/*
 * net/tls_context: handshakes in memory against certificates made on the spot: which one is shown for a name,
 * what is agreed on, what is refused, and that sessions are resumed for their own name only. The files that
 * cannot be loaded.
 */
#include "net/tls_context.h"

#include "net/tls_tickets.h"

#include "../certificates.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

/* How far the clock of durations is ahead: the C library's is behind this one. */
static time_t passed_s;

int clock_gettime(clockid_t id, struct timespec *now)
{
    long result = syscall(SYS_clock_gettime, id, now);
    if (id == CLOCK_MONOTONIC)
        now->tv_sec += passed_s;
    return (int)result;
}

static int make_folder(void **state)
{
    (void)state;
    open_certificates();
    make_certificate((struct making){.name = "one", .alternatives = "DNS:one.test,DNS:*.wild.test"});
    make_certificate((struct making){
        .name = "one-rsa", .alternatives = "DNS:*.wild.test,DNS:ONE.test", .key = EVP_RSA_gen(2048)});
    make_certificate((struct making){.name = "two", .alternatives = "DNS:two.test"});
    make_certificate((struct making){.name = "plain.test"});
    make_certificate((struct making){.name = "old", .alternatives = "DNS:old.test", .from_s = -2L * YEAR_S});
    return 0;
}

static struct tls_context *make(struct tls_settings settings)
{
    static const char *const names[] = {"one", "two", "one-rsa", "plain.test", NULL};
    return make_server(names, settings);
}

/* --- clients --- */

/* What a client wants and what it got. */
struct visit {
    const char *name, *ciphers;
    const unsigned char *alpn;
    unsigned alpn_len;
    int max_version;
    SSL_SESSION *session; /* to resume; replaced by the new one */

    bool done, reused;
    char shown[64]; /* common name of the server's certificate */
    char alpn_got[16], version[16];
    int alert;
};

static void note_alert(const SSL *ssl, int where, int value)
{
    struct visit *visit = SSL_get_app_data(ssl);
    if (where & SSL_CB_READ_ALERT)
        visit->alert = value & 0xff;
}

static int note_session(SSL *ssl, SSL_SESSION *session)
{
    struct visit *visit = SSL_get_app_data(ssl);
    SSL_SESSION_free(visit->session);
    visit->session = session;
    return 1;
}

static SSL_CTX *client_ctx(const struct visit *visit)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, note_session);
    SSL_CTX_set_info_callback(ctx, note_alert);
    if (visit->max_version)
        SSL_CTX_set_max_proto_version(ctx, visit->max_version);
    if (visit->ciphers) {
        SSL_CTX_set_security_level(ctx, 0);
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, visit->ciphers), 1);
    }
    return ctx;
}

static void note_result(struct visit *visit, SSL *client)
{
    const unsigned char *alpn = NULL;
    unsigned len = 0;
    X509 *shown = SSL_get0_peer_certificate(client);
    visit->reused = SSL_session_reused(client);
    snprintf(visit->version, sizeof visit->version, "%s", SSL_get_version(client));
    if (shown)
        X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, visit->shown,
                                  sizeof visit->shown);
    SSL_get0_alpn_selected(client, &alpn, &len);
    snprintf(visit->alpn_got, sizeof visit->alpn_got, "%.*s", (int)len, len ? (const char *)alpn : "");
}

/* A connection is as good as before when what only the handshake needed is given up. */
static void settle(SSL *client, SSL *ours)
{
    EVP_PKEY *key = NULL;
    unsigned char secret[32];
    size_t len = sizeof secret;
    char byte;
    if (SSL_version(ours) == TLS1_3_VERSION) {
        assert_int_equal(SSL_get_tmp_key(ours, &key), 1);
        assert_int_equal(EVP_PKEY_get_raw_private_key(key, secret, &len), 1);
        assert_int_equal(SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED), 1);
    }
    tls_context_settle(ours);
    if (key)
        assert_int_not_equal(EVP_PKEY_get_raw_private_key(key, secret, &len), 1);
    EVP_PKEY_free(key);
    assert_true(SSL_write(client, "a", 1) == 1 && SSL_read(ours, &byte, 1) == 1 && byte == 'a');
    assert_true(SSL_write(ours, "b", 1) == 1 && SSL_read(client, &byte, 1) == 1 && byte == 'b');
    ERR_clear_error();
}

/* A whole handshake, both sides in turn. */
static void visit(struct tls_context *server, struct visit *visit)
{
    BIO *client_side, *server_side;
    char byte;
    SSL_CTX *ctx = client_ctx(visit);
    SSL *client = SSL_new(ctx), *ours = tls_context_open(server);
    assert_int_equal(BIO_new_bio_pair(&client_side, 0, &server_side, 0), 1);
    SSL_set_bio(client, client_side, client_side);
    SSL_set_bio(ours, server_side, server_side);
    SSL_set_app_data(client, visit);
    SSL_set_connect_state(client);
    SSL_set_accept_state(ours);
    if (visit->name)
        SSL_set_tlsext_host_name(client, visit->name);
    if (visit->alpn)
        SSL_set_alpn_protos(client, visit->alpn, visit->alpn_len);
    if (visit->session)
        SSL_set_session(client, visit->session);
    visit->alert = 0;
    bool client_done = false, server_done = false;
    for (int turn = 0; turn < 20; turn++) {
        client_done = SSL_do_handshake(client) == 1;
        server_done = SSL_do_handshake(ours) == 1;
    }
    SSL_read(client, &byte, 1); /* the ticket of TLS 1.3 */
    ERR_clear_error();
    visit->done = client_done && server_done;
    if (visit->done)
        settle(client, ours);
    note_result(visit, client);
    if (visit->done &&
        visit->max_version == TLS1_2_VERSION) /* OpenSSL does not call back for a renewed ticket */
        note_session(client, SSL_get1_session(client));
    tls_context_close(ours);
    SSL_set_shutdown(client,
                     SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its session would count as broken */
    SSL_free(client);
    SSL_CTX_free(ctx);
}

static void forget(struct visit *visit)
{
    SSL_SESSION_free(visit->session);
    visit->session = NULL;
}

/* --- tests --- */

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *shown;
    } rows[] = {
        {"one.test", "one"},      {"TWO.test", "two"},  {"a.wild.test", "one"},
        {"a.b.wild.test", "one"}, {"wild.test", "one"}, {"plain.test", "plain.test"},
        {"no.test", "one"},       {NULL, "one"},        {"two.test.", "two"},
    };
    struct tls_context *server = make((struct tls_settings){.strict_sni = false});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct visit guest = {.name = rows[i].name};
        visit(server, &guest);
        assert_true(guest.done);
        assert_string_equal(guest.shown, rows[i].shown);
        assert_string_equal(guest.version, "TLSv1.3");
        forget(&guest);
    }
    tls_context_unref(&server);
}

static void strict(void **state)
{
    (void)state;
    static const char *const refused[] = {"no.test", "a.b.wild.test", "wild.test", NULL};
    struct tls_context *server = make((struct tls_settings){.strict_sni = true});
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct visit guest = {.name = refused[i]};
        visit(server, &guest);
        assert_false(guest.done);
        assert_int_equal(guest.alert, SSL_AD_UNRECOGNIZED_NAME);
    }
    struct visit guest = {.name = "a.wild.test"};
    visit(server, &guest);
    assert_true(guest.done);
    forget(&guest);
    tls_context_unref(&server);
}

static void key_kinds(void **state)
{
    (void)state;
    struct tls_context *server = make((struct tls_settings){.strict_sni = false});
    struct visit rsa = {
        .name = "one.test", .max_version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"};
    visit(server, &rsa);
    assert_true(rsa.done);
    assert_string_equal(rsa.shown, "one-rsa");
    forget(&rsa);
    struct visit ecdsa = {.name = "one.test", .max_version = TLS1_2_VERSION};
    visit(server, &ecdsa);
    assert_string_equal(ecdsa.shown, "one");
    forget(&ecdsa);
    tls_context_unref(&server);
}

static void protocols(void **state)
{
    (void)state;
    static const unsigned char both[] = "\2h2\10http/1.1", one[] = "\10http/1.1", other[] = "\3foo";
    struct tls_context *server = make((struct tls_settings){.offer_h2 = true});
    struct visit guest = {.name = "one.test", .alpn = both, .alpn_len = sizeof both - 1};
    visit(server, &guest);
    assert_string_equal(guest.alpn_got, "h2");
    forget(&guest);
    guest = (struct visit){
        .name = "one.test", .alpn = one, .alpn_len = sizeof one - 1, .max_version = TLS1_2_VERSION};
    visit(server, &guest);
    assert_string_equal(guest.alpn_got, "http/1.1");
    forget(&guest);
    guest = (struct visit){.name = "one.test", .alpn = other, .alpn_len = sizeof other - 1};
    visit(server, &guest);
    assert_false(guest.done);
    assert_int_equal(guest.alert, SSL_AD_NO_APPLICATION_PROTOCOL);
    tls_context_unref(&server);
}

static void versions(void **state)
{
    (void)state;
    struct tls_context *server = make((struct tls_settings){.tls13_only = true});
    struct visit guest = {.name = "one.test", .max_version = TLS1_2_VERSION};
    visit(server, &guest);
    assert_false(guest.done);
    assert_int_equal(guest.alert, SSL_AD_PROTOCOL_VERSION);
    tls_context_unref(&server);
    server = make((struct tls_settings){.tls13_only = false});
    guest = (struct visit){.name = "one.test", .max_version = TLS1_1_VERSION, .ciphers = "ALL:@SECLEVEL=0"};
    visit(server, &guest);
    assert_false(guest.done);
    guest = (struct visit){.name = "one.test", .max_version = TLS1_2_VERSION, .ciphers = "AES128-SHA"};
    visit(server, &guest);
    assert_false(guest.done);
    assert_int_equal(guest.alert, SSL_AD_HANDSHAKE_FAILURE);
    tls_context_unref(&server);
}

/* Each time, in both versions, with another server of the same process, after the keys have changed; not for
 * another name. */
static void resumption(void **state)
{
    (void)state;
    struct tls_context *server = make((struct tls_settings){.strict_sni = false}), *other = NULL;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct visit guest = {.name = "one.test", .max_version = version};
        visit(server, &guest);
        assert_true(guest.done && !guest.reused);
        for (int i = 0; i < 20; i++) {
            visit(server, &guest);
            assert_true(guest.done && guest.reused);
        }
        other = make((struct tls_settings){.offer_h2 = true});
        visit(other, &guest);
        assert_true(guest.done && guest.reused);
        tls_context_unref(&other);
        for (int i = 0; i < 4; i++) {
            passed_s += TLS_TICKETS_PERIOD_S;
            visit(server, &guest);
            assert_true(guest.done && guest.reused);
        }
        passed_s += 2 * TLS_TICKETS_PERIOD_S;
        visit(server, &guest);
        assert_true(guest.done && !guest.reused);
        guest.name = "two.test";
        visit(server, &guest);
        assert_true(guest.done && !guest.reused);
        forget(&guest);
    }
    tls_context_unref(&server);
}

static void bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *chain, *key, *text;
        bool in_key;
    } rows[] = {
        {"missing.pem", "one.key", "cannot be read: No such file or directory", false},
        {"one.pem", "missing.key", "cannot be read: No such file or directory", true},
        {"one.key", "one.key", "holds no certificate in PEM form", false},
        {"one.pem", "one.pem", "holds no private key in PEM form without a passphrase", true},
        {"one.pem", "two.key", "is not the key of the certificate", true},
        {".", "two.key", "is not a regular file", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char chain[256], key[256];
        struct tls_error error;
        snprintf(chain, sizeof chain, "%s/%s", certificates_folder, rows[i].chain);
        snprintf(key, sizeof key, "%s/%s", certificates_folder, rows[i].key);
        assert_null(tls_identity_load(chain, key, &error));
        assert_string_equal(error.text, rows[i].text);
        assert_int_equal(error.in_key, rows[i].in_key);
    }
    struct tls_error error;
    assert_null(tls_client_rule_load(path_of("one", "key"), true, &error));
    assert_string_equal(error.text, "holds no certificate in PEM form");
}

static void facts(void **state)
{
    (void)state;
    struct tls_identity *identity = load_identity("one"), *old = load_identity("old");
    assert_true(tls_identity_seconds_left(identity) > YEAR_S - 3600);
    assert_true(tls_identity_seconds_left(old) < 0);
    assert_true(tls_identity_covers(identity, SLICE("one.test")));
    assert_true(tls_identity_covers(identity, SLICE("a.wild.test")));
    assert_false(tls_identity_covers(identity, SLICE("a.b.wild.test")));
    assert_false(tls_identity_covers(identity, SLICE("wild.test")));
    tls_identity_free(&identity);
    tls_identity_free(&old);
}

/* --- which are alike --- */

static bool differs(const struct tls_context *from, const char *const *names, struct tls_settings settings)
{
    struct tls_context *other = make_server(names, settings);
    bool like = tls_context_is_like(from, other);
    assert_true(tls_context_is_like(other, other));
    tls_context_unref(&other);
    return !like;
}

static void likeness(void **state)
{
    (void)state;
    static const char *const both[] = {"one", "two", NULL}, *const swapped[] = {"two", "one", NULL};
    static const char *const fewer[] = {"one", NULL};
    struct tls_host hosts[] = {{SLICE("one.test"), 0}, {SLICE("two.test"), 0}};
    struct tls_settings plain = {.hosts = hosts, .host_count = 2};
    struct tls_context *server = make_server(both, plain);
    assert_false(differs(server, both, plain));
    assert_true(differs(server, swapped, plain));
    assert_true(differs(server, fewer, plain));
    assert_true(differs(server, both, (struct tls_settings){.hosts = hosts, .host_count = 1}));
    assert_true(
        differs(server, both, (struct tls_settings){.hosts = hosts, .host_count = 2, .strict_sni = true}));
    assert_true(
        differs(server, both, (struct tls_settings){.hosts = hosts, .host_count = 2, .tls13_only = true}));
    hosts[1].name = SLICE("new.test");
    assert_true(differs(server, both, plain));
    tls_context_unref(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),     cmocka_unit_test(strict),   cmocka_unit_test(key_kinds),
        cmocka_unit_test(protocols), cmocka_unit_test(versions), cmocka_unit_test(resumption),
        cmocka_unit_test(bad_files), cmocka_unit_test(facts),    cmocka_unit_test(likeness),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_certificates);
}
