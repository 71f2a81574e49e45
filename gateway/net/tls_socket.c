/*
 * The BIO of net/tls_socket.h. Called by OpenSSL on behalf of net/tls.c. What is read ahead lies in one
 * buffer of the thread while OpenSSL is at work on a connection, and in memory of the connection only if
 * something is left of it then; so does what is left of a record on its way out: an idle connection holds
 * nothing, a slow reader no more than it has not taken.
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

/* The end of a record that has been written. */
struct remainder {
    uint32_t at, len;
    char bytes[];
};

struct tls_socket {
    const SSL *ssl;
    const char *ahead;        /* bytes read and not asked for yet: in the thread's buffer, or in `kept` */
    char *kept;               /* NULL unless something was left when OpenSSL had done its work */
    struct remainder *unsent; /* NULL when everything has left */
    int fd;
    uint32_t ahead_len;
    bool in_record, more, eof;
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

static bool may_retry(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

static void keep_unsent(struct tls_socket *socket, const char *at, size_t len)
{
    socket->unsent = malloc(sizeof *socket->unsent + len);
    CHECK(socket->unsent != NULL);
    socket->unsent->at = 0;
    socket->unsent->len = (uint32_t)len;
    memcpy(socket->unsent->bytes, at, len);
}

int tls_socket_flush(BIO *bio)
{
    struct tls_socket *socket = socket_of(bio);
    struct remainder *unsent = socket->unsent;
    if (unsent == NULL)
        return 0;
    ssize_t sent = send(socket->fd, unsent->bytes + unsent->at, unsent->len - unsent->at, MSG_NOSIGNAL);
    unsent->at += sent > 0 ? (uint32_t)sent : 0;
    if (unsent->at < unsent->len) {
        errno = sent < 0 ? errno : EAGAIN;
        return -1;
    }
    free(unsent);
    socket->unsent = NULL;
    return 0;
}

static int sock_write(BIO *bio, const char *at, int len)
{
    struct tls_socket *socket = socket_of(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent = tls_socket_flush(bio);
    if (sent == 0) {
        bool more = socket->more || is_ticket_before_answer(socket);
        sent = send(socket->fd, at, (size_t)len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    }
    bool full = may_retry(sent);
    if (socket->in_record && socket->unsent == NULL && (full || (sent > 0 && sent < len))) {
        keep_unsent(socket, at + (full ? 0 : sent), (size_t)(len - (full ? 0 : sent)));
        return len;
    }
    if (full)
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
    if (may_retry(got))
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
    free(socket->unsent);
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

void tls_socket_begin_record(BIO *bio, bool more)
{
    struct tls_socket *socket = socket_of(bio);
    socket->in_record = true;
    socket->more = more;
}

bool tls_socket_end_record(BIO *bio)
{
    struct tls_socket *socket = socket_of(bio);
    socket->in_record = socket->more = false;
    return socket->unsent == NULL;
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
