/*
 * For the tests of codec/h1_outbound.h: an endpoint that the tests play themselves, the stream to it, and its
 * owner.
 */
#ifndef PORTICO_TESTS_UNIT_CODEC_OUTBOUND_SCENE_H
#define PORTICO_TESTS_UNIT_CODEC_OUTBOUND_SCENE_H

#include "codec/h1_outbound.h"

#include "h1_scene.h"

static const struct h1_outbound_settings outbound_settings = {.head_max = 2048, .fields_max = 10};
static struct address endpoint;
static int listening, server; /* the endpoint's sockets, -1 when closed */
static struct asked exchange;
static struct arena arena;
static struct heard heard;

static inline void own_stream(void)
{
    exchange.woken = 0;
    exchange.body = (struct body){0};
    task_init(&exchange.task, &loop.tasks, count_waking, false);
    exchange.stream->owner = &exchange.task;
    exchange.stream->arena = &arena;
}

static inline void dial_endpoint(void)
{
    exchange.stream = h1_outbound_open(&loop, &endpoint, &outbound_settings);
    assert_non_null(exchange.stream);
    own_stream();
}

static inline void start_endpoint(void)
{
    start_loop();
    memset(&heard, 0, offsetof(struct heard, text));
    arena_init(&arena, NULL, 0);
    listening = listen_somewhere(&endpoint);
    server = -1;
    exchange.stream = NULL;
}

/* A connection that stands, `server` at its other end. */
static inline void connect_endpoint(void)
{
    memset(&heard, 0, offsetof(struct heard, text));
    dial_endpoint();
    TURN_UNTIL(exchange.stream->facts & STREAM_OPEN);
    server = accept_next(listening);
}

static inline void close_exchange(enum fault fault)
{
    if (exchange.stream == NULL)
        return;
    struct stream *stream = exchange.stream;
    exchange.stream = NULL;
    stream->ops->close(stream, fault);
    task_cancel(&exchange.task);
    body_fini(&exchange.body);
    turn();
}

static inline void hang_up(void)
{
    close_exchange(FAULT_NONE);
    if (server >= 0)
        close(server);
    server = -1;
}

static inline void stop_endpoint(void)
{
    hang_up();
    close(listening);
    arena_fini(&arena);
    stop_loop();
}

static inline bool has(unsigned facts)
{
    return (exchange.stream->facts & facts) == facts;
}

/* Sends a request without content and waits until the endpoint has heard it. */
static inline void ask(enum method method, const char *text)
{
    char expected[64];
    struct message head = request_of_method(method, text);
    snprintf(expected, sizeof expected, "%s / HTTP/1.1\r\n\r\n", text);
    exchange.stream->ops->tx_head(exchange.stream, &head);
    assert_true(exchange.stream->tx_started);
    exchange.body.ended = true;
    exchange.stream->ops->tx_body(exchange.stream, &exchange.body, NULL);
    HEAR(server, &heard, expected);
}

/* Waits for a fault of this name; nothing but close is allowed then. */
#define FAILS(expected_fault, expected_detail)                      \
    do {                                                            \
        TURN_UNTIL(has(STREAM_FAILED));                             \
        assert_int_equal(exchange.stream->fault, expected_fault);   \
        assert_int_equal(exchange.stream->detail, expected_detail); \
        assert_true(exchange.woken > 0);                            \
    } while (0)

#endif
