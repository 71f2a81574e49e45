/*
 * The contexts of net/tls_context.h: one SSL_CTX for each set of names, chosen in the client-hello callback,
 * which is the only moment that comes before resumption, ALPN and certificates in both versions. Called by
 * the configuration's TLS part and, during handshakes, by OpenSSL.
 */
#include "net/tls_context.h"

#include "net/tls_identity.h"
#include "net/tls_names.h"
#include "net/tls_tickets.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static const char CIPHERS[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char SUITES[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char GROUPS[] = "X25519:P-256:P-384";
static const char SIGNATURES[] =
    "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256:ed25519:ECDSA+SHA384:RSA-PSS+SHA384:RSA+SHA384:"
    "ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512";
static const unsigned char H2[] = "\2h2", HTTP1[] = "\10http/1.1";

enum { SECURITY_LEVEL = 2, VERIFY_DEPTH = 4, SESSION_S = TLS_TICKETS_PERIOD_S };

struct tls_context {
    struct {
        _Atomic uint32_t refs;
    } shared;
    bool strict_sni, offer_h2, staple;
    unsigned char digest[SHA256_DIGEST_LENGTH]; /* of all that it was made from */
    struct tls_identity **identities;
    unsigned identity_count;
    struct tls_client_rule **rules;
    unsigned rule_count;
    SSL_CTX **ctxs;                 /* by identity; identities of one name set share one */
    struct tls_names *certificates; /* name -> index of an identity */
    struct tls_names *hosts;        /* name -> tls_host.rule */
};

/* --- the handshake, on a worker --- */

/* The only name of a server_name extension (RFC 6066 section 3). */
static struct slice read_server_name(SSL *ssl)
{
    const unsigned char *at;
    size_t len;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &at, &len) || len < 5)
        return slice_make(NULL, 0);
    size_t list_len = (size_t)at[0] << 8 | at[1], name_len = (size_t)at[3] << 8 | at[4];
    if (list_len != len - 2 || at[2] != TLSEXT_NAMETYPE_host_name || name_len > len - 5)
        return slice_make(NULL, 0);
    return slice_make((const char *)at + 5, name_len);
}

/* Keeps the name with the connection, in lower case without the trailing dot. */
static struct slice keep_server_name(SSL *ssl, struct slice name)
{
    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > TLSEXT_MAXLEN_host_name || memchr(name.at, '\0', name.len))
        return slice_make(NULL, 0);
    char *kept = malloc(name.len + 1);
    CHECK(kept != NULL);
    for (size_t i = 0; i < name.len; i++)
        kept[i] = ascii_lower(name.at[i]);
    kept[name.len] = '\0';
    free(SSL_get_app_data(ssl));
    SSL_set_app_data(ssl, kept);
    return slice_make(kept, name.len);
}

/* A session is resumed only for the name and the rule that it was made for: otherwise a client could come in
 * for one site and go on at another (CVE-2025-23419). */
static bool bind_session(SSL *ssl, const struct tls_client_rule *rule, struct slice name)
{
    unsigned char text[TLS_RULE_ID_LEN + TLSEXT_MAXLEN_host_name] = {0}, id[SHA256_DIGEST_LENGTH];
    if (rule)
        memcpy(text, rule->id, TLS_RULE_ID_LEN);
    if (name.len > 0)
        memcpy(text + TLS_RULE_ID_LEN, name.at, name.len);
    SHA256(text, TLS_RULE_ID_LEN + name.len, id);
    return SSL_set_session_id_context(ssl, id, sizeof id) == 1;
}

