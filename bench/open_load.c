/* Open-loop load: requests are due at a fixed rate, whether or not earlier ones are answered.
 *
 * bench/run.py starts it, with "plain" or "tls". It prints "ready" when every connection has had one answer
 * and begins at a line on stdin; after the given seconds it prints one line, "requests seconds p50 p99 p999
 * faults" (latencies in microseconds). A latency counts from the moment the request was due: one that waited
 * for a free connection, or for this program, waited (no coordinated omission). Cipher and group are what
 * OPENSSL_CONF says. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BODY = 128, ANSWER = 4096, EVENTS = 256, SLOWEST = 10 * 1000 * 1000, DRAIN = 2 * 1000 * 1000 };

struct connection {
    int fd;
    SSL *ssl;                /* NULL when plain */
    struct connection *next; /* of those that are free */
    uint64_t due;            /* of the request under way, microseconds */
    size_t length;
    char answer[ANSWER];
};

static const char request[] = "GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n";
static struct connection *unused;
static uint32_t histogram[SLOWEST + 1];
static uint64_t answered, faults, under_way;
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

static ssize_t put(struct connection *conn)
{
    if (conn->ssl)
        return SSL_write(conn->ssl, request, sizeof request - 1);
    return send(conn->fd, request, sizeof request - 1, MSG_NOSIGNAL);
}

/* Bytes read, 0 when there are none yet, -1 when the connection is of no more use. */
static ssize_t take(struct connection *conn)
{
    char *at = conn->answer + conn->length;
    size_t room = ANSWER - 1 - conn->length;
    if (!conn->ssl) {
        ssize_t n = recv(conn->fd, at, room, 0);
        return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
    }
    int n = SSL_read(conn->ssl, at, (int)room);
    return n > 0 ? n : SSL_get_error(conn->ssl, n) == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* 1 when the answer is complete and right, 0 when there is more to come, -1 when it is wrong. */
static int read_answer(struct connection *conn)
{
    ssize_t n = take(conn);
    if (n <= 0)
        return (int)n;
    conn->length += (size_t)n;
    conn->answer[conn->length] = '\0';
    const char *body = strstr(conn->answer, "\r\n\r\n");
    if (!body || conn->length < (size_t)(body + 4 - conn->answer) + BODY)
        return conn->length < ANSWER - 1 ? 0 : -1;
    return strncmp(conn->answer, "HTTP/1.1 200", 12) == 0 ? 1 : -1;
}

static void release(struct connection *conn)
{
    conn->length = 0;
    conn->next = unused;
    unused = conn;
}

/* A connection that failed is not used again. */
static void fail(struct connection *conn)
{
    faults++;
    epoll_ctl(poller, EPOLL_CTL_DEL, conn->fd, NULL);
}

static void serve(struct connection *conn)
{
    int read = read_answer(conn);
    if (read == 0)
        return;
    under_way--;
    if (read < 0) {
        fail(conn);
        return;
    }
    uint64_t took = now() - conn->due;
    histogram[took < SLOWEST ? took : SLOWEST]++;
    answered++;
    release(conn);
}

/* Blocking: nothing is measured yet. */
static void open_connection(struct connection *conn, uint16_t port, SSL_CTX *context)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (context) {
        conn->ssl = SSL_new(context);
        if (!conn->ssl || !SSL_set_fd(conn->ssl, conn->fd) || SSL_connect(conn->ssl) != 1)
            die("handshake");
    }
    int read = 0;
    if (put(conn) <= 0)
        die("send");
    while (read == 0)
        read = read_answer(conn);
    if (read < 0)
        die("no good answer");
    fcntl(conn->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, conn->fd, &event) != 0)
        die("epoll_ctl");
    release(conn);
}

/* Sends what is due by now and has a connection; returns when the next one is due. */
static uint64_t send_due(uint64_t begin, double apart, uint64_t wanted, uint64_t *sent)
{
    for (; *sent < wanted; ++*sent) {
        uint64_t due = begin + (uint64_t)((double)*sent * apart);
        if (due > now() || !unused)
            return due;
        struct connection *conn = unused;
        unused = conn->next;
        conn->due = due;
        if (put(conn) <= 0) {
            fail(conn);
            continue;
        }
        under_way++;
    }
    return UINT64_MAX;
}

static size_t percentile(double share)
{
    uint64_t wanted = (uint64_t)((double)answered * share), seen = 0;
    size_t took = 0;
    while (took < SLOWEST && (seen += histogram[took]) < wanted)
        took++;
    return took;
}

static void wait_until(uint64_t due, uint64_t latest)
{
    struct epoll_event events[EVENTS];
    uint64_t at = now(), until = unused && due < latest ? due : latest, left = until > at ? until - at : 0;
    struct timespec pause = {.tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000};
    int n = epoll_pwait2(poller, events, EVENTS, &pause, NULL);
    for (int i = 0; i < n; i++)
        serve(events[i].data.ptr);
}

static void run(double rate, double seconds)
{
    uint64_t wanted = (uint64_t)(rate * seconds), sent = 0, begin = now();
    uint64_t latest = begin + (uint64_t)(seconds * 1e6) + DRAIN;
    uint64_t due = 0;
    while ((sent < wanted || under_way > 0) && now() < latest) {
        due = send_due(begin, 1e6 / rate, wanted, &sent);
        wait_until(due, latest);
    }
    faults += wanted - sent + under_way;
    printf("%llu %.6f %zu %zu %zu %llu\n", (unsigned long long)answered, (double)(now() - begin) / 1e6,
           percentile(0.5), percentile(0.99), percentile(0.999), (unsigned long long)faults);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return fprintf(stderr, "usage: open_load PORT CONNECTIONS RATE plain|tls SECONDS\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    size_t count = strtoul(argv[2], NULL, 10);
    SSL_CTX *context = strcmp(argv[4], "tls") == 0 ? SSL_CTX_new(TLS_client_method()) : NULL;
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *conns = calloc(count, sizeof *conns);
    if (!conns)
        die("calloc");
    for (size_t i = 0; i < count; i++)
        open_connection(&conns[i], (uint16_t)strtoul(argv[1], NULL, 10), context);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF)
        return 1;
    run(strtod(argv[3], NULL), strtod(argv[5], NULL));
    while (getchar() != EOF)
        continue;
    return faults > 0;
}
