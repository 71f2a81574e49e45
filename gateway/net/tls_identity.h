/*
 * Certificates with keys, and the authorities of clients, as tls_context.c uses them: what was loaded from
 * PEM files and checked. Private to this folder; whoever only loads and frees them uses net/tls_context.h.
 */
#ifndef PORTICO_NET_TLS_IDENTITY_H
#define PORTICO_NET_TLS_IDENTITY_H

#include "net/tls_context.h"
#include "net/tls_staple.h"

#include <openssl/x509.h>

/* See net/tls_context.h. */
struct tls_identity {
    X509 *leaf;
    EVP_PKEY *key;
    STACK_OF(X509) * issuers;  /* what the chain's file holds behind the leaf */
    struct tls_staple *staple; /* NULL: there is none to be had */
    struct slice *names;       /* lower case */
    unsigned name_count;
};

/* See net/tls_context.h. */
struct tls_client_rule {
    X509_STORE *store;
    STACK_OF(X509_NAME) * names; /* told to the client */
    bool required;
    unsigned char id[TLS_RULE_ID_LEN]; /* hash of all that the rule says */
};

/* The whole file, as memory that OpenSSL reads; NULL after saying why. */
BIO *tls_file_read(const char *path, struct tls_error *error_out);

/* The next certificate of a file; NULL when there are no more. */
X509 *tls_file_next(BIO *bio);

/* Whether both have the same names but keys of different kinds. */
bool tls_identity_is_twin(const struct tls_identity *a, const struct tls_identity *b);

#endif
