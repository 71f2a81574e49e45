/*
 * TLS towards servers: whom we trust, which name we ask for and must be shown, and the sessions that can be
 * gone on with. A struct tls_client is made whole from files on the control thread, immutable and
 * reference-counted, any thread may use it; a struct tls_dialer is one thread's view of it, with its
 * sessions. Knows OpenSSL, never a socket and never the configuration.
 */
#ifndef PORTICO_NET_TLS_CLIENT_H
#define PORTICO_NET_TLS_CLIENT_H

#include "net/tls_context.h"

/* See above. */
struct tls_client;
struct tls_dialer;

/* What a client is made from. */
struct tls_client_settings {
    bool verify;         /* the certificate must be trusted and name the server */
    const char *ca_path; /* PEM file of who is trusted; NULL: those whom the system trusts */
    bool partial_chains; /* whatever the file holds is trusted, not only authorities that signed themselves */
    struct slice server_name; /* a name or an IP address; empty: none is asked for, none is checked */
    bool offer_h2;            /* in ALPN: h2 alone, else http/1.1 alone */
};

/* Makes a client, refs == 1; NULL when the file of authorities cannot be used. */
MUST_USE struct tls_client *tls_client_new(const struct tls_client_settings *settings,
                                           struct tls_error *error_out);

/* Whether both trust the same authorities (the bytes of their files; the system's are taken for the same),
 * ask for the same name and speak the same: the sessions of one are good for the other. */
bool tls_client_equals(const struct tls_client *a, const struct tls_client *b);

/* One more reference; any thread. */
struct tls_client *tls_client_ref(struct tls_client *client);

/* Gives up a reference and stores NULL; any thread; accepts NULL. */
void tls_client_unref(struct tls_client **client);

/* A thread's dialer, refs == 1, with a reference to the client. */
struct tls_dialer *tls_dialer_new(struct tls_client *client);

/* The client it was made from. */
const struct tls_client *tls_dialer_client(const struct tls_dialer *dialer);

/* One more reference. */
struct tls_dialer *tls_dialer_ref(struct tls_dialer *dialer);

/* Gives up a reference and stores NULL; accepts NULL. */
void tls_dialer_unref(struct tls_dialer **dialer);

/* Our side of one connection, going on with an earlier session if there is one; not yet bound to a socket.
 * The dialer must outlive it. NULL when memory is short. */
SSL *tls_dialer_open(struct tls_dialer *dialer);

#endif
