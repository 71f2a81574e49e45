/* Load for the reload scenarios: what must live through a reload, each kind checked for what it carries.
 *
 *     WebSockets    echo a numbered message ten times a second each; after a hundred it is closed and opened anew, so
 *                   that at any time there are some of every age
 *     uploads       of the given size, one after the other on each connection, paced to the given bytes a second;
 *                   the upstream compares every byte (pattern.h)
 *     streams       of events, whose numbers must be without gaps
 *     newcomers     one connection and one request after the other, fifty times a second each
 *
 * bench/lib/reloads.py starts it. It prints "ready" when all WebSockets and streams are open. Each line on stdin
 * begins another phase; when stdin ends, uploads and echoes under way are waited for, and it prints one line of
 * JSON: what was done and what was lost, and per phase the 99th percentile of echoes and of newcomers' requests. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>

#include "load/answer.h"
#include "load/clock.h"
#include "load/dial.h"
#include "load/program.h"
#include "pattern.h"

enum {
    INPUT = ANSWER_MOST,
    EVENTS = 256,
    PHASES = 3, /* before the reloads, during, after */
    TURN_MS = 5,
    ECHO_US = 100 * 1000,         /* from one message of a WebSocket to its next */
    NEWCOMER_US = 20 * 1000,      /* from one newcomer to the next */
    PATIENCE_US = 20 * 1000 * 1000, /* for what is under way at the end */
    NEWCOMERS = 4,
    CONNECTIONS_MAX = 10000,
    LIFE = 100, /* messages of a WebSocket */
};

enum kind { SOCKET, UPLOAD, STREAM, NEWCOMER, KINDS };

struct connection {
    enum kind kind;
    int fd;            /* -1: none at the moment */
    bool head_seen;    /* of the response */
    bool busy;         /* something is under way that must end well */
    bool blocked;      /* the socket takes no more */
    uint64_t number;   /* of the message, upload or event under way */
    uint64_t place;    /* bytes of the upload that have been sent */
    uint64_t began_us; /* the message, upload or request */
    size_t have;
    char input[INPUT];
};

/* What was done and what went wrong, by kind. */
static uint64_t done[KINDS], lost[KINDS], wrong_uploads;
static struct latencies latencies[PHASES][KINDS];
static unsigned phase;
static bool ending;
static uint64_t upload_bytes, upload_rate;
static uint16_t port;
static int poller;

static void took(enum kind kind, uint64_t began_us)
{
    latencies_add(&latencies[phase][kind], now_us() - began_us);
    done[kind]++;
}

static void drop(struct connection *conn)
{
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    conn->head_seen = conn->busy = conn->blocked = false;
    conn->have = 0;
}

static void lose(struct connection *conn)
{
    lost[conn->kind]++;
    drop(conn);
}

static bool send_text(struct connection *conn, const char *text, size_t length)
{
    return send(conn->fd, text, length, MSG_NOSIGNAL) == (ssize_t)length; /* small: the socket takes all or is gone */
}

/* --- what each kind asks for --- */

static bool ask(struct connection *conn)
{
    char text[512];
    int n = 0;
    switch (conn->kind) {
    case SOCKET: n = snprintf(text, sizeof text, UPGRADE_REQUEST); break;
    case UPLOAD:
        n = snprintf(text, sizeof text,
                     "POST /check/%llu/%llu HTTP/1.1\r\nHost: bench.test\r\nContent-Length: %llu\r\n\r\n",
                     (unsigned long long)conn->number, (unsigned long long)upload_bytes,
                     (unsigned long long)upload_bytes);
        break;
    case STREAM: n = snprintf(text, sizeof text, "GET /events HTTP/1.1\r\nHost: bench.test\r\n\r\n"); break;
    case NEWCOMER:
        n = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n");
        break;
    case KINDS: break;
    }
    return send_text(conn, text, (size_t)n);
}

static bool open_connection(struct connection *conn)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    conn->fd = dial(port, 0);
    return conn->fd >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, conn->fd, &event) == 0;
}

/* A masked frame with the message's number, the mask being zeros. */
static bool send_message(struct connection *conn)
{
    char frame[6 + 64 + 1];
    snprintf(frame, sizeof frame, "\x82\xc0%c%c%c%c%064llu", 0, 0, 0, 0, (unsigned long long)conn->number);
    conn->busy = true;
    conn->began_us = now_us();
    return send_text(conn, frame, 6 + 64);
}

