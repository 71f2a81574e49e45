/* Load for WebSocket scenarios: N connections, each sends a message, waits for its echo, checks it, sends the
 * next.
 *
 * bench/run.py starts it. It prints "ready" when every connection is upgraded and begins at a line on stdin;
 * after the given seconds it prints one line, "messages seconds p50 p99 p999 faults" (latencies in
 * microseconds), and holds the connections open until stdin ends, so that the proxy can be measured without
 * set-up and teardown. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 60 * 1024, EVENTS = 256, SLOWEST = 2 * 1000 * 1000 };

struct connection {
    int fd;
    bool waits_writable;
    size_t sent, received; /* of the frame under way */
    uint64_t began;        /* when its first byte was written, microseconds */
    char echo[LONGEST + 4];
};

static char request_frame[LONGEST + 8], echo_frame[LONGEST + 4];
static size_t request_length, echo_length;
static uint32_t histogram[SLOWEST + 1];
static uint64_t messages, faults;
static int poller;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

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
    static const char upgrade[] = "GET /ws HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\n"
                                  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
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
    if (strncmp(head, "HTTP/1.1 101 ", 13) != 0 || !strstr(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        die(head);
    fcntl(conn->fd, F_SETFL, O_NONBLOCK);
    poll_for(conn, EPOLL_CTL_ADD, EPOLLIN);
}

static bool send_some(struct connection *conn)
{
    if (conn->sent == 0)
        conn->began = now();
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
    uint64_t took = now() - conn->began;
    histogram[took < SLOWEST ? took : SLOWEST]++;
    messages++;
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

static size_t percentile(double share)
{
    uint64_t wanted = (uint64_t)((double)messages * share), seen = 0;
    size_t took = 0;
    while (took < SLOWEST && (seen += histogram[took]) < wanted)
        took++;
    return took;
}

static void run(struct connection *conns, size_t count, double seconds)
{
    struct epoll_event events[EVENTS];
    uint64_t begin = now(), end = begin + (uint64_t)(seconds * 1e6);
    for (size_t i = 0; i < count; i++)
        faults += !send_some(&conns[i]);
    while (now() < end) {
        int n = epoll_wait(poller, events, EVENTS, 100);
        for (int i = 0; i < n; i++)
            serve(events[i].data.ptr, events[i].events);
    }
    printf("%llu %.6f %zu %zu %zu %llu\n", (unsigned long long)messages, (double)(now() - begin) / 1e6,
           percentile(0.5), percentile(0.99), percentile(0.999), (unsigned long long)faults);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fprintf(stderr, "usage: ws_load PORT CONNECTIONS BYTES SECONDS\n"), 2;
    size_t count = strtoul(argv[2], NULL, 10), size = strtoul(argv[3], NULL, 10);
    if (size > LONGEST)
        return fprintf(stderr, "ws_load: at most %d bytes\n", LONGEST), 2;
    make_frames(size);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *conns = calloc(count, sizeof *conns);
    if (!conns)
        die("calloc");
    for (size_t i = 0; i < count; i++)
        open_connection(&conns[i], (uint16_t)strtoul(argv[1], NULL, 10));
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF)
        return 1;
    run(conns, count, strtod(argv[4], NULL));
    while (getchar() != EOF)
        continue;
    return faults > 0;
}
