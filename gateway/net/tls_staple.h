/*
 * The proof that a certificate is not revoked (OCSP, RFC 6960), for the server to show in its handshakes (RFC
 * 6066 section 8). There is one staple for each certificate, whichever contexts show it: what has been
 * fetched stays over reloads. Says what to ask the responder and judges its answer; the asking is
 * process/ocsp.c's. Any thread may call anything here; a handshake waits for nobody.
 */
#ifndef PORTICO_NET_TLS_STAPLE_H
#define PORTICO_NET_TLS_STAPLE_H

#include "net/tls_context.h"

#include <stdint.h>

/* See above. */
struct tls_staple;

/* What an answer of the responder is. */
enum tls_staple_verdict {
    TLS_STAPLE_GOOD,    /* kept, and shown from now on */
    TLS_STAPLE_USELESS, /* not about this certificate, not valid now, or signed by a stranger: ignored */
    TLS_STAPLE_REVOKED  /* the certificate is not to be trusted: what was kept is forgotten */
};

/* The staple of a certificate with a reference; NULL when it names no responder that speaks plain HTTP, or
 * when its issuer is not known (NULL). */
struct tls_staple *tls_staple_of(X509 *leaf, X509 *issuer);

/* One more reference. */
struct tls_staple *tls_staple_ref(struct tls_staple *staple);

/* Gives up a reference and stores NULL; accepts NULL. */
void tls_staple_unref(struct tls_staple **staple);

/* The certificate's first name, for people. Lives as long as the staple. */
const char *tls_staple_name(const struct tls_staple *staple);

/* http URL of the responder. Lives as long as the staple. */
const char *tls_staple_responder(const struct tls_staple *staple);

/* The question for it, an OCSPRequest; free() it. */
unsigned char *tls_staple_request(const struct tls_staple *staple, size_t *len_out);

/* Judges an answer. Unless it is good, `error_out` says what is wrong with it. */
MUST_USE enum tls_staple_verdict tls_staple_judge(struct tls_staple *staple, struct slice answer,
                                                  struct tls_error *error_out);

/* Seconds for which what is kept may be shown; 0 when nothing is. */
uint64_t tls_staple_seconds_left(struct tls_staple *staple);

/* A copy of what may be shown, an OCSPResponse, to be freed with OPENSSL_free(); NULL when there is nothing.
 */
unsigned char *tls_staple_copy(struct tls_staple *staple, size_t *len_out);

#endif
