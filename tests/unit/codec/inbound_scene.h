/*
 * For the tests of codec/h1_inbound.h: a home, a client's end of a connection, and the requests that were
 * born, answered by hand between two turns.
 */
#ifndef PORTICO_TESTS_UNIT_CODEC_INBOUND_SCENE_H
#define PORTICO_TESTS_UNIT_CODEC_INBOUND_SCENE_H

#include "codec/h1_inbound.h"

#include "h1_scene.h"

enum { ASKED_MAX = 64, HEAD_TIMEOUT_US = 3 * SECOND_US, KEEP_ALIVE_US = 20 * SECOND_US };

static struct session_home home;
static struct asked asked[ASKED_MAX];
static unsigned born;
static int client; /* the client's end, -1 when closed */
static struct heard heard;

static inline void on_stream(void *arg, struct stream *stream)
{
    assert_ptr_equal(arg, asked);
    assert_true(born < ASKED_MAX);
    struct asked *request = &asked[born++];
    *request = (struct asked){.stream = stream};
    task_init(&request->task, &loop.tasks, count_waking, false);
    stream->owner = &request->task;
}

static inline void start_home(void)
{
    start_loop();
    session_home_init(&home, &loop, on_stream, asked);
    home.settings.limits = (struct h1_limits){.line_max = 1024, .head_max = 4096, .fields_max = 20};
    home.settings.head_timeout_us = HEAD_TIMEOUT_US;
    home.settings.refused_max = ASKED_MAX;
    home.settings.keep_alive_timeout_us = KEEP_ALIVE_US;
    born = 0;
    client = -1;
}

static inline void no_facts(void *owner, unsigned facts)
{
    (void)owner, (void)facts;
}

static inline void open_session(int fd)
{
    struct address address;
    assert_true(address_from_literal(SLICE("192.0.2.1"), 4711, &address));
    struct stream_client remote = {.address = address_remote(&address)};
    struct conn *conn = conn_accept(&loop, fd, (struct conn_owner){no_facts, NULL});
    assert_non_null(conn);
    h1_inbound_open(&home, conn, &remote);
    memset(&remote, 'x', sizeof remote); /* it was copied */
}

static inline void forget_client(void)
{
    memset(&heard, 0, offsetof(struct heard, text));
    heard.text[0] = '\0';
}

/* A client connects; `is_narrow` makes writing to it block soon. */
static inline void come(bool is_narrow)
{
    int ends[2], least = 1;
    make_pair(ends);
    if (is_narrow)
        assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
    client = ends[1];
    forget_client();
    open_session(ends[0]);
}

static inline void come_by_tcp(void)
{
    int ends[2];
    make_tcp_pair(ends);
    client = ends[1];
    forget_client();
    open_session(ends[0]);
}

static inline void go(void)
{
    if (client >= 0)
        close(client);
    client = -1;
}

/* Every request must have been closed by its test; every session must have ended by then. */
static inline void stop_home(void)
{
    go();
    session_home_kill(&home);
    for (unsigned i = 0; i < born; i++)
        if (asked[i].stream)
            asked[i].stream->ops->close(asked[i].stream, FAULT_shutdown);
    session_home_kill(&home);
    for (unsigned i = 0; i < born; i++)
        body_fini(&asked[i].body);
    turn();
    assert_int_equal(session_home_count(&home), 0);
    session_home_fini(&home);
    stop_loop();
}

/* The next request, which must be there before long. */
static inline struct asked *next_request(unsigned index)
{
    TURN_UNTIL(born > index);
    return &asked[index];
}

static inline bool has(const struct asked *request, unsigned facts)
{
    return (request->stream->facts & facts) == facts;
}

static inline void send_head(struct asked *request, const struct message *head)
{
    request->stream->ops->tx_head(request->stream, head);
}

static inline void send_body(struct asked *request)
{
    request->stream->ops->tx_body(request->stream, &request->body, NULL);
}

static inline void close_request(struct asked *request, enum fault fault)
{
    struct stream *stream = request->stream;
    request->stream = NULL;
    stream->ops->close(stream, fault);
    task_cancel(&request->task);
    body_fini(&request->body);
}

/* Answers with this text and is done with the request when all has left. */
static inline void answer(struct asked *request, const char *text)
{
    size_t len = strlen(text);
    struct message head = response_of(200, len > 0 ? FRAMING_LENGTH : FRAMING_NONE, len);
    send_head(request, &head);
    if (len > 0)
        add_text(&request->body, text);
    request->body.ended = true;
    send_body(request);
    TURN_UNTIL(has(request, STREAM_SENT));
    close_request(request, FAULT_NONE);
}

/* Refuses it; that the connection ends with that is the session's business. */
static inline void refuse(struct asked *request)
{
    int status = fault_row(request->stream->fault)->status;
    struct message head = response_of((unsigned)status, FRAMING_NONE, 0);
    send_head(request, &head);
    request->body.ended = true;
    send_body(request);
    TURN_UNTIL(has(request, STREAM_SENT));
    close_request(request, request->stream->fault);
}

#define OK_HEAD(length)       "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\n\r\n"
#define OK_HEAD_CLOSE(length) "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\nConnection: close\r\n\r\n"
#define GET(path)             "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

#endif