/* As many bytes as the pace allows. */
static bool send_upload(struct connection *conn, uint64_t now)
{
    uint64_t due = ending ? upload_bytes : (now - conn->began_us) * upload_rate / 1000000;
    due = due < upload_bytes ? due : upload_bytes;
    while (conn->place < due) {
        uint64_t part = due - conn->place < PATTERN_RUN ? due - conn->place : PATTERN_RUN;
        ssize_t n = send(conn->fd, pattern_at(conn->number, conn->place), part, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN;
        conn->place += (uint64_t)n;
    }
    return true;
}

static void begin_upload(struct connection *conn, uint64_t now)
{
    conn->number += 1000;
    conn->place = 0;
    conn->began_us = now;
    conn->busy = true;
    if ((conn->fd < 0 && !open_connection(conn)) || !ask(conn))
        lose(conn);
}

static void open_again(struct connection *conn)
{
    conn->busy = true;
    if (!open_connection(conn) || !ask(conn))
        lose(conn);
}

static void begin_newcomer(struct connection *conn, uint64_t now)
{
    conn->began_us = now;
    conn->busy = true;
    if (!open_connection(conn) || !ask(conn))
        lose(conn);
}

/* What time has come for. */
static void tick(struct connection *conn, uint64_t now)
{
    bool rests = !conn->busy && !ending;
    switch (conn->kind) {
    case SOCKET:
        if (conn->fd < 0 && rests)
            open_again(conn);
        else if (rests && now - conn->began_us >= ECHO_US && !send_message(conn))
            lose(conn);
        break;
    case UPLOAD:
        if (rests)
            begin_upload(conn, now);
        else if (conn->busy && !send_upload(conn, now))
            lose(conn);
        break;
    case NEWCOMER:
        if (rests && now - conn->began_us >= NEWCOMER_US)
            begin_newcomer(conn, now);
        break;
    default: break;
    }
}

/* --- what comes back --- */

static void consume(struct connection *conn, size_t length)
{
    conn->have -= length;
    memmove(conn->input, conn->input + length, conn->have);
}

static bool take_echo(struct connection *conn)
{
    char expected[2 + 64 + 1];
    if (conn->have < 2 + 64)
        return true;
    snprintf(expected, sizeof expected, "\x82\x40%064llu", (unsigned long long)conn->number);
    if (!conn->busy || memcmp(conn->input, expected, 2 + 64) != 0)
        return false;
    consume(conn, 2 + 64);
    conn->busy = false;
    conn->number++;
    took(SOCKET, conn->began_us);
    if (conn->number % LIFE == 0)
        drop(conn);
    return conn->have == 0;
}

/* The proxy may cut chunks as it likes: only the events' own text is looked at. */
static bool take_events(struct connection *conn)
{
    char *at, expected[6 + 10 + 1];
    while ((at = memmem(conn->input, conn->have, "data: ", 6)) != NULL) {
        size_t before = (size_t)(at - conn->input);
        if (conn->have - before < 6 + 10)
            break;
        snprintf(expected, sizeof expected, "data: %010llu", (unsigned long long)conn->number);
        if (memcmp(at, expected, 6 + 10) != 0)
            return false;
        conn->number++;
        done[STREAM]++;
        conn->began_us = now_us();
        consume(conn, before + 6 + 10);
    }
    return conn->have < INPUT;
}

/* A whole response to an upload or a newcomer. */
static bool take_response(struct connection *conn)
{
    int judged = judge_answer(conn->input, conn->have);
    if (judged == 0)
        return true;
    bool right = judged > 0;
    bool closes = conn->kind == NEWCOMER || memmem(conn->input, conn->have, "onnection: close", 16) != NULL;
    wrong_uploads += conn->kind == UPLOAD && !right;
    conn->have = 0;
    conn->busy = false;
    if (right && (conn->kind == NEWCOMER || conn->place == upload_bytes))
        took(conn->kind, conn->began_us);
    else
        lost[conn->kind]++;
    if (closes)
        drop(conn);
    return true;
}

static bool take(struct connection *conn)
{
    if (conn->kind == UPLOAD || conn->kind == NEWCOMER)
        return take_response(conn);
    if (!conn->head_seen) {
        char *end = memmem(conn->input, conn->have, "\r\n\r\n", 4);
        if (!end)
            return conn->have < INPUT;
        if (strncmp(conn->input, conn->kind == SOCKET ? "HTTP/1.1 101 " : "HTTP/1.1 200 ", 13) != 0)
            return false;
        conn->head_seen = true;
        conn->busy = false;
        consume(conn, (size_t)(end + 4 - conn->input));
    }
    return conn->kind == SOCKET ? take_echo(conn) : take_events(conn);
}

/* Between two requests a server may close; everything else is a loss. */
static void receive(struct connection *conn)
{
    ssize_t n = recv(conn->fd, conn->input + conn->have, INPUT - conn->have, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    conn->have += n > 0 ? (size_t)n : 0;
    if (n <= 0 && conn->kind == UPLOAD && !conn->busy)
        drop(conn);
    else if (n <= 0 || !take(conn))
        lose(conn);
}

/* --- the whole --- */

static struct connection *conns;
static size_t count;

static void hear_phase(void)
{
    char line[256];
    if (read(STDIN_FILENO, line, sizeof line) <= 0) {
        ending = true;
        epoll_ctl(poller, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    } else if (phase < PHASES - 1)
        phase++;
}

static void turn(int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(poller, events, EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        struct connection *conn = events[i].data.ptr;
        if (conn == NULL)
            hear_phase();
        else if (conn->fd >= 0)
            receive(conn);
    }
}

static bool is_open(void)
{
    for (size_t i = 0; i < count; i++)
        if ((conns[i].kind == SOCKET || conns[i].kind == STREAM) && conns[i].fd >= 0 && !conns[i].head_seen)
            return false;
    return true;
}

static bool is_busy(void)
{
    for (size_t i = 0; i < count; i++)
        if (conns[i].busy)
            return true;
    return false;
}

static double p99_ms(enum kind kind, unsigned of_phase)
{
    return (double)latencies_percentile(&latencies[of_phase][kind], 0.99) / 1e3;
}

/* What never came is lost, too: an echo, a stream's next event. */
static void count_silent(uint64_t now)
{
    for (size_t i = 0; i < count; i++)
        if (conns[i].fd >= 0 && (conns[i].busy || (conns[i].kind == STREAM && now - conns[i].began_us > 2000000)))
            lose(&conns[i]);
}

static void report(void)
{
    static const char *const names[KINDS] = {"sockets", "uploads", "streams", "newcomers"};
    printf("{\"wrong_uploads\": %llu", (unsigned long long)wrong_uploads);
    for (int kind = 0; kind < KINDS; kind++)
        printf(", \"%s\": {\"done\": %llu, \"lost\": %llu}", names[kind], (unsigned long long)done[kind],
               (unsigned long long)lost[kind]);
    printf(", \"p99_ms\": [");
    for (unsigned i = 0; i <= phase; i++)
        printf("%s{\"sockets\": %.1f, \"newcomers\": %.1f}", i ? ", " : "", p99_ms(SOCKET, i), p99_ms(NEWCOMER, i));
    printf("]}\n");
    fflush(stdout);
}

static void open_all(const size_t *numbers)
{
    for (enum kind kind = 0; kind < KINDS; kind++)
        count += numbers[kind];
    conns = calloc(count, sizeof *conns);
    if (!conns)
        die("calloc");
    size_t at = 0;
    for (enum kind kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < numbers[kind]; i++, at++) {
            conns[at] = (struct connection){.kind = kind, .fd = -1, .number = kind == STREAM ? 0 : i, .began_us = now_us()};
            if ((kind == SOCKET || kind == STREAM) && (!open_connection(&conns[at]) || !ask(&conns[at])))
                die("cannot open a connection");
        }
    uint64_t end = now_us() + PATIENCE_US;
    while (!is_open() && now_us() < end)
        turn(TURN_MS);
    if (!is_open() || lost[SOCKET] + lost[STREAM] > 0)
        die("not every WebSocket and stream has opened");
}

static void run(void)
{
    uint64_t last = 0, end = UINT64_MAX;
    while (!ending || (is_busy() && now_us() < end)) {
        turn(TURN_MS);
        uint64_t now = now_us();
        if (ending && end == UINT64_MAX)
            end = now + PATIENCE_US;
        for (size_t i = 0; now - last >= TURN_MS * 1000 && i < count; i++)
            tick(&conns[i], now);
        last = now - last >= TURN_MS * 1000 ? now : last;
    }
    count_silent(now_us());
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return fprintf(stderr, "usage: reload_load PORT SOCKETS UPLOADS BYTES BYTES_A_SECOND STREAMS\n"), 2;
    port = (uint16_t)number_of(argv[1], UINT16_MAX);
    upload_bytes = number_of(argv[4], UINT32_MAX);
    upload_rate = number_of(argv[5], UINT32_MAX);
    pattern_make();
    poller = epoll_create1(EPOLL_CLOEXEC);
    open_all((size_t[KINDS]){[SOCKET] = number_of(argv[2], CONNECTIONS_MAX),
                             [UPLOAD] = number_of(argv[3], CONNECTIONS_MAX),
                             [STREAM] = number_of(argv[6], CONNECTIONS_MAX),
                             [NEWCOMER] = NEWCOMERS});
    say_ready();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        die("stdin is to be a pipe");
    run();
    report();
    return 0;
}
