/*
 * One request at a time, from its connection to the last byte of its answer, over HTTP/1.1 and HTTP/2; a
 * WebSocket's handshake too, its messages are websocket.c's. Called by the generator when something is due
 * and by the streams when something has come.
 */
#include "base/check.h"
#include "codec/h1_outbound.h"
#include "loadtest/internal.h"

#include <stdlib.h>

/* --- outcomes --- */

enum load_error load_error_of(enum fault fault, bool opened)
{
    switch (fault) {
    case FAULT_upstream_tls_failed:
    case FAULT_upstream_certificate_expired:
    case FAULT_upstream_certificate_untrusted:
    case FAULT_upstream_certificate_name:
    case FAULT_upstream_not_http2: return LOAD_ERROR_tls;
    case FAULT_upstream_malformed:
    case FAULT_upstream_head_too_large:
    case FAULT_upstream_bad_upgrade: return LOAD_ERROR_protocol;
    default: return opened ? LOAD_ERROR_reset : LOAD_ERROR_connect;
    }
}

void call_end(struct load_call *call, enum load_error outcome)
{
    call->state = CALL_FREE;
    call->stream = NULL;
    body_fini(&call->tx);
    call->websocket = NULL;
    generator_done(call, outcome);
}

/* The connection is of no more use, or what is left of the stream is not. */
static void drop_stream(struct load_call *call)
{
    struct stream *stream = call->stream;
    call->stream = NULL;
    if (stream)
        stream->ops->close(stream, FAULT_client_gone);
}

void call_give_up(struct load_call *call)
{
    if (call->state == CALL_ECHO)
        websocket_close(&call->websocket);
    else
        drop_stream(call);
    call_end(call, LOAD_ERROR_timeout);
}

static void fail(struct load_call *call)
{
    enum load_error outcome = load_error_of(call->stream->fault, call->state != CALL_OPENING);
    drop_stream(call);
    call_end(call, outcome);
}

static enum load_error judge(const struct load_call *call)
{
    unsigned status = call->stream->rx_head.status;
    if (status >= 500)
        return LOAD_ERROR_5xx;
    if (status >= 400)
        return LOAD_ERROR_4xx;
    bool is_refused_upgrade = load_is_websocket(call->line->protocol);
    if (is_refused_upgrade || (call->line->expected.len > 0 && !call->found))
        return LOAD_ERROR_content;
    return status >= 300 ? LOAD_REDIRECT : LOAD_GOOD;
}

/* --- asking --- */

void call_prepare(struct generator *generator)
{
    for (unsigned i = 0; i < 2; i++) {
        struct block *block = generator->filler[i] = block_new(&generator->loop.blocks, BLOCK_SIZE);
        memset(block->data, 'x', block->used = block->capacity);
    }
}

static void cut_content(struct load_call *call)
{
    struct body *tx = &call->tx;
    while (call->tx_left > 0 && body_has_room(tx)) {
        struct block *block = call->generator->filler[call->tx_turn];
        uint32_t len = call->tx_left < block->used ? (uint32_t)call->tx_left : block->used;
        call->tx_turn = !call->tx_turn;
        body_append(tx, block, 0, len);
        call->tx_left -= len;
    }
    tx->ended = call->tx_left == 0;
}

/* As much of the content as is taken: a stream tells of room only when something was left. */
static void send_content(struct load_call *call)
{
    do {
        cut_content(call);
        call->stream->ops->tx_body(call->stream, &call->tx, NULL);
    } while (call->tx_left > 0 && call->tx.queued == 0);
}

static bool has_content_left(const struct load_call *call)
{
    return call->tx_left > 0 || call->tx.queued > 0;
}

static void ask(struct load_call *call)
{
    struct stream *stream = call->stream;
    const struct message *request = &call->line->request;
    call->state = CALL_ASKED;
    call->tx = (struct body){0};
    call->tx_left = request->framing.length;
    stream->ops->tx_head(stream, request);
    if (!request->wants_upgrade)
        send_content(call);
}

static struct stream *dial_h1(struct load_call *call)
{
    struct generator *generator = call->generator;
    struct h1_outbound_settings settings = {LOAD_HEAD_MAX, LOAD_FIELDS_MAX,
                                            generator_dialer(generator, call->line)};
    generator->tally->connects++;
    return h1_outbound_open(&generator->loop, &generator->plan->address, &settings);
}

bool call_take_h1(struct load_call *call)
{
    struct load_seat *seat = &call->seats[call->line->seat];
    struct stream *stream = seat->stream;
    seat->stream = NULL;
    if (stream && (stream->facts & STREAM_FAILED)) {
        stream->ops->close(stream, FAULT_upstream_closed);
        stream = NULL;
    }
    if (stream)
        h1_outbound_reuse(stream);
    else
        stream = dial_h1(call);
    call->stream = stream;
    return stream != NULL;
}

static bool take_stream(struct load_call *call)
{
    const struct load_line *line = call->line;
    if (!load_is_h2(line->protocol))
        return call_take_h1(call);
    call->stream = session_lend(call->generator, line, &call->client->sessions[line->session]);
    return call->stream != NULL;
}

