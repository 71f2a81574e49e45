/* What carrying bytes from socket to socket costs when nothing is done with them: no HTTP, no rule, no timeout, and
 * a connection to the upstream for each of a client's. A mark on the scale and no proxy: nobody who reads heads
 * can cost less with the same calls.
 *
 * usage: relay PORT UPSTREAM copy|splice */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>

#include "load/dial.h"
#include "load/program.h"

enum { EVENTS = 512, BACKLOG = 4096, BUFFER = 64 * 1024, PIPE = 256 * 1024 };

/* One end of a relayed connection. What the other end brought and this one has not taken is kept; until it is gone,
 * nothing more is read there. */
struct end {
    int fd;
    bool dead;
    struct end *other;
    char *kept;
    size_t kept_length;
};

static int poller, through[2];
static bool splices;
static uint16_t upstream;
static char buffer[BUFFER];

static void poll_for(struct end *end, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = end};
    if (epoll_ctl(poller, operation, end->fd, &event) != 0)
        die("epoll_ctl");
}

static struct end *open_end(int fd)
{
    struct end *end = calloc(1, sizeof *end);
    if (!end)
        die("calloc");
    end->fd = fd;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    poll_for(end, EPOLL_CTL_ADD, EPOLLIN);
    return end;
}

/* Events of this turn may still name them, so the structs stay: a benchmark opens few connections. */
static void end_both(struct end *end)
{
    for (; !end->dead; end = end->other) {
        end->dead = true;
        free(end->kept);
        close(end->fd);
    }
}

static void accept_all(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        int onward = dial(upstream, 0);
        if (onward < 0)
            die("upstream");
        struct end *client = open_end(fd), *server = open_end(onward);
        client->other = server;
        server->other = client;
    }
}

static bool waits(ssize_t moved)
{
    return moved < 0 && (errno == EAGAIN || errno == EINTR);
}

static void keep(struct end *to, const char *bytes, size_t length)
{
    to->kept = malloc(length);
    if (!to->kept)
        die("malloc");
    memcpy(to->kept, bytes, length);
    to->kept_length = length;
    poll_for(to->other, EPOLL_CTL_MOD, 0);
    poll_for(to, EPOLL_CTL_MOD, EPOLLOUT);
}

static void send_kept(struct end *to)
{
    ssize_t sent = send(to->fd, to->kept, to->kept_length, MSG_NOSIGNAL);
    if (waits(sent))
        return;
    if (sent < 0) {
        end_both(to);
        return;
    }
    to->kept_length -= (size_t)sent;
    memmove(to->kept, to->kept + sent, to->kept_length);
    if (to->kept_length > 0)
        return;
    free(to->kept);
    to->kept = NULL;
    poll_for(to, EPOLL_CTL_MOD, EPOLLIN);
    poll_for(to->other, EPOLL_CTL_MOD, EPOLLIN);
}

static void copy(struct end *from)
{
    ssize_t got = recv(from->fd, buffer, sizeof buffer, 0);
    if (waits(got))
        return;
    ssize_t sent = got > 0 ? send(from->other->fd, buffer, (size_t)got, MSG_NOSIGNAL) : 0;
    size_t taken = sent > 0 ? (size_t)sent : 0;
    if (got <= 0 || (sent < 0 && !waits(sent)))
        end_both(from);
    else if (taken < (size_t)got)
        keep(from->other, buffer + taken, (size_t)got - taken);
}

/* The one pipe is empty again before anything else is moved: what the other end does not take at once is kept. */
static void splice_through(struct end *from)
{
    static char rest[PIPE];
    unsigned how = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    ssize_t got = splice(from->fd, NULL, through[1], NULL, PIPE, how);
    if (waits(got))
        return;
    ssize_t sent = got > 0 ? splice(through[0], NULL, from->other->fd, NULL, (size_t)got, how) : 0;
    size_t left = got > 0 ? (size_t)(got - (sent > 0 ? sent : 0)) : 0;
    if (left > 0 && read(through[0], rest, left) != (ssize_t)left)
        die("pipe");
    if (got <= 0 || (sent < 0 && !waits(sent)))
        end_both(from);
    else if (left > 0)
        keep(from->other, rest, left);
}

static void serve(struct end *end, uint32_t events)
{
    if (end->dead)
        return;
    if (events & EPOLLOUT)
        send_kept(end);
    else if (splices)
        splice_through(end);
    else
        copy(end);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, BACKLOG) != 0)
        die("listen");
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: relay PORT UPSTREAM copy|splice\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    upstream = (uint16_t)number_of(argv[2], UINT16_MAX);
    splices = strcmp(argv[3], "splice") == 0;
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (pipe2(through, O_NONBLOCK | O_CLOEXEC) != 0 || fcntl(through[0], F_SETPIPE_SZ, PIPE) < 0)
        die("pipe");
    int listener = listen_on((uint16_t)number_of(argv[1], UINT16_MAX));
    struct epoll_event accepts = {.events = EPOLLIN}, events[EVENTS];
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &accepts) != 0)
        die("epoll_ctl");
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                serve(events[i].data.ptr, events[i].events);
            else
                accept_all(listener);
        }
    }
}
