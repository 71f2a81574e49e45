/*
 * What OpenSSL reads and writes on: a BIO on a non-blocking socket that asks the kernel less often than
 * OpenSSL's own. One read brings a whole small record, not first its header; records of which more are about
 * to follow are held back by the kernel until they fill a segment, and so is the ticket for a client that has
 * asked with the end of its handshake: it leaves with the answer. What is left of a record that the kernel
 * does not take is kept here, so that OpenSSL needs no buffer for it. Belongs to one thread.
 */
#ifndef PORTICO_NET_TLS_SOCKET_H
#define PORTICO_NET_TLS_SOCKET_H

#include <openssl/ssl.h>
#include <stdbool.h>

/* A BIO on the socket, which stays the caller's; for `ssl`, whose SSL_set_bio() takes it over. NULL when
 * memory is short. */
BIO *tls_socket_new(int fd, const SSL *ssl);

/* A record is about to be written: with `more`, one that others follow at once (MSG_MORE of send(2)). What of
 * it the kernel does not take is kept. */
void tls_socket_begin_record(BIO *socket, bool more);

/* It has been written. Whether all of it has left. */
bool tls_socket_end_record(BIO *socket);

/* Sends what is left of a record. As send(2) without anything to say: 0, or -1 when not all of it has left.
 */
int tls_socket_flush(BIO *socket);

/* Whether bytes have been read off the socket that nobody has asked for yet: it will not announce them. */
bool tls_socket_has_ahead(BIO *socket);

/* Lets go of the thread's buffer for what is read ahead, so that another connection can use it. MUST be
 * called after every call of OpenSSL that may have read, before any for another connection. */
void tls_socket_settle(BIO *socket);

#endif
