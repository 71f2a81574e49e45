/*
 * The listeners of net/listener.h. Called by process/thread.c; hands every accepted socket upward and keeps
 * nothing of it.
 */
#include "net/listener.h"

#include "base/counters.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096, ACCEPTS_PER_TURN = 32, REST_US = 100 * 1000 };

struct listener {
    struct loop *loop;
    int fd;
    struct event event;
    struct timer rest;
    struct crowd *crowd;
    listener_accept_fn *on_accept;
    void *arg;
};

static int close_keeping_errno(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int bind_only(int fd, const struct address *address)
{
    return bind(fd, &address->any, address->len) == 0 ? fd : close_keeping_errno(fd);
}

static int bind_and_listen(int fd, const struct address *address)
{
    fd = bind_only(fd, address);
    return fd < 0 || listen(fd, LISTEN_BACKLOG) == 0 ? fd : close_keeping_errno(fd);
}

static int tcp_socket(const struct address *address, bool shared)
{
    int on = 1, off = 0;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    return fd;
}

/* A socket on an address of this machine: one of several that listen there, or the only one, which only tries
 * and must not listen: a client would be taken in and dropped. */
static int bind_tcp(struct slice host, unsigned port, bool shared)
{
    struct address address;
    if (!address_from_literal(host, port, &address)) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = tcp_socket(&address, shared);
    if (fd < 0)
        return -1;
    return shared ? bind_and_listen(fd, &address) : bind_only(fd, &address);
}

static int bind_name(const struct endpoint_name *name, bool shared)
{
    if (name->host.len > 0)
        return bind_tcp(name->host, name->port, shared);
    int fd = bind_tcp(SLICE("::"), name->port, shared);
    if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        fd = bind_tcp(SLICE("0.0.0.0"), name->port, shared);
    return fd;
}

static int bind_unix(struct slice path)
{
    struct address address;
    struct stat status;
    if (!address_from_unix_path(path, &address)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (lstat(address.un.sun_path, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(address.un.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : bind_and_listen(fd, &address);
}

int listener_bind(const struct endpoint_name *name)
{
    return name->is_unix ? bind_unix(name->host) : bind_name(name, true);
}

/* Its file may be one that a gateway has left behind, or be somebody's who listens. */
static bool is_path_free(struct slice path)
{
    struct address address;
    if (!address_from_unix_path(path, &address))
        return true; /* binding says what is wrong */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is_used = connect(fd, &address.any, address.len) == 0 || errno == EAGAIN;
    close(fd);
    errno = EADDRINUSE;
    return !is_used;
}

bool listener_is_free(const struct endpoint_name *name)
{
    if (name->is_unix)
        return is_path_free(name->host);
    int fd = bind_name(name, false);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* An IPv4 client of a socket that serves both families is an IPv4 client. */
static void unmap(struct address *address)
{
    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr))
        return;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = address->in6.sin6_port};
    memcpy(&in.sin_addr, &address->in6.sin6_addr.s6_addr[12], sizeof in.sin_addr);
    address->in = in;
    address->len = sizeof in;
}

static void rest(struct listener *listener)
{
    counters_add(listener->loop->counters, COUNTER_accepts_paused, 1);
    event_del(&listener->event);
    timer_set(listener->loop->timers, &listener->rest, REST_US);
}

/* Accepts one; false when nothing more can be accepted in this turn. */
static bool accept_one(struct listener *listener)
{
    struct address remote;
    struct crowd_place place;
    if (!crowd_enter(listener->crowd, &place)) {
        rest(listener);
        return false;
    }
    memset(&remote, 0, sizeof remote);
    remote.len = sizeof remote.un;
    int fd = accept4(listener->fd, &remote.any, &remote.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        unmap(&remote);
        listener->on_accept(listener->arg, fd, &remote, place);
        return true;
    }
    crowd_leave(&place);
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        rest(listener);
        return false;
    }
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(arg); i++)
        continue;
}

static void on_rested(struct timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, listener, rest);
    event_add(&listener->event, NULL);
}

struct listener *listener_start(struct loop *loop, int fd, struct crowd *crowd, listener_accept_fn *on_accept,
                                void *arg)
{
    struct listener *listener = calloc(1, sizeof *listener);
    CHECK(listener != NULL);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* its clients' sockets inherit it */
    listener->loop = loop;
    listener->fd = fd;
    listener->crowd = crowd;
    listener->on_accept = on_accept;
    listener->arg = arg;
    listener->rest.fire = on_rested;
    CHECK(event_assign(&listener->event, loop->base, fd, EV_READ | EV_PERSIST, on_acceptable, listener) == 0);
    event_add(&listener->event, NULL);
    return listener;
}

void listener_stop(struct listener **listener_at)
{
    struct listener *listener = *listener_at;
    *listener_at = NULL;
    if (listener == NULL)
        return;
    event_del(&listener->event);
    timer_clear(listener->loop->timers, &listener->rest);
    for (int i = 0; i < LISTEN_BACKLOG && accept_one(listener); i++)
        continue;
    event_del(&listener->event);
    timer_clear(listener->loop->timers, &listener->rest);
    close(listener->fd);
    free(listener);
}
