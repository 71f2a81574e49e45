/*
 * One request at a stand-in, from its birth to its end, see cli/standin_answer.h. The owner of its stream as
 * an exchange is of its own: a task that the stream's facts wake and that never waits.
 */
#include "cli/standin_answer.h"

#include "base/check.h"
#include "cli/json.h"
#include "cli/standin_websocket.h"
#include "http/websocket.h"

#include <stdio.h>

enum { ANSWER_MAGIC = 0x414e5357, TICK_US = 1000 * 1000, EVENT_MAX = 256 };

/* What is being done about the request. */
enum answer_state {
    ANSWER_BEGIN, /* its head has come */
    ANSWER_READ,  /* its body comes */
    ANSWER_SEND,  /* the answer leaves */
    ANSWER_TICK,  /* events leave, one a second */
    ANSWER_ECHO   /* it is a WebSocket */
};

/* A request. Lives in the stream's arena. */
struct answer {
    uint32_t magic;
    enum answer_state state;
    const struct standin_desk *desk;
    struct stream *stream;
    struct task task;
    struct body body;  /* on its way to the client */
    bool body_is_sent; /* its end has been handed to the stream */
    struct timer timer;
    uint64_t ticks;
    struct websocket_echo echo;
};

static void finish(struct answer *answer, enum fault fault)
{
    struct stream *stream = answer->stream;
    timer_clear(answer->desk->loop->timers, &answer->timer);
    task_cancel(&answer->task);
    body_fini(&answer->body);
    websocket_echo_fini(&answer->echo);
    stream->ops->close(stream, fault); /* frees the arena, and with it the answer */
}

static void push(struct answer *answer)
{
    if (answer->body_is_sent)
        return;
    answer->stream->ops->tx_body(answer->stream, &answer->body, NULL);
    answer->body_is_sent = body_is_done(&answer->body);
}

static void append(struct answer *answer, struct slice text)
{
    struct block *block = block_new(&answer->desk->loop->blocks, text.len);
    memcpy(block->data, text.at, text.len);
    block->used = (uint32_t)text.len;
    body_append(&answer->body, block, 0, (uint32_t)text.len);
    block_unref(&block);
}

static void send_head(struct answer *answer, struct message *head)
{
    head->version_minor = 1;
    head->keep_alive = true;
    answer->stream->ops->tx_head(answer->stream, head);
}

/* --- an ordinary request --- */

static struct slice describe(struct answer *answer)
{
    const struct message *request = &answer->stream->rx_head;
    struct slice target = request->target, path = target, query = {NULL, 0};
    const char *mark = target.len ? memchr(target.at, '?', target.len) : NULL;
    if (mark) {
        path.len = (size_t)(mark - target.at);
        query = slice_after(target, path.len + 1);
    }
    struct json json;
    json_open(&json, answer->stream->arena);
    json_text(&json, "upstream", answer->desk->name);
    json_text(&json, "method", request->method_text);
    json_text(&json, "path", path);
    json_text(&json, "query", query);
    json_fields(&json, "headers", &request->fields);
    json_number(&json, "body_bytes", answer->stream->rx_bytes);
    return json_close(&json);
}

static struct slice describe_refusal(struct answer *answer)
{
    struct json json;
    json_open(&json, answer->stream->arena);
    json_text(&json, "upstream", answer->desk->name);
    json_text(&json, "refused", slice_of(fault_row(answer->stream->fault)->name));
    return json_close(&json);
}

static void send_text(struct answer *answer, unsigned status, struct slice text)
{
    struct message head = {.status = status, .framing = {FRAMING_LENGTH, true, text.len}};
    fields_add_id(&head.fields, answer->stream->arena, FIELD_content_type, SLICE("application/json"));
    fields_add_id(&head.fields, answer->stream->arena, FIELD_cache_control, SLICE("no-store"));
    if (answer->stream->rx_head.method == METHOD_HEAD)
        head.framing.kind = FRAMING_NONE;
    else
        append(answer, text);
    answer->body.ended = true;
    answer->state = ANSWER_SEND;
    send_head(answer, &head);
    push(answer);
}

/* --- events --- */

static bool wants_events(const struct message *request)
{
    return request->method != METHOD_HEAD &&
           fields_list_has(&request->fields, FIELD_accept, SLICE("text/event-stream"));
}

static void append_event(struct answer *answer)
{
    char text[EVENT_MAX];
    int len = snprintf(text, sizeof text, "event: tick\ndata: {\"upstream\":\"%.*s\",\"tick\":%llu}\n\n",
                       SLICE_ARGS(answer->desk->name), (unsigned long long)answer->ticks++);
    CHECK(len < EVENT_MAX);
    append(answer, slice_make(text, (size_t)len));
}

static void tick(struct answer *answer)
{
    uint64_t now_us = clock_now_us(&answer->desk->loop->clock);
    bool is_due = now_us >= answer->timer.deadline_us;
    if (is_due && answer->body.queued == 0) /* else the client is slow: it misses this one */
        append_event(answer);
    if (is_due)
        timer_set(answer->desk->loop->timers, &answer->timer, TICK_US);
    push(answer);
}

