/*
 * PEM files read and checked, for net/tls_context.h and net/tls_identity.h. Called on the control thread when
 * a configuration is compiled or a certificate's file has changed; knows no connection.
 */
#include "net/tls_identity.h"

#include "base/read_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_BYTES_MAX = 1024 * 1024, CHAIN_MAX = 16, AUTHORITIES_MAX = 1000, DAY_S = 24 * 60 * 60 };

/* --- files --- */

static void say(struct tls_error *error, const char *text)
{
    snprintf(error->text, sizeof error->text, "%s", text);
}

BIO *tls_file_read(const char *path, struct tls_error *error)
{
    errno = 0;
    struct arena arena;
    struct slice bytes = SLICE("");
    arena_init(&arena, NULL, 0);
    const char *problem = read_file(&arena, path, FILE_BYTES_MAX, &bytes);
    bool is_missing = problem && errno == ENOENT;
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL);
    if (bytes.len > 0) {
        BIO_write(bio, bytes.at, (int)bytes.len);
        OPENSSL_cleanse((char *)bytes.at, bytes.len);
    }
    if (problem) {
        error->is_missing = is_missing;
        say(error, problem);
        BIO_free(bio);
        bio = NULL;
    }
    arena_fini(&arena);
    return bio;
}

/* Never asks anybody at a terminal. */
static int no_passphrase(char *text, int size, int writing, void *arg)
{
    (void)text, (void)size, (void)writing, (void)arg;
    return -1;
}

X509 *tls_file_next(BIO *bio)
{
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
    ERR_clear_error(); /* the end of the file is an error, too */
    return certificate;
}

/* --- identities --- */

static void add_name(struct tls_identity *identity, const unsigned char *text, int len)
{
    if (len <= 0 || memchr(text, '\0', (size_t)len))
        return;
    identity->names = realloc(identity->names, (identity->name_count + 1) * sizeof *identity->names);
    char *name = malloc((size_t)len + 1);
    CHECK(identity->names != NULL && name != NULL);
    for (int i = 0; i < len; i++)
        name[i] = ascii_lower((char)text[i]);
    name[len] = '\0';
    identity->names[identity->name_count++] = slice_make(name, (size_t)len);
}

/* RFC 6125 section 6.4.4: the common name counts only when there is no subject alternative name. */
static void read_names(struct tls_identity *identity)
{
    GENERAL_NAMES *alternatives = X509_get_ext_d2i(identity->leaf, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); i++) {
        const GENERAL_NAME *alternative = sk_GENERAL_NAME_value(alternatives, i);
        if (alternative->type == GEN_DNS)
            add_name(identity, ASN1_STRING_get0_data(alternative->d.dNSName),
                     ASN1_STRING_length(alternative->d.dNSName));
    }
    bool has_alternatives = alternatives != NULL;
    GENERAL_NAMES_free(alternatives);
    X509_NAME *subject = X509_get_subject_name(identity->leaf);
    int at = has_alternatives ? -1 : X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0)
        return;
    const ASN1_STRING *common = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    add_name(identity, ASN1_STRING_get0_data(common), ASN1_STRING_length(common));
}

static bool read_chain(struct tls_identity *identity, const char *path, struct tls_error *error)
{
    BIO *bio = tls_file_read(path, error);
    if (bio == NULL)
        return false;
    identity->leaf = tls_file_next(bio);
    X509 *issuer = NULL;
    while (identity->leaf && sk_X509_num(identity->issuers) < CHAIN_MAX &&
           (issuer = tls_file_next(bio)) != NULL)
        sk_X509_push(identity->issuers, issuer);
    BIO_free(bio);
    if (identity->leaf == NULL) {
        say(error, "holds no certificate in PEM form");
        return false;
    }
    X509 *first = sk_X509_num(identity->issuers) > 0 ? sk_X509_value(identity->issuers, 0) : NULL;
    if (first && X509_check_issued(first, identity->leaf) != X509_V_OK) {
        say(error, "is out of order: its second certificate has not signed the first");
        return false;
    }
    return true;
}

static bool read_key(struct tls_identity *identity, const char *path, struct tls_error *error)
{
    error->in_key = true;
    BIO *bio = tls_file_read(path, error);
    if (bio == NULL)
        return false;
    identity->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (identity->key == NULL)
        say(error, "holds no private key in PEM form without a passphrase");
    else if (X509_check_private_key(identity->leaf, identity->key) != 1)
        say(error, "is not the key of the certificate");
    else
        return true;
    ERR_clear_error();
    return false;
}

