/*
 * For the tests of TLS: certificates with their keys, made on the spot as files of one folder that goes at
 * the end, and server contexts from them. Signed by themselves or by another of the folder's.
 */
#ifndef PORTICO_TESTS_UNIT_CERTIFICATES_H
#define PORTICO_TESTS_UNIT_CERTIFICATES_H

#include "net/tls_context.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { YEAR_S = 365 * 24 * 60 * 60, IDENTITIES_MAX = 8 };

static char certificates_folder[] = "/tmp/portico_certificates.XXXXXX";

/* Where the file lies: kind "pem" is a certificate, "key" its key. The next three calls leave the text alone.
 */
static inline const char *path_of(const char *name, const char *kind)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof *paths, "%s/%s.%s", certificates_folder, name, kind);
    return path;
}

static inline FILE *open_certificate_file(const char *name, const char *kind, const char *mode)
{
    FILE *file = fopen(path_of(name, kind), mode);
    CHECK(file != NULL);
    return file;
}

/* A certificate that is to be made. */
struct making {
    const char *name;         /* of its files, and the common name */
    const char *alternatives; /* "DNS:a,IP:b", or NULL */
    const char *issuer;       /* an earlier name; NULL: signed by itself */
    const char *responder;    /* URL of its OCSP responder, or NULL */
    const char *usage;        /* extended key usage, or NULL */
    bool is_authority;        /* it may sign others */
    EVP_PKEY *key;            /* NULL: P-256; taken over */
    long from_s;              /* valid for a year from now and this */
};

static inline void extend(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    CHECK(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static inline X509 *read_certificate(const char *name)
{
    FILE *file = open_certificate_file(name, "pem", "r");
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    CHECK(certificate != NULL);
    return certificate;
}

static inline EVP_PKEY *read_key(const char *name)
{
    FILE *file = open_certificate_file(name, "key", "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    CHECK(key != NULL);
    return key;
}

static inline void sign_certificate(X509 *certificate, const struct making *making, EVP_PKEY *own_key)
{
    X509 *issuer = making->issuer ? read_certificate(making->issuer) : certificate;
    EVP_PKEY *key = making->issuer ? read_key(making->issuer) : own_key;
    CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1);
    CHECK(X509_sign(certificate, key, EVP_sha256()) > 0);
    if (making->issuer == NULL)
        return;
    X509_free(issuer);
    EVP_PKEY_free(key);
}

static inline void make_certificate(struct making making)
{
    EVP_PKEY *key = making.key ? making.key : EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    CHECK(key != NULL && certificate != NULL);
    X509_set_version(certificate, 2);
    static int serial;
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), making.from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), making.from_s + YEAR_S);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)making.name, -1, -1, 0);
    X509_set_pubkey(certificate, key);
    if (making.alternatives)
        extend(certificate, NID_subject_alt_name, making.alternatives);
    if (making.is_authority)
        extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
    if (making.usage)
        extend(certificate, NID_ext_key_usage, making.usage);
    if (making.responder) {
        char access[256];
        snprintf(access, sizeof access, "OCSP;URI:%s", making.responder);
        extend(certificate, NID_info_access, access);
    }
    sign_certificate(certificate, &making, key);
    FILE *file = open_certificate_file(making.name, "pem", "w");
    PEM_write_X509(file, certificate);
    fclose(file);
    file = open_certificate_file(making.name, "key", "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static inline void open_certificates(void)
{
    CHECK(mkdtemp(certificates_folder) != NULL);
}

/* As a group's teardown. */
static inline int remove_certificates(void **state)
{
    char command[512];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", certificates_folder);
    return system(command);
}

static inline struct tls_identity *load_identity(const char *name)
{
    struct tls_error error = {.text = ""};
    struct tls_identity *identity = tls_identity_load(path_of(name, "pem"), path_of(name, "key"), &error);
    if (identity == NULL)
        fprintf(stderr, "%s: %s\n", name, error.text);
    CHECK(identity != NULL);
    return identity;
}

/* A server that shows the certificates of these names (the last one is NULL). */
static inline struct tls_context *make_server(const char *const *names, struct tls_settings settings)
{
    struct tls_identity *identities[IDENTITIES_MAX];
    struct tls_error error;
    unsigned refused;
    settings.identity_count = 0;
    for (; *names; names++)
        identities[settings.identity_count++] = load_identity(*names);
    settings.identities = identities;
    struct tls_context *server = tls_context_new(&settings, &refused, &error);
    CHECK(server != NULL);
    return server;
}

#endif
