/*
 * Asks the OCSP responders of the certificates in use, and again in good time before an answer expires. Runs
 * on a thread of its own: no handshake and no reload waits for a responder, whatever it does. What answers
 * are worth is judged by net/tls_staple.h.
 */
#ifndef PORTICO_PROCESS_OCSP_H
#define PORTICO_PROCESS_OCSP_H

#include "net/tls_context.h"

struct ocsp;

/* Starts the thread. */
struct ocsp *ocsp_start(void);

/* From now on asks for the certificates of this context, and of no other; NULL: for none. Takes a reference.
 * The control thread only. */
void ocsp_follow(struct ocsp *ocsp, struct tls_context *server);

/* Breaks off what is under way, ends the thread and stores NULL; accepts NULL. */
void ocsp_stop(struct ocsp **ocsp);

#endif