static void begin_events(struct answer *answer)
{
    struct message head = {.status = 200, .framing = {FRAMING_STREAM, false, 0}};
    fields_add_id(&head.fields, answer->stream->arena, FIELD_content_type, SLICE("text/event-stream"));
    fields_add_id(&head.fields, answer->stream->arena, FIELD_cache_control, SLICE("no-store"));
    answer->state = ANSWER_TICK;
    send_head(answer, &head);
    tick(answer);
}

/* --- WebSocket --- */

/* The first of the subprotocols that the client offers: some clients give up when none is chosen. */
static void choose_protocol(struct answer *answer, struct fields *fields)
{
    const struct field *offered = fields_find(&answer->stream->rx_head.fields, FIELD_sec_websocket_protocol);
    struct slice rest = offered ? field_value(offered) : slice_make(NULL, 0), first;
    if (slice_next_element(&rest, &first) && first.len > 0)
        fields_add_id(fields, answer->stream->arena, FIELD_sec_websocket_protocol, first);
}

static void echo(struct answer *answer)
{
    struct stream *stream = answer->stream;
    do {
        websocket_echo_run(&answer->echo, &stream->rx, &answer->body);
        answer->body.ended = answer->echo.closed || body_is_done(&stream->rx);
        push(answer);
    } while (answer->body.queued == 0 && stream->rx.queued > 0 && !answer->body_is_sent);
    if (answer->body.queued == 0)
        websocket_echo_rest(&answer->echo);
    if (!stream->rx.ended && stream->rx.queued < BODY_LOW_MARK)
        stream->ops->rx_resume(stream);
}

static void begin_echo(struct answer *answer)
{
    struct stream *stream = answer->stream;
    char *accept = arena_alloc(stream->arena, WEBSOCKET_ACCEPT_LEN + 1);
    struct message head = {.status = 101, .wants_upgrade = true, .framing = {FRAMING_TUNNEL, false, 0}};
    websocket_accept_of(field_value(fields_find(&stream->rx_head.fields, FIELD_sec_websocket_key)), accept);
    fields_add_id(&head.fields, stream->arena, FIELD_sec_websocket_accept,
                  slice_make(accept, WEBSOCKET_ACCEPT_LEN));
    choose_protocol(answer, &head.fields);
    websocket_echo_init(&answer->echo, &answer->desk->loop->blocks);
    answer->state = ANSWER_ECHO;
    send_head(answer, &head);
    echo(answer);
}

/* --- the order of things --- */

static void read_on(struct answer *answer)
{
    struct stream *stream = answer->stream;
    body_consume(&stream->rx, stream->rx.queued);
    if (!stream->rx.ended)
        stream->ops->rx_resume(stream);
    else if (wants_events(&stream->rx_head))
        begin_events(answer);
    else
        send_text(answer, 200, describe(answer));
}

static void begin(struct answer *answer)
{
    struct stream *stream = answer->stream;
    if (stream->fault) {
        int status = fault_row(stream->fault)->status;
        send_text(answer, status ? (unsigned)status : 400, describe_refusal(answer));
        return;
    }
    if (stream->rx_head.wants_upgrade) {
        begin_echo(answer);
        return;
    }
    if (stream->rx_head.expects_continue && !stream->rx.ended)
        send_head(answer, &(struct message){.status = 100});
    answer->state = ANSWER_READ;
    read_on(answer);
}

static void run(struct task *task)
{
    struct answer *answer = MAGIC_CAST(answer, CONTAINER_OF(task, answer, task), ANSWER_MAGIC);
    struct stream *stream = answer->stream;
    bool is_gone =
        (stream->facts & STREAM_FAILED) || (answer->state == ANSWER_TICK && (stream->facts & STREAM_HALF));
    if (is_gone)
        finish(answer, stream->fault ? stream->fault : FAULT_client_gone);
    else if (answer->body_is_sent && (stream->facts & STREAM_SENT))
        finish(answer, stream->fault);
    else if (answer->state == ANSWER_BEGIN)
        begin(answer);
    else if (answer->state == ANSWER_READ)
        read_on(answer);
    else if (answer->state == ANSWER_TICK)
        tick(answer);
    else if (answer->state == ANSWER_ECHO)
        echo(answer);
    else
        push(answer);
}

static void on_timer(struct timer *timer)
{
    task_wake(&CONTAINER_OF(timer, answer, timer)->task);
}

void standin_answer(void *desk, struct stream *stream)
{
    struct answer *answer = arena_zalloc(stream->arena, sizeof *answer);
    answer->magic = ANSWER_MAGIC;
    answer->desk = desk;
    answer->stream = stream;
    answer->timer.fire = on_timer;
    task_init(&answer->task, &answer->desk->loop->tasks, run, false);
    stream->owner = &answer->task;
    task_wake(&answer->task);
}
