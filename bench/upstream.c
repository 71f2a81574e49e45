/* The upstream of the benchmarks: an HTTP/1.1 keep-alive server that is cheaper than any proxy before it.
 *
 * bench/run.py starts it; it shares a core with the load, so what it costs is never taken from the proxy.
 * Answers by path: /100k, /1m, /bytes/N, /stats, /events (one each tenth of a second, numbered, without end), and
 * 128 bytes for every other one. Request bodies are discarded, or compared with the pattern of pattern.h under
 * /check/NUMBER/SIZE, which answers 422 when a byte differs; WebSocket frames are echoed. It trusts what it reads:
 * nothing but the benchmarks talks to it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "pattern.h"

enum {
    INPUT = 80 * 1024, /* the longest request head, or WebSocket frame */
    BLOCK = 1 << 20,   /* what answers are made of; longer ones repeat it */
    HEAD = 512,
    EVENT_NS = 100 * 1000 * 1000,
};

enum phase { READ_HEAD, READ_BODY, READ_CHUNK_SIZE, READ_CHUNK, READ_TRAILER, ECHO, EVENTS };

struct connection {
    int fd;
    enum phase phase;
    bool waits_writable; /* epoll reports EPOLLOUT instead of EPOLLIN */
    bool closes;         /* after what is being written */
    size_t begin, end;   /* what of input has been read and not yet used */
    uint64_t body_left;  /* request body, or chunk, still to be discarded */
    bool checks, wrong;  /* the body under /check; a byte of it differs */
    uint64_t number;     /* of the upload, or of the next event */
    uint64_t due, seen;  /* bytes of the upload */
    struct connection *next_listening; /* to events */
    uint64_t answer;     /* length of the answer to the request whose body is being discarded */
    const char *out;     /* answer head or frame still to be written, then out_block bytes of the block */
    size_t out_length;
    uint64_t out_block;
    char head[HEAD];
    char input[INPUT];
};

/* What a request head says, as far as this server cares. */
struct request {
    const char *method, *path, *websocket_key;
    uint64_t content_length;
    bool chunked, closes;
};

static char block[BLOCK];
static char date[64];
static int poller, ticker;
static struct connection *listening;
static uint64_t requests /* and WebSocket messages */, body_bytes;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void poll_for(struct connection *conn, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    if (epoll_ctl(poller, operation, conn->fd, &event) != 0)
        die("epoll_ctl");
}

/* Writes what stands in out and out_block. False when the connection is to be dropped. */
static bool flush(struct connection *conn)
{
    if (conn->out_length == 0 && conn->out_block == 0)
        return true;
    while (conn->out_length > 0 || conn->out_block > 0) {
        struct iovec parts[2] = {
            {.iov_base = (void *)(uintptr_t)conn->out, .iov_len = conn->out_length},
            {.iov_base = block, .iov_len = conn->out_block < BLOCK ? (size_t)conn->out_block : BLOCK},
        };
        ssize_t n = writev(conn->fd, parts, 2);
        if (n < 0 && errno == EAGAIN) {
            if (!conn->waits_writable)
                poll_for(conn, EPOLL_CTL_MOD, EPOLLOUT);
            conn->waits_writable = true;
            return true;
        }
        if (n <= 0)
            return false;
        size_t of_head = (size_t)n < conn->out_length ? (size_t)n : conn->out_length;
        conn->out += of_head;
        conn->out_length -= of_head;
        conn->out_block -= (size_t)n - of_head;
    }
    if (conn->waits_writable)
        poll_for(conn, EPOLL_CTL_MOD, EPOLLIN);
    conn->waits_writable = false;
    return !conn->closes;
}

/* Heads */

static const char *value_of(const char *line, const char *name)
{
    size_t length = strlen(name);
    if ((line[0] ^ name[0]) & ~0x20 || strncasecmp(line, name, length) != 0)
        return NULL;
    return line + length + strspn(line + length, " ");
}

static void read_field(struct request *request, const char *line)
{
    const char *value;
    if ((value = value_of(line, "content-length:")))
        request->content_length = strtoull(value, NULL, 10);
    else if ((value = value_of(line, "connection:")))
        request->closes = strncasecmp(value, "close", 5) == 0;
    else if ((value = value_of(line, "transfer-encoding:")))
        request->chunked = strncasecmp(value, "chunked", 7) == 0;
    else if ((value = value_of(line, "sec-websocket-key:")))
        request->websocket_key = value;
}

static struct request read_head(const char *head, const char *end)
{
    struct request request = {.method = head, .path = strchr(head, ' ') + 1};
    for (const char *line = memchr(head, '\n', (size_t)(end - head)); line && line + 3 < end;
         line = memchr(line, '\n', (size_t)(end - line)))
        read_field(&request, ++line);
    return request;
}

static uint64_t answer_length(const char *path)
{
    if (strncmp(path, "/100k", 5) == 0)
        return 100 * 1024;
    if (strncmp(path, "/1m", 3) == 0)
        return 1 << 20;
    if (strncmp(path, "/bytes/", 7) == 0)
        return strtoull(path + 7, NULL, 10);
    return 128;
}

