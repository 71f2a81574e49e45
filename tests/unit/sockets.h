/*
 * For the unit tests that need sockets: connected pairs of them, none of which blocks.
 */
#ifndef PORTICO_TESTS_UNIT_SOCKETS_H
#define PORTICO_TESTS_UNIT_SOCKETS_H

#include "base/address.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { PAIR_PATIENCE_MS = 20 * 1000 };

static inline void unblock(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

/* Two ends of a Unix stream, non-blocking. */
static inline void make_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

/* A socket that listens on a free port of the loopback, and its address. */
static inline int listen_somewhere(struct address *address_out)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(address_out, 0, sizeof *address_out);
    assert_true(address_from_literal(SLICE("127.0.0.1"), 0, address_out));
    assert_int_equal(bind(fd, &address_out->any, address_out->len), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, &address_out->any, &address_out->len), 0);
    unblock(fd);
    return fd;
}

static inline int connect_to(const struct address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &address->any, address->len), 0);
    unblock(fd);
    return fd;
}

static inline void await_readable(int fd)
{
    struct pollfd asked = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&asked, 1, PAIR_PATIENCE_MS), 1);
}

/* The same as make_pair() over TCP, for what only TCP does: resets, and holding back what more shall follow.
 */
static inline void make_tcp_pair(int ends[2])
{
    struct address address;
    int listening = listen_somewhere(&address);
    ends[0] = connect_to(&address);
    await_readable(listening);
    ends[1] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(ends[1] >= 0);
    close(listening);
}

/* Nothing waits for an acknowledgement: what is still held back was meant to be. */
static inline void send_at_once(int fd)
{
    int on = 1;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
}

#endif
