/*
 * What a TLS server shows and demands: certificates by name, versions and ciphers, ALPN, and per site the
 * certificates that clients must have. Made whole from files on the control thread; immutable and
 * reference-counted afterwards, any thread may open connections with it. Knows OpenSSL and names, never a
 * socket and never the configuration.
 */
#ifndef PORTICO_NET_TLS_CONTEXT_H
#define PORTICO_NET_TLS_CONTEXT_H

#include "base/check.h"
#include "base/slice.h"

#include <openssl/types.h>

/* Longest text of a struct tls_error, terminator included; bytes of a rule's id. */
enum { TLS_ERROR_MAX = 256, TLS_RULE_ID_LEN = 32 };

/* A certificate chain with its key. */
struct tls_identity;

/* Whose certificates clients must have. */
struct tls_client_rule;

/* All of it. */
struct tls_context;

/* See net/tls_staple.h. */
struct tls_staple;

/* Why something could not be made from its files. */
struct tls_error {
    bool in_key;     /* the key's file is to blame, not the chain's */
    bool is_missing; /* there is no such file */
    char text[TLS_ERROR_MAX];
};

/* A name that is served, "*.name" (one or more labels) and "*" (any other) included. */
struct tls_host {
    struct slice name; /* lower case */
    unsigned rule;     /* index in settings.rules + 1; 0: no client certificates */
};

/* What a context is made from. */
struct tls_settings {
    struct tls_identity *const
        *identities; /* at least one; the first is shown to clients that name no known host */
    unsigned identity_count;
    struct tls_client_rule *const *rules;
    unsigned rule_count;
    const struct tls_host *hosts; /* copied */
    unsigned host_count;
    bool tls13_only; /* else 1.2 and 1.3 */
    bool strict_sni; /* handshakes for a name without certificate are refused: unrecognized_name */
    bool offer_h2;   /* in ALPN, before http/1.1 */
    bool staple;     /* show what is known of the certificates' good standing (net/tls_staple.h) */
};

/* Loads PEM files: the leaf first, then what it is signed by. NULL when they cannot be read or do not fit. */
MUST_USE struct tls_identity *tls_identity_load(const char *chain_path, const char *key_path,
                                                struct tls_error *error_out);

/* Frees it and stores NULL; accepts NULL. */
void tls_identity_free(struct tls_identity **identity);

/* Seconds until the leaf expires; negative when it has. */
long tls_identity_seconds_left(const struct tls_identity *identity);

/* Seconds since the leaf is valid; negative when it is not yet. */
long tls_identity_seconds_valid(const struct tls_identity *identity);

/* Whether one of the certificate's names is this host or covers it. */
bool tls_identity_covers(const struct tls_identity *identity, struct slice host);

/* Loads the authorities whose certificates are accepted. `required`: a client without one is refused, else it
 * is only known not to have one. NULL when the file cannot be used. */
MUST_USE struct tls_client_rule *tls_client_rule_load(const char *ca_path, bool required,
                                                      struct tls_error *error_out);

/* Frees it and stores NULL; accepts NULL. */
void tls_client_rule_free(struct tls_client_rule **rule);

/* Makes a context, refs == 1, that takes over the identities and rules; NULL (they are the caller's still)
 * when OpenSSL does not accept one of them, whose index is stored. */
MUST_USE struct tls_context *tls_context_new(const struct tls_settings *settings, unsigned *identity_out,
                                             struct tls_error *error_out);

/* Whether both were made from the same certificates, rules, names and settings. */
bool tls_context_is_like(const struct tls_context *a, const struct tls_context *b);

/* One more reference; any thread. */
struct tls_context *tls_context_ref(struct tls_context *server);

/* Gives up a reference and stores NULL; the last one frees it. Any thread; accepts NULL. */
void tls_context_unref(struct tls_context **server);

/* The id of the rule for clients that ask for this name (lower case), a hash of all that it says; empty when
 * none is for it. Lives as long as the context. */
struct slice tls_context_rule(const struct tls_context *server, struct slice name);

/* The staples of its certificates, by number; NULL after the last one. Lives as long as the context. */
struct tls_staple *tls_context_staple(const struct tls_context *server, unsigned number);

/* A server's side of one connection, not yet bound to a socket. NULL when memory is short. The context must
 * live until the handshake is over. */
SSL *tls_context_open(struct tls_context *server);

/* The name that the client's hello asked for, in lower case without trailing dot; empty when none. Lives as
 * long as the connection. */
struct slice tls_context_server_name(const SSL *ssl);

/* The handshake is over: gives up what only it needed and OpenSSL would keep as long as the connection
 * stands, copies of the certificates' chains and the keys that were exchanged. Ours, read out of memory,
 * would decrypt what somebody has recorded. */
void tls_context_settle(SSL *ssl);

/* Frees what tls_context_open() gave. */
void tls_context_close(SSL *ssl);

#endif
