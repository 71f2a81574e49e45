/* Load for WebSocket scenarios: N connections, each sends a message, waits for its echo, checks it, sends the
 * next.
 *
 * bench/run.py starts it. It prints "ready" when every connection is upgraded and begins at a line on stdin;
 * after the given seconds it prints one line, "messages seconds p50 p99 p999 faults" (latencies in
 * microseconds), and holds the connections open until stdin ends, so that the proxy can be measured without
 * set-up and teardown. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "load/clock.h"
#include "load/dial.h"
#include "load/program.h"

enum { LONGEST = 60 * 1024, EVENTS = 256, CONNECTIONS_MAX = 10000 };

struct connection {
    int fd;
    bool waits_writable;
    size_t sent, received; /* of the frame under way */
    uint64_t began;        /* when its first byte was written, microseconds */
    char echo[LONGEST + 4];
};

static char request_frame[LONGEST + 8], echo_frame[LONGEST + 4];
static size_t request_length, echo_length;
static struct latencies latencies;
static uint64_t faults;
static int poller;

/* One final binary frame, as the client masks it and as the server echoes it (RFC 6455, 5.2). */
static void make_frames(size_t size)
{
    static const char mask[4] = {0x12, 0x34, 0x56, 0x78};
    size_t before = size < 126 ? 2 : 4;
    echo_frame[0] = (char)0x82;
    echo_frame[1] = (char)(size < 126 ? size : 126);
    if (size >= 126) {
        echo_frame[2] = (char)(size >> 8);
        echo_frame[3] = (char)size;
    }
    memcpy(request_frame, echo_frame, before);
    request_frame[1] = (char)(request_frame[1] | 0x80);
    memcpy(request_frame + before, mask, 4);
    for (size_t i = 0; i < size; i++) {
        echo_frame[before + i] = (char)('a' + i % 26);
        request_frame[before + 4 + i] = (char)(echo_frame[before + i] ^ mask[i % 4]);
    }
    echo_length = before + size;
    request_length = before + 4 + size;
}

static void poll_for(struct connection *conn, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(poller, operation, conn->fd, &event) != 0)
        die("epoll_ctl");
}

static void open_connection(struct connection *conn, uint16_t port)
{
    static const char upgrade[] = UPGRADE_REQUEST;
    conn->fd = dial(port, 0);
    if (conn->fd < 0)
        die("connect");
    if (send(conn->fd, upgrade, sizeof upgrade - 1, 0) < 0)
        die("send");
    char head[2048];
    size_t length = 0;
    do {
        ssize_t n = recv(conn->fd, head + length, sizeof head - length - 1, 0);
        if (n <= 0)
            die("no answer to the upgrade");
        length += (size_t)n;
        head[length] = '\0';
    } while (!strstr(head, "\r\n\r\n"));
    if (!is_upgraded(head))
        die(head);
    fcntl(conn->fd, F_SETFL, O_NONBLOCK);
    poll_for(conn, EPOLL_CTL_ADD, EPOLLIN);
}

static bool send_some(struct connection *conn)
{
    if (conn->sent == 0)
        conn->began = now_us();
    ssize_t n = send(conn->fd, request_frame + conn->sent, request_length - conn->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        return false;
    conn->sent += n < 0 ? 0 : (size_t)n;
    bool waits = conn->sent < request_length;
    if (waits != conn->waits_writable)
        poll_for(conn, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    conn->waits_writable = waits;
    return true;
}

static bool receive_some(struct connection *conn)
{
    ssize_t n = recv(conn->fd, conn->echo + conn->received, sizeof conn->echo - conn->received, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    conn->received += (size_t)n;
    if (conn->received < echo_length)
        return true;
    if (conn->received != echo_length || memcmp(conn->echo, echo_frame, echo_length) != 0)
        return false;
    latencies_add(&latencies, now_us() - conn->began);
    conn->sent = conn->received = 0;
    return send_some(conn);
}

static void serve(struct connection *conn, uint32_t ready)
{
    bool alive = true;
    if (ready & EPOLLOUT)
        alive = send_some(conn);
    if (alive && ready & (EPOLLIN | EPOLLHUP | EPOLLERR))
        alive = receive_some(conn);
    if (alive)
        return;
    faults++;
    epoll_ctl(poller, EPOLL_CTL_DEL, conn->fd, NULL);
}

static void run(struct connection *conns, size_t count, uint64_t duration)
{
    struct epoll_event events[EVENTS];
    uint64_t begin = now_us(), end = begin + duration;
    for (size_t i = 0; i < count; i++)
        faults += !send_some(&conns[i]);
    while (now_us() < end) {
        int n = epoll_wait(poller, events, EVENTS, 100);
        for (int i = 0; i < n; i++)
            serve(events[i].data.ptr, events[i].events);
    }
    say_figures(&latencies, now_us() - begin, faults);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fprintf(stderr, "usage: ws_load PORT CONNECTIONS BYTES SECONDS\n"), 2;
    uint16_t port = (uint16_t)number_of(argv[1], UINT16_MAX);
    size_t count = number_of(argv[2], CONNECTIONS_MAX);
    uint64_t duration = microseconds_of(argv[4]);
    make_frames(number_of(argv[3], LONGEST));
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *conns = calloc(count, sizeof *conns);
    if (!conns)
        die("calloc");
    for (size_t i = 0; i < count; i++)
        open_connection(&conns[i], port);
    say_ready();
    wait_for_begin();
    run(conns, count, duration);
    wait_for_end();
    return faults > 0;
}
