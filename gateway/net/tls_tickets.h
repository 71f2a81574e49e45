/*
 * The keys that session tickets are sealed with (RFC 5077, RFC 8446 section 4.6.1): one set for the whole
 * process, shared by all threads, certificates and configurations, so that a client resumes wherever it comes
 * back. Keys rotate by themselves; the one before the current one still opens tickets. They never leave
 * memory.
 */
#ifndef PORTICO_NET_TLS_TICKETS_H
#define PORTICO_NET_TLS_TICKETS_H

#include <openssl/types.h>

/* How long a key seals new tickets. */
enum { TLS_TICKETS_PERIOD_S = 12 * 60 * 60 };

/* Lets the context seal and open tickets with these keys. */
void tls_tickets_attach(SSL_CTX *ctx);

#endif
