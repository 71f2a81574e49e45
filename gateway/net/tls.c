/*
 * The connections of net/tls.h, with net/tls_socket.h between OpenSSL and the socket. Called by
 * net/conn_tls.c alone; every call leaves the thread's error queue empty, because OpenSSL judges a result by
 * what others left there.
 */
#include "net/tls.h"

#include "net/tls_socket.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { SUBJECT_MAX = 2048 };

struct tls {
    SSL *ssl;
    BIO *socket;
    struct tls_context *server; /* NULL on the client's side */
    struct tls_dialer *dialer;  /* NULL on the server's side */
    char *subject;              /* of the client; NULL when it has shown no certificate */
    bool open, ended, failed;
};

/* Clearing an empty queue costs as much as half of a small record. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* What both sides have in common. NULL when `ssl` is, or when memory is short: it stays the caller's. */
static struct tls *tls_new(SSL *ssl, int fd)
{
    BIO *socket = ssl ? tls_socket_new(fd, ssl) : NULL;
    if (socket == NULL) {
        forget_errors();
        return NULL;
    }
    SSL_set_bio(ssl, socket, socket);
    struct tls *tls = calloc(1, sizeof *tls);
    CHECK(tls != NULL);
    tls->ssl = ssl;
    tls->socket = socket;
    return tls;
}

struct tls *tls_accept(struct tls_context *server, int fd)
{
    SSL *ssl = tls_context_open(server);
    struct tls *tls = tls_new(ssl, fd);
    if (tls == NULL) {
        if (ssl)
            tls_context_close(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    tls->server = tls_context_ref(server);
    return tls;
}

struct tls *tls_connect(struct tls_dialer *dialer, int fd)
{
    SSL *ssl = tls_dialer_open(dialer);
    struct tls *tls = tls_new(ssl, fd);
    if (tls == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_connect_state(ssl);
    tls->dialer = tls_dialer_ref(dialer);
    return tls;
}

int tls_refusal(const struct tls *tls)
{
    switch (SSL_get_verify_result(tls->ssl)) {
    case X509_V_OK: return EPROTO;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return EKEYEXPIRED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return ENOKEY;
    default: return EKEYREJECTED;
    }
}

void tls_free(struct tls **tls_at)
{
    struct tls *tls = *tls_at;
    *tls_at = NULL;
    if (tls == NULL)
        return;
    if (tls->dialer)
        SSL_free(tls->ssl);
    else
        tls_context_close(tls->ssl);
    tls_dialer_unref(&tls->dialer);
    tls_context_unref(&tls->server);
    free(tls->subject);
    free(tls);
}

/* What OpenSSL meant by a return value that is no success. */
static enum tls_result result_of(struct tls *tls, int returned)
{
    int error = SSL_get_error(tls->ssl, returned);
    forget_errors();
    switch (error) {
    case SSL_ERROR_WANT_READ: return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE: return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN: return TLS_END;
    default: tls->failed = true; return TLS_FAILED;
    }
}

/* --- the handshake --- */

/* RFC 2253 text, in which everything that could break a line is escaped. False when it is longer than anybody
 * needs: a name that was cut could be taken for another one; or when there is none. */
static bool read_subject(struct tls *tls, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL);
    int printed = X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    char *text;
    long len = BIO_get_mem_data(bio, &text);
    bool fits = printed >= 0 && len > 0 && len <= SUBJECT_MAX;
    if (fits) {
        tls->subject = malloc((size_t)len + 1);
        CHECK(tls->subject != NULL);
        memcpy(tls->subject, text, (size_t)len);
        tls->subject[len] = '\0';
    }
    BIO_free(bio);
    return fits;
}

/* A resumed session brings the certificate of its first handshake, which may have expired since. */
static bool check_client(struct tls *tls)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (certificate == NULL)
        return true;
    return SSL_get_verify_result(tls->ssl) == X509_V_OK &&
           X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 && read_subject(tls, certificate);
}

enum tls_result tls_handshake(struct tls *tls)
{
    forget_errors();
    int returned = SSL_do_handshake(tls->ssl);
    tls_socket_settle(tls->socket);
    if (returned != 1)
        return result_of(tls, returned);
    tls->open = tls->dialer || check_client(tls);
    tls->failed = !tls->open;
    if (tls->server)
        tls_context_settle(tls->ssl);
    return tls->open ? TLS_OK : TLS_FAILED;
}

struct tls_facts tls_facts(struct tls *tls)
{
    const unsigned char *protocol = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(tls->ssl, &protocol, &len);
    struct slice none = slice_make(NULL, 0);
    struct slice name = tls->server ? tls_context_server_name(tls->ssl) : none;
    return (struct tls_facts){.h2 = slice_equal(slice_make((const char *)protocol, len), SLICE("h2")),
                              .resumed = SSL_session_reused(tls->ssl) == 1,
                              .server_name = name,
                              .rule = tls->server ? tls_context_rule(tls->server, name) : none,
                              .version = slice_of(SSL_get_version(tls->ssl)),
                              .cipher = slice_of(SSL_get_cipher_name(tls->ssl)),
                              .subject = slice_of(tls->subject)};
}

/* --- bytes --- */

enum tls_result tls_read(struct tls *tls, void *at, size_t room, size_t *got_out)
{
    forget_errors();
    *got_out = 0;
    int returned = SSL_read_ex(tls->ssl, at, room, got_out);
    return returned == 1 ? TLS_OK : result_of(tls, returned);
}

void tls_settle(struct tls *tls)
{
    tls_socket_settle(tls->socket);
}

bool tls_has_pending(const struct tls *tls)
{
    return SSL_has_pending(tls->ssl) == 1 || tls_socket_has_ahead(tls->socket);
}

enum tls_result tls_write(struct tls *tls, struct slice bytes, bool more, size_t *taken_out)
{
    forget_errors();
    *taken_out = 0;
    tls_socket_begin_record(tls->socket, more);
    int returned = SSL_write_ex(tls->ssl, bytes.at, bytes.len, taken_out);
    bool left = tls_socket_end_record(tls->socket);
    if (returned != 1)
        return result_of(tls, returned);
    return left ? TLS_OK : TLS_WANT_WRITE;
}

enum tls_result tls_flush(struct tls *tls)
{
    if (tls_socket_flush(tls->socket) == 0)
        return TLS_OK;
    if (errno == EAGAIN || errno == EINTR)
        return TLS_WANT_WRITE;
    tls->failed = true;
    return TLS_FAILED;
}

void tls_end(struct tls *tls)
{
    if (!tls->open || tls->ended || tls->failed)
        return;
    tls->ended = true;
    forget_errors();
    SSL_shutdown(tls->ssl);
    forget_errors();
}