static void answer(struct connection *conn)
{
    bool right = !conn->checks || (!conn->wrong && conn->seen == conn->due);
    conn->out_length =
        (size_t)snprintf(conn->head, HEAD,
                         "HTTP/1.1 %s\r\nServer: upstream\r\nDate: %s\r\nContent-Type: text/plain\r\n"
                         "Content-Length: %llu\r\n\r\n",
                         right ? "200 OK" : "422 Unprocessable Content", date, (unsigned long long)conn->answer);
    conn->out = conn->head;
    conn->out_block = conn->answer;
    conn->checks = false;
    conn->phase = READ_HEAD;
    requests++;
}

/* Lets a measurement count work that was under way when it began or ended. */
static void answer_stats(struct connection *conn)
{
    char body[64];
    int length = snprintf(body, sizeof body, "%llu %llu\n", (unsigned long long)requests,
                          (unsigned long long)body_bytes);
    conn->out = conn->head;
    conn->out_length =
        (size_t)snprintf(conn->head, HEAD, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, body);
}

/* An event stream: chunks until the other side closes. */
static void answer_events(struct connection *conn)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    conn->out = head;
    conn->out_length = sizeof head - 1;
    conn->phase = EVENTS;
    conn->number = 0;
    conn->next_listening = listening;
    listening = conn;
}

/* The next event of every stream that has taken the one before. */
static void tell_events(void)
{
    uint64_t ticks;
    if (read(ticker, &ticks, sizeof ticks) < 0)
        return;
    for (struct connection *conn = listening; conn; conn = conn->next_listening) {
        if (conn->out_length > 0)
            continue;
        int length = snprintf(conn->head, HEAD, "12\r\ndata: %010llu\n\n\r\n", (unsigned long long)conn->number++);
        conn->out = conn->head;
        conn->out_length = (size_t)length;
        if (!flush(conn))
            shutdown(conn->fd, SHUT_RDWR); /* it is dropped when the poller tells */
    }
}

static void stop_listening(const struct connection *conn)
{
    for (struct connection **at = &listening; *at; at = &(*at)->next_listening)
        if (*at == conn) {
            *at = conn->next_listening;
            return;
        }
}

/* RFC 6455, 4.2.2: the accept value is the hash of the key and a fixed text. */
static void answer_upgrade(struct connection *conn, const char *key)
{
    char text[64];
    unsigned char hash[SHA_DIGEST_LENGTH], encoded[32];
    int n = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    SHA1((const unsigned char *)text, (size_t)n, hash);
    EVP_EncodeBlock(encoded, hash, SHA_DIGEST_LENGTH);
    n = snprintf(conn->head, HEAD,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n\r\n",
                 encoded);
    conn->out = conn->head;
    conn->out_length = (size_t)n;
    conn->phase = ECHO;
}

/* Uses one request head. False when it is not complete yet. */
static bool use_head(struct connection *conn)
{
    char *head = conn->input + conn->begin;
    char *end = memmem(head, conn->end - conn->begin, "\r\n\r\n", 4);
    if (!end)
        return false;
    end[3] = '\0'; /* ends every text search in this head */
    conn->begin += (size_t)(end + 4 - head);
    struct request request = read_head(head, end + 2);
    conn->closes = request.closes;
    conn->answer = strncmp(request.method, "HEAD ", 5) == 0 ? 0 : answer_length(request.path);
    conn->body_left = request.content_length;
    conn->checks = strncmp(request.path, "/check/", 7) == 0;
    if (conn->checks) {
        char *size;
        conn->number = strtoull(request.path + 7, &size, 10);
        conn->due = strtoull(size + 1, NULL, 10);
        conn->seen = 0;
        conn->wrong = false;
    }
    if (strncmp(request.path, "/events ", 8) == 0)
        answer_events(conn);
    else if (request.websocket_key)
        answer_upgrade(conn, request.websocket_key);
    else if (strncmp(request.path, "/stats ", 7) == 0)
        answer_stats(conn);
    else if (request.chunked)
        conn->phase = READ_CHUNK_SIZE;
    else if (request.content_length > 0)
        conn->phase = READ_BODY;
    else
        answer(conn);
    return true;
}

/* Request bodies */

/* Compares what has come with what it should be. */
static void check(struct connection *conn, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t part = length < PATTERN_RUN ? length : PATTERN_RUN;
        conn->wrong |= memcmp(bytes, pattern_at(conn->number, conn->seen), part) != 0;
        conn->seen += part;
        bytes += part;
        length -= part;
    }
}

static bool use_body(struct connection *conn)
{
    size_t here = conn->end - conn->begin;
    size_t used = conn->body_left < here ? (size_t)conn->body_left : here;
    if (conn->checks)
        check(conn, conn->input + conn->begin, used);
    conn->begin += used;
    conn->body_left -= used;
    body_bytes += used;
    if (conn->body_left > 0)
        return false;
    if (conn->phase == READ_CHUNK)
        conn->phase = READ_CHUNK_SIZE;
    else
        answer(conn);
    return true;
}

