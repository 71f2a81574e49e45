/*
 * What OpenSSL reads and writes on: a BIO on a non-blocking socket that asks the kernel less often than
 * OpenSSL's own. One read brings a whole small record, not first its header; records of which more are about
 * to follow are held back by the kernel until they fill a segment, and so is the ticket for a client that has
 * asked with the end of its handshake: it leaves with the answer. Belongs to one thread.
 */
#ifndef PORTICO_NET_TLS_SOCKET_H
#define PORTICO_NET_TLS_SOCKET_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* A BIO on the socket, which stays the caller's; for `ssl`, whose SSL_set_bio() takes it over. NULL when
 * memory is short. */
BIO *tls_socket_new(int fd, const SSL *ssl);

/* Whether what is written next is the beginning of more that will be written at once (MSG_MORE of send(2)).
 */
void tls_socket_set_more(BIO *socket, bool more);

/* Whether bytes have been read off the socket that nobody has asked for yet: it will not announce them. */
bool tls_socket_has_ahead(BIO *socket);

/* Lets go of the thread's buffer for what is read ahead, so that another connection can use it. MUST be
 * called after every call of OpenSSL that may have read, before any for another connection. */
void tls_socket_settle(BIO *socket);

#endif
