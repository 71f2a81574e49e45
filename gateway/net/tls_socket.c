/*
 * The BIO of net/tls_socket.h. Called by OpenSSL on behalf of net/tls.c. What is read ahead lies in one
 * buffer of the thread while OpenSSL is at work on a connection, and in memory of the connection only if
 * something is left of it then: an idle connection holds nothing.
 */
#include "net/tls_socket.h"

#include "base/check.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    AHEAD_MAX = 32 * 1024, /* bytes of one read ahead: a record of the largest size, or many small ones */
    DIRECT_MIN = 4 * 1024  /* who asks for that much gets it without the detour */
};

struct tls_socket {
    const SSL *ssl;
    const char *ahead; /* bytes read and not asked for yet: in the thread's buffer, or in `kept` */
    char *kept;        /* NULL unless something was left when OpenSSL had done its work */
    int fd;
    uint32_t ahead_len;
    bool more, eof;
};

static _Thread_local char buffer[AHEAD_MAX];

static struct tls_socket *socket_of(BIO *bio)
{
    return BIO_get_data(bio);
}

/* Nobody waits for it. The kernel lets go of it after a fifth of a second, if the answer takes longer. */
static bool is_ticket_before_answer(const struct tls_socket *socket)
{
    return socket->ahead_len > 0 && SSL_get_state(socket->ssl) == TLS_ST_SW_SESSION_TICKET;
}

static int sock_write(BIO *bio, const char *at, int len)
{
    struct tls_socket *socket = socket_of(bio);
    BIO_clear_retry_flags(bio);
    bool more = socket->more || is_ticket_before_answer(socket);
    ssize_t sent = send(socket->fd, at, (size_t)len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int take_ahead(struct tls_socket *socket, char *at, size_t room)
{
    size_t len = room < socket->ahead_len ? room : socket->ahead_len;
    memcpy(at, socket->ahead, len);
    socket->ahead += len;
    socket->ahead_len -= (uint32_t)len;
    return (int)len;
}

static int sock_read(BIO *bio, char *at, int room)
{
    struct tls_socket *socket = socket_of(bio);
    BIO_clear_retry_flags(bio);
    if (socket->ahead_len > 0)
        return take_ahead(socket, at, (size_t)room);
    bool direct = room >= DIRECT_MIN;
    ssize_t got = recv(socket->fd, direct ? at : buffer, direct ? (size_t)room : sizeof buffer, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(bio);
    socket->eof = got == 0;
    if (direct || got <= 0)
        return (int)got;
    socket->ahead = buffer;
    socket->ahead_len = (uint32_t)got;
    return take_ahead(socket, at, (size_t)room);
}

static long sock_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return socket_of(bio)->eof;
    default: return 0;
    }
}

static int sock_destroy(BIO *bio)
{
    struct tls_socket *socket = socket_of(bio);
    free(socket->kept);
    free(socket);
    return 1;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    CHECK(method != NULL);
    BIO_meth_set_write(method, sock_write);
    BIO_meth_set_read(method, sock_read);
    BIO_meth_set_ctrl(method, sock_ctrl);
    BIO_meth_set_destroy(method, sock_destroy);
}

BIO *tls_socket_new(int fd, const SSL *ssl)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = BIO_new(method);
    struct tls_socket *socket = calloc(1, sizeof *socket);
    if (bio == NULL || socket == NULL) {
        BIO_free(bio);
        free(socket);
        return NULL;
    }
    socket->fd = fd;
    socket->ssl = ssl;
    BIO_set_data(bio, socket);
    BIO_set_init(bio, 1);
    return bio;
}

void tls_socket_set_more(BIO *bio, bool more)
{
    socket_of(bio)->more = more;
}

bool tls_socket_has_ahead(BIO *bio)
{
    return socket_of(bio)->ahead_len > 0;
}

void tls_socket_settle(BIO *bio)
{
    struct tls_socket *socket = socket_of(bio);
    if (socket->ahead_len == 0) {
        free(socket->kept);
        socket->kept = NULL;
    } else if (socket->kept == NULL) {
        socket->kept = malloc(socket->ahead_len);
        CHECK(socket->kept != NULL);
        memcpy(socket->kept, socket->ahead, socket->ahead_len);
        socket->ahead = socket->kept;
    }
}
