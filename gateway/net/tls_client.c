/*
 * The clients and dialers of net/tls_client.h. Called by the upstreams' TLS part and by net/tls.c. A session
 * of TLS 1.3 is used once (RFC 8446 appendix C.4), one of TLS 1.2 until a newer one comes.
 */
#include "net/tls_client.h"

#include "net/tls_identity.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { SESSIONS_MAX = 8, HOST_MAX = 256 };

struct tls_client {
    struct {
        _Atomic uint32_t refs;
    } shared;
    SSL_CTX *ctx;
    bool verify, offer_h2;
    unsigned char authorities[SHA256_DIGEST_LENGTH]; /* hash of their file; zero: the system's */
    bool is_address; /* the name is an IP address: nothing to ask for in SNI */
    char name[HOST_MAX];
};

struct tls_dialer {
    uint32_t refs;
    struct tls_client *client;
    SSL_SESSION *sessions[SESSIONS_MAX]; /* the newest last */
    unsigned count;
};

/* --- sessions --- */

static void forget_oldest(struct tls_dialer *dialer)
{
    SSL_SESSION_free(dialer->sessions[0]);
    dialer->count--;
    memmove(dialer->sessions, dialer->sessions + 1, dialer->count * sizeof *dialer->sessions);
}

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_dialer *dialer = SSL_get_app_data(ssl);
    if (dialer->count == SESSIONS_MAX)
        forget_oldest(dialer);
    dialer->sessions[dialer->count++] = session;
    return 1; /* ours now */
}

static void use_session(struct tls_dialer *dialer, SSL *ssl)
{
    if (dialer->count == 0)
        return;
    SSL_SESSION *session = dialer->sessions[dialer->count - 1];
    SSL_set_session(ssl, session);
    if (SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        return;
    SSL_SESSION_free(session);
    dialer->count--;
}

SSL *tls_dialer_open(struct tls_dialer *dialer)
{
    const struct tls_client *client = dialer->client;
    SSL *ssl = SSL_new(client->ctx);
    if (ssl == NULL)
        return NULL;
    SSL_set_app_data(ssl, dialer);
    if (client->name[0] && !client->is_address)
        SSL_set_tlsext_host_name(ssl, client->name);
    use_session(dialer, ssl);
    return ssl;
}

/* --- making --- */

static bool load_authorities(struct tls_client *client, const struct tls_client_settings *settings,
                             struct tls_error *error_out)
{
    BIO *bio = tls_file_read(settings->ca_path, error_out);
    if (bio == NULL)
        return false;
    unsigned char *bytes;
    long len = BIO_get_mem_data(bio, (char **)&bytes);
    SHA256(bytes, (size_t)len, client->authorities);
    X509_STORE *store = SSL_CTX_get_cert_store(client->ctx);
    if (settings->partial_chains)
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    X509 *authority = NULL;
    unsigned count = 0;
    for (; (authority = tls_file_next(bio)) != NULL; count++) {
        CHECK(X509_STORE_add_cert(store, authority) == 1);
        X509_free(authority);
    }
    BIO_free(bio);
    if (count == 0)
        snprintf(error_out->text, sizeof error_out->text, "holds no certificate in PEM form");
    return count > 0;
}

static bool trust(struct tls_client *client, const struct tls_client_settings *settings,
                  struct tls_error *error_out)
{
    error_out->in_key = false;
    if (settings->verify && settings->ca_path)
        return load_authorities(client, settings, error_out);
    ERR_clear_error();
    if (!settings->verify || SSL_CTX_set_default_verify_paths(client->ctx) == 1)
        return true;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    snprintf(error_out->text, sizeof error_out->text, "cannot be used: %s",
             reason ? reason : "unknown reason");
    ERR_clear_error();
    return false;
}

static void expect_name(struct tls_client *client, const struct tls_client_settings *settings)
{
    unsigned char address[sizeof(struct in6_addr)];
    struct slice name = settings->server_name;
    if (name.len == 0 || name.len >= sizeof client->name)
        return;
    memcpy(client->name, name.at, name.len);
    client->is_address =
        inet_pton(AF_INET, client->name, address) == 1 || inet_pton(AF_INET6, client->name, address) == 1;
    X509_VERIFY_PARAM *expected = SSL_CTX_get0_param(client->ctx);
    if (client->is_address)
        CHECK(X509_VERIFY_PARAM_set1_ip_asc(expected, client->name) == 1);
    else
        CHECK(X509_VERIFY_PARAM_set1_host(expected, client->name, name.len) == 1);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
}

static SSL_CTX *new_ctx(const struct tls_client_settings *settings)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    CHECK(ctx != NULL);
    CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_new_session);
    SSL_CTX_set_verify(ctx, settings->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    const char *protocols = settings->offer_h2 ? "\2h2" : "\10http/1.1";
    CHECK(SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)protocols, (unsigned)strlen(protocols)) == 0);
    return ctx;
}

struct tls_client *tls_client_new(const struct tls_client_settings *settings, struct tls_error *error_out)
{
    struct tls_client *client = calloc(1, sizeof *client);
    CHECK(client != NULL);
    atomic_init(&client->shared.refs, 1);
    client->ctx = new_ctx(settings);
    client->verify = settings->verify;
    client->offer_h2 = settings->offer_h2;
    expect_name(client, settings);
    if (!trust(client, settings, error_out))
        tls_client_unref(&client);
    return client;
}

bool tls_client_equals(const struct tls_client *a, const struct tls_client *b)
{
    return a->verify == b->verify && a->offer_h2 == b->offer_h2 && strcmp(a->name, b->name) == 0 &&
           memcmp(a->authorities, b->authorities, sizeof a->authorities) == 0;
}

struct tls_client *tls_client_ref(struct tls_client *client)
{
    atomic_fetch_add(&client->shared.refs, 1);
    return client;
}

void tls_client_unref(struct tls_client **client_at)
{
    struct tls_client *client = *client_at;
    *client_at = NULL;
    if (client == NULL || atomic_fetch_sub(&client->shared.refs, 1) > 1)
        return;
    SSL_CTX_free(client->ctx);
    free(client);
}

struct tls_dialer *tls_dialer_new(struct tls_client *client)
{
    struct tls_dialer *dialer = calloc(1, sizeof *dialer);
    CHECK(dialer != NULL);
    dialer->client = tls_client_ref(client);
    dialer->refs = 1;
    return dialer;
}

const struct tls_client *tls_dialer_client(const struct tls_dialer *dialer)
{
    return dialer->client;
}

struct tls_dialer *tls_dialer_ref(struct tls_dialer *dialer)
{
    dialer->refs++;
    return dialer;
}

void tls_dialer_unref(struct tls_dialer **dialer_at)
{
    struct tls_dialer *dialer = *dialer_at;
    *dialer_at = NULL;
    if (dialer == NULL || --dialer->refs > 0)
        return;
    while (dialer->count > 0)
        forget_oldest(dialer);
    tls_client_unref(&dialer->client);
    free(dialer);
}