/* What SSL_set_SSL_CTX() does not take from the chosen context is set on the connection itself. */
static bool demand_certificate(SSL *ssl, const struct tls_client_rule *rule)
{
    STACK_OF(X509_NAME) *names = SSL_dup_CA_list(rule->names);
    if (names == NULL)
        return false;
    SSL_set0_CA_list(ssl, names);
    SSL_set_verify(ssl, SSL_VERIFY_PEER | (rule->required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    SSL_set_verify_depth(ssl, VERIFY_DEPTH);
    return SSL_set1_verify_cert_store(ssl, rule->store) == 1;
}

static const struct tls_client_rule *rule_for(const struct tls_context *server, struct slice name)
{
    unsigned number = 0;
    tls_names_find_any(server->hosts, name, &number);
    return number ? server->rules[number - 1] : NULL;
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const struct tls_context *server = arg;
    struct slice name = keep_server_name(ssl, read_server_name(ssl));
    unsigned identity = 0;
    bool known = tls_names_find_one_label(server->certificates, name, &identity);
    if (!known && server->strict_sni) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        return SSL_CLIENT_HELLO_ERROR;
    }
    *alert = SSL_AD_INTERNAL_ERROR;
    if (SSL_set_SSL_CTX(ssl, server->ctxs[identity]) == NULL)
        return SSL_CLIENT_HELLO_ERROR;
    const struct tls_client_rule *rule = rule_for(server, name);
    if (!bind_session(ssl, rule, name) || (rule && !demand_certificate(ssl, rule)))
        return SSL_CLIENT_HELLO_ERROR;
    return SSL_CLIENT_HELLO_SUCCESS;
}

static bool offers(struct slice offered, const unsigned char *protocol, const unsigned char **out)
{
    size_t len = protocol[0];
    while (offered.len > 0) {
        size_t step = (size_t)(unsigned char)offered.at[0] + 1;
        if (step > offered.len)
            return false;
        if (step == len + 1 && memcmp(offered.at + 1, protocol + 1, len) == 0) {
            *out = protocol + 1;
            return true;
        }
        offered = slice_after(offered, step);
    }
    return false;
}

/* OpenSSL's own signature. */
#define ALPN_CALLBACK(callback)                                                                        \
    int callback(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, \
                 unsigned in_len, void *arg)

/* RFC 7301 section 3.2: no common protocol ends the handshake. */
static ALPN_CALLBACK(on_alpn)
{
    (void)ssl;
    const struct tls_context *server = arg;
    struct slice offered = slice_make((const char *)in, in_len);
    if (server->offer_h2 && offers(offered, H2, out))
        *out_len = H2[0];
    else if (offers(offered, HTTP1, out))
        *out_len = HTTP1[0];
    else
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

/* For clients that ask, once the certificate has been chosen. Without an answer that is good now the
 * handshake goes on as if there were no OCSP. */
static int on_status(SSL *ssl, void *arg)
{
    const struct tls_context *server = arg;
    const X509 *chosen = SSL_get_certificate(ssl);
    unsigned i = 0;
    while (i < server->identity_count && server->identities[i]->leaf != chosen)
        i++;
    struct tls_staple *staple = i < server->identity_count ? server->identities[i]->staple : NULL;
    size_t len = 0;
    unsigned char *answer = staple ? tls_staple_copy(staple, &len) : NULL;
    if (answer == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, answer, (long)len);
    return SSL_TLSEXT_ERR_OK;
}

SSL *tls_context_open(struct tls_context *server)
{
    return SSL_new(server->ctxs[0]);
}

struct slice tls_context_server_name(const SSL *ssl)
{
    return slice_of(SSL_get_app_data(ssl));
}

/* The key itself belongs to the SSL; of what it holds nothing is left. */
static void wipe_key(EVP_PKEY *key)
{
    EVP_PKEY_set_type(key, EVP_PKEY_get_base_id(key));
    EVP_PKEY_free(key);
}

void tls_context_settle(SSL *ssl)
{
    EVP_PKEY *key;
    if (SSL_get_tmp_key(ssl, &key))
        wipe_key(key);
    if (SSL_get_peer_tmp_key(ssl, &key))
        wipe_key(key);
    SSL_certs_clear(ssl);
    ERR_clear_error();
}

void tls_context_close(SSL *ssl)
{
    free(SSL_get_app_data(ssl));
    SSL_free(ssl);
}

/* --- the making, on the control thread --- */

static SSL_CTX *new_ctx(const struct tls_settings *settings, struct tls_context *server)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    CHECK(ctx != NULL);
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    CHECK(SSL_CTX_set_min_proto_version(ctx, settings->tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION) == 1);
    CHECK(SSL_CTX_set_cipher_list(ctx, CIPHERS) == 1 && SSL_CTX_set_ciphersuites(ctx, SUITES) == 1);
    CHECK(SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 && SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) == 1);
    /* an end without close_notify is an end all the same: HTTP's own framing tells whether something is
     * missing */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, SESSION_S);
    SSL_CTX_set_num_tickets(ctx, 1);
    tls_tickets_attach(ctx);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, server);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, server);
    if (server->staple) {
        SSL_CTX_set_tlsext_status_cb(ctx, on_status);
        SSL_CTX_set_tlsext_status_arg(ctx, server);
    }
    return ctx;
}

static void say_refused(struct tls_error *error)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    error->in_key = false;
    snprintf(error->text, sizeof error->text, "cannot be used: %s", reason ? reason : "unknown reason");
}

static bool use_identity(SSL_CTX *ctx, const struct tls_identity *identity, struct tls_error *error_out)
{
    ERR_clear_error();
    if (SSL_CTX_use_cert_and_key(ctx, identity->leaf, identity->key, identity->issuers, 1) == 1)
        return true;
    say_refused(error_out);
    return false;
}

/* An earlier identity with the same names and another kind of key: an ECDSA and an RSA certificate that go
 * together. */
static SSL_CTX *find_twin(const struct tls_context *server, unsigned index)
{
    for (unsigned i = 0; i < index; i++)
        if (tls_identity_is_twin(server->identities[i], server->identities[index]))
            return server->ctxs[i];
    return NULL;
}

static bool add_identity(struct tls_context *server, const struct tls_settings *settings, unsigned index,
                         struct tls_error *error_out)
{
    const struct tls_identity *identity = server->identities[index];
    SSL_CTX *twin = find_twin(server, index);
    server->ctxs[index] = twin ? twin : new_ctx(settings, server);
    if (twin)
        SSL_CTX_up_ref(twin);
    for (unsigned i = 0; i < identity->name_count; i++)
        tls_names_add(server->certificates, identity->names[i], index);
    return use_identity(server->ctxs[index], identity, error_out);
}