void call_begin(struct load_call *call, unsigned line, uint64_t due_us)
{
    call->index = line;
    call->line = &call->generator->plan->lines[line];
    call->due_us = due_us;
    call->has_head = call->found = false;
    if (load_is_websocket(call->line->protocol) && websocket_begin(call))
        return;
    arena_fini(&call->arena);
    if (!take_stream(call)) {
        call_end(call, LOAD_ERROR_connect);
        return;
    }
    call->stream->owner = &call->task;
    call->stream->arena = &call->arena;
    call->state = CALL_OPENING;
    if (call->stream->facts & STREAM_OPEN)
        ask(call);
}

/* --- the answer --- */

/* A connection that may carry another request waits for it in its seat. */
static void answered(struct load_call *call)
{
    enum load_error outcome = judge(call);
    struct stream *stream = call->stream;
    load_tally_status(call->generator->tally, call->index, call->due_us, stream->rx_head.status);
    if (call->line->protocol == LOAD_H1 && h1_outbound_rest(stream))
        call->seats[call->line->seat].stream = stream;
    else
        stream->ops->close(stream, FAULT_NONE);
    call_end(call, outcome);
}

static void look_for_expected(struct load_call *call)
{
    const struct body *body = &call->stream->rx;
    struct slice expected = call->line->expected;
    for (unsigned i = 0; i < body->count && !call->found; i++) {
        const struct body_piece *piece = &body->pieces[(body->first + i) % BODY_PIECES];
        call->found =
            memmem(piece->block->data + piece->offset, piece->len, expected.at, expected.len) != NULL;
    }
}

static void take_content(struct load_call *call)
{
    struct stream *stream = call->stream;
    if (call->line->expected.len > 0)
        look_for_expected(call);
    load_tally_content(call->generator->tally, call->index, call->due_us, stream->rx.queued);
    body_consume(&stream->rx, stream->rx.queued);
    if (stream->rx.ended)
        answered(call);
    else if (stream->facts & STREAM_FAILED)
        fail(call);
    else
        stream->ops->rx_resume(stream);
}

/* Over HTTP/2 any success opens the tunnel (RFC 8441 section 5). */
static bool is_accepted(const struct load_call *call, unsigned status)
{
    enum load_protocol protocol = call->line->protocol;
    return protocol == LOAD_WEBSOCKET_H2 ? status >= 200 && status < 300
                                         : protocol == LOAD_WEBSOCKET && status == 101;
}

/* An interim response announces another (RFC 9110 section 15.2). */
static void take_head(struct load_call *call)
{
    struct stream *stream = call->stream;
    unsigned status = stream->rx_head.status;
    if (is_accepted(call, status))
        websocket_accepted(call);
    else if (status < 200)
        stream->ops->rx_resume(stream);
    else
        call->has_head = true;
}

static void take_answer(struct load_call *call)
{
    struct stream *stream = call->stream;
    unsigned facts = stream->facts;
    stream->facts &= ~(unsigned)(STREAM_HEAD | STREAM_BODY | STREAM_ROOM);
    if ((facts & STREAM_ROOM) && has_content_left(call))
        send_content(call);
    if (facts & STREAM_HEAD)
        take_head(call);
    if (call->state != CALL_ASKED)
        return;
    if (call->has_head)
        take_content(call);
    else if (stream->facts & STREAM_FAILED)
        fail(call);
}

static void run(struct task *task)
{
    struct load_call *call = CONTAINER_OF(task, load_call, task);
    websocket_watch(call);
    if (call->stream == NULL)
        return;
    if (call->state == CALL_OPENING && (call->stream->facts & STREAM_OPEN))
        ask(call);
    if (call->state == CALL_OPENING && (call->stream->facts & STREAM_FAILED))
        fail(call);
    else if (call->state == CALL_ASKED)
        take_answer(call);
}

/* --- from birth to death --- */

void call_init(struct load_call *call, struct generator *generator, struct load_client *client)
{
    unsigned seats = generator->plan->seat_count;
    call->generator = generator;
    call->client = client;
    call->seats = calloc(seats, sizeof *call->seats);
    if (client->sessions == NULL)
        client->sessions = calloc(seats, sizeof *client->sessions);
    CHECK(call->seats != NULL && client->sessions != NULL);
    task_init(&call->task, &generator->loop.tasks, run, false);
    arena_init(&call->arena, call->first, sizeof call->first);
}

void call_fini(struct load_call *call)
{
    drop_stream(call);
    if (call->websocket)
        websocket_close(&call->websocket);
    for (unsigned i = 0; i < call->generator->plan->seat_count; i++) {
        struct load_seat *seat = &call->seats[i];
        if (seat->stream)
            seat->stream->ops->close(seat->stream, FAULT_NONE);
        websocket_close(&seat->websocket);
    }
    timer_clear(call->generator->loop.timers, &call->timer);
    task_cancel(&call->task);
    arena_fini(&call->arena);
}