/* A chunk-size line, the empty line before it, or a trailer line. */
static bool use_chunk_line(struct connection *conn)
{
    char *line = conn->input + conn->begin;
    char *end = memchr(line, '\n', conn->end - conn->begin);
    if (!end)
        return false;
    conn->begin += (size_t)(end + 1 - line);
    bool empty = end - line < 2;
    if (conn->phase == READ_TRAILER && empty) {
        answer(conn);
    } else if (conn->phase == READ_CHUNK_SIZE && !empty) {
        conn->body_left = strtoull(line, NULL, 16);
        conn->phase = conn->body_left > 0 ? READ_CHUNK : READ_TRAILER;
    }
    return true;
}

/* WebSocket */

static void unmask(char *payload, size_t length, const char *mask)
{
    uint32_t word, masks;
    memcpy(&masks, mask, 4);
    size_t i = 0;
    for (; i + 4 <= length; i += 4) {
        memcpy(&word, payload + i, 4);
        word ^= masks;
        memcpy(payload + i, &word, 4);
    }
    for (; i < length; i++)
        payload[i] = (char)(payload[i] ^ mask[i % 4]);
}

/* Turns a masked frame into an unmasked one in its place, which is four bytes shorter (RFC 6455, 5.2). */
static bool use_frame(struct connection *conn)
{
    unsigned char *frame = (unsigned char *)conn->input + conn->begin;
    size_t here = conn->end - conn->begin;
    if (here < 6)
        return false;
    size_t length = frame[1] & 0x7f, before = length == 126 ? 4 : 2;
    if (length == 126)
        length = (size_t)frame[2] << 8 | frame[3];
    if (here < before + 4 + length)
        return false;
    unmask((char *)frame + before + 4, length, (char *)frame + before);
    conn->closes = (frame[0] & 0x0f) == 8;
    frame[1] &= 0x7f;
    memmove(frame + 4, frame, before);
    conn->out = (char *)frame + 4;
    conn->out_length = before + length;
    conn->begin += before + 4 + length;
    requests++;
    return true;
}

/* The loop */

static bool use(struct connection *conn)
{
    switch (conn->phase) {
    case READ_HEAD: return use_head(conn);
    case READ_BODY:
    case READ_CHUNK: return use_body(conn);
    case READ_CHUNK_SIZE:
    case READ_TRAILER: return use_chunk_line(conn);
    case ECHO: return use_frame(conn);
    case EVENTS: break;
    }
    return false;
}

/* Answers as long as input lasts and the socket takes the answers. */
static bool advance(struct connection *conn)
{
    while (conn->begin < conn->end && !conn->waits_writable && use(conn)) {
        if (!flush(conn))
            return false;
    }
    if (conn->waits_writable)
        return true;
    if (conn->begin > 0)
        memmove(conn->input, conn->input + conn->begin, conn->end - conn->begin);
    conn->end -= conn->begin;
    conn->begin = 0;
    return conn->end < INPUT;
}

/* The kernel drops a long body without copying it: MSG_TRUNC in tcp(7). */
static bool discard(struct connection *conn)
{
    ssize_t n = recv(conn->fd, NULL, conn->body_left < BLOCK ? (size_t)conn->body_left : BLOCK, MSG_TRUNC);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    conn->body_left -= (size_t)n;
    body_bytes += (size_t)n;
    if (conn->body_left > 0)
        return true;
    answer(conn);
    return flush(conn);
}

static bool receive(struct connection *conn)
{
    if (conn->phase == READ_BODY && !conn->checks && conn->begin == conn->end)
        return discard(conn);
    ssize_t n = recv(conn->fd, conn->input + conn->end, INPUT - conn->end, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    conn->end += (size_t)n;
    return advance(conn);
}

static void serve(struct connection *conn)
{
    if (conn->waits_writable ? flush(conn) && advance(conn) : receive(conn))
        return;
    if (conn->phase == EVENTS)
        stop_listening(conn);
    close(conn->fd);
    free(conn);
}

static void admit(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct connection *conn = malloc(sizeof *conn);
        if (!conn)
            die("malloc");
        memset(conn, 0, offsetof(struct connection, head));
        conn->fd = fd;
        poll_for(conn, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0)
        die("listen");
    return listener;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return fprintf(stderr, "usage: upstream PORT\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    memset(block, 'x', sizeof block);
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    pattern_make();
    int listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[256] = {{.events = EPOLLIN, .data.ptr = NULL}};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &events[0]);
    ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec tick = {.it_interval = {.tv_nsec = EVENT_NS}, .it_value = {.tv_nsec = EVENT_NS}};
    events[0].data.ptr = &ticker;
    if (timerfd_settime(ticker, 0, &tick, NULL) != 0 || epoll_ctl(poller, EPOLL_CTL_ADD, ticker, &events[0]) != 0)
        die("timerfd");
    for (;;) {
        int n = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &ticker)
                tell_events();
            else if (events[i].data.ptr)
                serve(events[i].data.ptr);
            else
                admit(listener);
        }
    }
}