struct tls_identity *tls_identity_load(const char *chain_path, const char *key_path,
                                       struct tls_error *error_out)
{
    struct tls_identity *identity = calloc(1, sizeof *identity);
    CHECK(identity != NULL);
    identity->issuers = sk_X509_new_null();
    CHECK(identity->issuers != NULL);
    *error_out = (struct tls_error){.in_key = false};
    if (!read_chain(identity, chain_path, error_out) || !read_key(identity, key_path, error_out)) {
        tls_identity_free(&identity);
        return NULL;
    }
    read_names(identity);
    identity->staple = tls_staple_of(identity->leaf, sk_X509_value(identity->issuers, 0));
    return identity;
}

void tls_identity_free(struct tls_identity **identity_at)
{
    struct tls_identity *identity = *identity_at;
    *identity_at = NULL;
    if (identity == NULL)
        return;
    for (unsigned i = 0; i < identity->name_count; i++)
        free((char *)identity->names[i].at);
    free(identity->names);
    tls_staple_unref(&identity->staple);
    sk_X509_pop_free(identity->issuers, X509_free);
    X509_free(identity->leaf);
    EVP_PKEY_free(identity->key);
    free(identity);
}

/* NULL is now. */
static long seconds_between(const ASN1_TIME *from, const ASN1_TIME *to)
{
    int days = 0, seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, from, to) != 1)
        return -1;
    return (long)days * DAY_S + seconds;
}

long tls_identity_seconds_left(const struct tls_identity *identity)
{
    return seconds_between(NULL, X509_get0_notAfter(identity->leaf));
}

long tls_identity_seconds_valid(const struct tls_identity *identity)
{
    return seconds_between(X509_get0_notBefore(identity->leaf), NULL);
}

bool tls_identity_covers(const struct tls_identity *identity, struct slice host)
{
    for (unsigned i = 0; i < identity->name_count; i++) {
        struct slice name = identity->names[i];
        const char *dot = host.len > 0 ? memchr(host.at, '.', host.len) : NULL;
        struct slice tail = dot ? slice_after(host, (size_t)(dot - host.at)) : slice_make(NULL, 0);
        bool is_wildcard = name.len > 2 && name.at[0] == '*';
        if (slice_equal(name, host) || (is_wildcard && dot && slice_equal(slice_after(name, 1), tail)))
            return true;
    }
    return false;
}

bool tls_identity_is_twin(const struct tls_identity *a, const struct tls_identity *b)
{
    bool same =
        a->name_count == b->name_count && EVP_PKEY_get_base_id(a->key) != EVP_PKEY_get_base_id(b->key);
    for (unsigned i = 0; same && i < a->name_count; i++) {
        bool found = false;
        for (unsigned j = 0; j < b->name_count; j++)
            found = found || slice_equal(a->names[i], b->names[j]);
        same = found;
    }
    return same;
}

/* --- authorities of clients --- */

static void add_authority(struct tls_client_rule *rule, X509 *authority, EVP_MD_CTX *hash)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned len = 0;
    CHECK(X509_STORE_add_cert(rule->store, authority) == 1);
    CHECK(sk_X509_NAME_push(rule->names, X509_NAME_dup(X509_get_subject_name(authority))) > 0);
    X509_digest(authority, EVP_sha256(), digest, &len);
    EVP_DigestUpdate(hash, digest, len);
    X509_free(authority);
}

struct tls_client_rule *tls_client_rule_load(const char *ca_path, bool required, struct tls_error *error_out)
{
    *error_out = (struct tls_error){.in_key = false};
    BIO *bio = tls_file_read(ca_path, error_out);
    if (bio == NULL)
        return NULL;
    struct tls_client_rule *rule = calloc(1, sizeof *rule);
    CHECK(rule != NULL);
    rule->store = X509_STORE_new();
    rule->names = sk_X509_NAME_new_null();
    rule->required = required;
    CHECK(rule->store != NULL && rule->names != NULL);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    CHECK(hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1);
    EVP_DigestUpdate(hash, required ? "required" : "optional", 8);
    X509 *authority = NULL;
    while (sk_X509_NAME_num(rule->names) < AUTHORITIES_MAX && (authority = tls_file_next(bio)) != NULL)
        add_authority(rule, authority, hash);
    EVP_DigestFinal_ex(hash, rule->id, NULL);
    EVP_MD_CTX_free(hash);
    BIO_free(bio);
    if (sk_X509_NAME_num(rule->names) > 0)
        return rule;
    say(error_out, "holds no certificate in PEM form");
    tls_client_rule_free(&rule);
    return NULL;
}

void tls_client_rule_free(struct tls_client_rule **rule_at)
{
    struct tls_client_rule *rule = *rule_at;
    *rule_at = NULL;
    if (rule == NULL)
        return;
    sk_X509_NAME_pop_free(rule->names, X509_NAME_free);
    X509_STORE_free(rule->store);
    free(rule);
}
