/* Open-loop load: requests are due at a fixed rate, whether or not earlier ones are answered.
 *
 * bench/run.py starts it, with "plain" or "tls". It prints "ready" when every connection has had one answer
 * and begins at a line on stdin; after the given seconds it prints one line, "requests seconds p50 p99 p999
 * faults" (latencies in microseconds). A latency counts from the moment the request was due: one that waited
 * for a free connection, or for this program, waited (no coordinated omission). Cipher and group are what
 * OPENSSL_CONF says. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

#include "load/answer.h"
#include "load/clock.h"
#include "load/dial.h"
#include "load/program.h"

enum { EVENTS = 256, DRAIN = 2 * 1000 * 1000, CONNECTIONS_MAX = 10000, RATE_MAX = 10 * 1000 * 1000 };

struct connection {
    int fd;
    SSL *ssl;                /* NULL when plain */
    struct connection *next; /* of those that are free */
    uint64_t due;            /* of the request under way, microseconds */
    size_t length;
    char answer[ANSWER_MOST];
};

static const char request[] = ANSWER_REQUEST;
static struct connection *unused;
static struct latencies latencies;
static uint64_t faults, under_way;
static int poller;

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
    size_t room = ANSWER_MOST - conn->length;
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
    return judge_answer(conn->answer, conn->length);
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
    latencies_add(&latencies, now_us() - conn->due);
    release(conn);
}

/* Blocking: nothing is measured yet. */
static void open_connection(struct connection *conn, uint16_t port, SSL_CTX *context)
{
    conn->fd = dial(port, 0);
    if (conn->fd < 0)
        die("connect");
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
        if (due > now_us() || !unused)
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

static void wait_until(uint64_t due, uint64_t latest)
{
    struct epoll_event events[EVENTS];
    uint64_t at = now_us(), until = unused && due < latest ? due : latest, left = until > at ? until - at : 0;
    struct timespec pause = {.tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000};
    int n = epoll_pwait2(poller, events, EVENTS, &pause, NULL);
    for (int i = 0; i < n; i++)
        serve(events[i].data.ptr);
}

static void run(double rate, uint64_t duration)
{
    uint64_t wanted = (uint64_t)(rate * (double)duration / 1e6), sent = 0, begin = now_us();
    uint64_t latest = begin + duration + DRAIN;
    while ((sent < wanted || under_way > 0) && now_us() < latest)
        wait_until(send_due(begin, 1e6 / rate, wanted, &sent), latest);
    faults += wanted - sent + under_way;
    say_figures(&latencies, now_us() - begin, faults);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return fprintf(stderr, "usage: open_load PORT CONNECTIONS RATE plain|tls SECONDS\n"), 2;
    uint16_t port = (uint16_t)number_of(argv[1], UINT16_MAX);
    size_t count = number_of(argv[2], CONNECTIONS_MAX);
    double rate = (double)number_of(argv[3], RATE_MAX);
    uint64_t duration = microseconds_of(argv[5]);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    SSL_CTX *context = strcmp(argv[4], "tls") == 0 ? SSL_CTX_new(TLS_client_method()) : NULL;
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct connection *conns = calloc(count, sizeof *conns);
    if (!conns)
        die("calloc");
    for (size_t i = 0; i < count; i++)
        open_connection(&conns[i], port, context);
    say_ready();
    wait_for_begin();
    run(rate, duration);
    wait_for_end();
    return faults > 0;
}