/* Frees what is the context's own. */
static void free_shell(struct tls_context *server)
{
    for (unsigned i = 0; i < server->identity_count; i++)
        SSL_CTX_free(server->ctxs[i]);
    tls_names_free(&server->certificates);
    tls_names_free(&server->hosts);
    free(server->ctxs);
    free(server->identities);
    free(server->rules);
    free(server);
}

static void digest_certificate(EVP_MD_CTX *hash, const X509 *certificate)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    CHECK(X509_digest(certificate, EVP_sha256(), digest, NULL) == 1);
    EVP_DigestUpdate(hash, digest, sizeof digest);
}

/* Every part has a length that is known before it, so that no two settings give the same bytes. The key
 * belongs to the leaf, which has been checked. */
static void digest_settings(const struct tls_settings *settings, unsigned char *digest_out)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    CHECK(hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1);
    bool flags[] = {settings->tls13_only, settings->strict_sni, settings->offer_h2, settings->staple};
    unsigned counts[] = {settings->identity_count, settings->rule_count, settings->host_count};
    EVP_DigestUpdate(hash, flags, sizeof flags);
    EVP_DigestUpdate(hash, counts, sizeof counts);
    for (unsigned i = 0; i < settings->identity_count; i++) {
        const struct tls_identity *identity = settings->identities[i];
        int issuers = sk_X509_num(identity->issuers);
        EVP_DigestUpdate(hash, &issuers, sizeof issuers);
        digest_certificate(hash, identity->leaf);
        for (int j = 0; j < issuers; j++)
            digest_certificate(hash, sk_X509_value(identity->issuers, j));
    }
    for (unsigned i = 0; i < settings->rule_count; i++)
        EVP_DigestUpdate(hash, settings->rules[i]->id, sizeof settings->rules[i]->id);
    for (unsigned i = 0; i < settings->host_count; i++) {
        const struct tls_host *host = &settings->hosts[i];
        EVP_DigestUpdate(hash, &host->rule, sizeof host->rule);
        EVP_DigestUpdate(hash, &host->name.len, sizeof host->name.len);
        EVP_DigestUpdate(hash, host->name.at, host->name.len);
    }
    EVP_DigestFinal_ex(hash, digest_out, NULL);
    EVP_MD_CTX_free(hash);
}

bool tls_context_is_like(const struct tls_context *a, const struct tls_context *b)
{
    return memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

static void *copy_of(const void *from, size_t count, size_t size)
{
    void *copy = calloc(count + 1, size);
    CHECK(copy != NULL);
    if (count > 0)
        memcpy(copy, from, count * size);
    return copy;
}

struct tls_context *tls_context_new(const struct tls_settings *settings, unsigned *identity_out,
                                    struct tls_error *error_out)
{
    struct tls_context *server = calloc(1, sizeof *server);
    CHECK(server != NULL && settings->identity_count > 0);
    atomic_init(&server->shared.refs, 1);
    digest_settings(settings, server->digest);
    server->strict_sni = settings->strict_sni;
    server->offer_h2 = settings->offer_h2;
    server->staple = settings->staple;
    server->identity_count = settings->identity_count;
    server->rule_count = settings->rule_count;
    server->identities = copy_of(settings->identities, settings->identity_count, sizeof *server->identities);
    server->rules = copy_of(settings->rules, settings->rule_count, sizeof *server->rules);
    server->ctxs = calloc(settings->identity_count, sizeof(SSL_CTX *));
    CHECK(server->ctxs != NULL);
    server->certificates = tls_names_new();
    server->hosts = tls_names_new();
    for (unsigned i = 0; i < settings->host_count; i++)
        tls_names_add(server->hosts, settings->hosts[i].name, settings->hosts[i].rule);
    for (unsigned i = 0; i < server->identity_count; i++)
        if (!add_identity(server, settings, i, error_out)) {
            *identity_out = i;
            free_shell(server);
            return NULL;
        }
    tls_names_seal(server->certificates);
    tls_names_seal(server->hosts);
    return server;
}

struct slice tls_context_rule(const struct tls_context *server, struct slice name)
{
    const struct tls_client_rule *rule = rule_for(server, name);
    return rule ? slice_make((const char *)rule->id, sizeof rule->id) : slice_make(NULL, 0);
}

struct tls_staple *tls_context_staple(const struct tls_context *server, unsigned number)
{
    for (unsigned i = 0; server->staple && i < server->identity_count; i++)
        if (server->identities[i]->staple && number-- == 0)
            return server->identities[i]->staple;
    return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *server)
{
    atomic_fetch_add_explicit(&server->shared.refs, 1, memory_order_relaxed);
    return server;
}

void tls_context_unref(struct tls_context **server_at)
{
    struct tls_context *server = *server_at;
    *server_at = NULL;
    if (server == NULL || atomic_fetch_sub_explicit(&server->shared.refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < server->identity_count; i++)
        tls_identity_free(&server->identities[i]);
    for (unsigned i = 0; i < server->rule_count; i++)
        tls_client_rule_free(&server->rules[i]);
    free_shell(server);
}
