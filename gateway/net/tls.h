/*
 * TLS on one connected socket: OpenSSL's answers made five results. It never waits and never looks at events;
 * net/conn.c owns the socket and decides when to ask again. Belongs to one thread.
 */
#ifndef PORTICO_NET_TLS_H
#define PORTICO_NET_TLS_H

#include "net/tls_client.h"

/* Most plaintext of one record (RFC 8446 section 5.1). */
enum { TLS_RECORD_MAX = 16 * 1024 };

/* How a step went. */
enum tls_result {
    TLS_OK,
    TLS_WANT_READ,  /* ask again when the socket is readable */
    TLS_WANT_WRITE, /* ask again when the socket is writable */
    TLS_END,        /* the other side sends no more */
    TLS_FAILED      /* only tls_free() is allowed */
};

struct tls;

/* What the handshake has agreed on. Texts live as long as the struct tls. */
struct tls_facts {
    bool h2;                  /* by ALPN */
    bool resumed;             /* an earlier session goes on */
    struct slice server_name; /* lower case; empty when the client named none */
    struct slice version;     /* "TLSv1.3" */
    struct slice cipher;      /* OpenSSL's name of it */
    struct slice rule;        /* tls_context_rule() that held for the client */
    struct slice subject;     /* of the verified client certificate (RFC 2253); empty when there is none */
};

/* The server's side on a socket, which stays the caller's; takes a reference to the context. NULL when memory
 * is short. */
struct tls *tls_accept(struct tls_context *server, int fd);

/* The client's side likewise; takes a reference to the dialer. */
struct tls *tls_connect(struct tls_dialer *dialer, int fd);

/* Why a client's handshake has failed, as an errno: EKEYEXPIRED or EKEYREJECTED when the server's certificate
 * is not valid now or not trusted, ENOKEY when it is for another name, else EPROTO. */
int tls_refusal(const struct tls *tls);

/* One step of the handshake. */
MUST_USE enum tls_result tls_handshake(struct tls *tls);

/* What the handshake has agreed on; after it has ended with TLS_OK. */
struct tls_facts tls_facts(struct tls *tls);

/* Reads at most `room` bytes of one record; `got_out` is 0 unless TLS_OK. MUST be followed, after any number
 * of such reads, by tls_settle() before anything is read on another connection. */
MUST_USE enum tls_result tls_read(struct tls *tls, void *at, size_t room, size_t *got_out);

/* Ends a row of tls_read(). */
void tls_settle(struct tls *tls);

/* Whether bytes wait that the socket will not announce again. */
bool tls_has_pending(const struct tls *tls);

/* Writes some of the bytes, at most one record's; `more` follow at once, if the socket takes them.
 * `taken_out` says how many; with TLS_WANT_WRITE they have not all left, and tls_flush() comes next. If none
 * were taken, the same bytes, or these and more behind them, MUST be offered again. */
MUST_USE enum tls_result tls_write(struct tls *tls, struct slice bytes, bool more, size_t *taken_out);

/* Sends what is left of the record that was written last; TLS_OK when nothing is. */
MUST_USE enum tls_result tls_flush(struct tls *tls);

/* Says once that no more is sent, if the connection is in a state to say so. */
void tls_end(struct tls *tls);

/* Frees it and stores NULL; accepts NULL. The other side is told nothing. */
void tls_free(struct tls **tls);

#endif
