/*
 * WebSockets of a call: a message there and back is a request like any other, and one that ends when nobody
 * has asked it to is lost. They rest in the call's seats between messages. Called by call.c.
 */
#include "http/websocket.h"

#include "base/check.h"
#include "loadtest/internal.h"

#include <stdlib.h>

enum {
    FINAL_BINARY = 0x82,
    FINAL_PONG = 0x8a,
    MASKED = 0x80,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
    MASK_LEN = 4
};

static const char MASK[MASK_LEN] = {0x12, 0x34, 0x56, 0x78};

/* --- what is sent --- */

static size_t write_head(char *out, unsigned first, uint32_t len)
{
    size_t at = 0;
    out[at++] = (char)first;
    out[at++] = (char)(MASKED | (len < LENGTH_16 ? len : len <= UINT16_MAX ? LENGTH_16 : LENGTH_64));
    unsigned extension = len < LENGTH_16 ? 0 : len <= UINT16_MAX ? 2 : 8;
    for (unsigned i = extension; i > 0; i--)
        out[at++] = (char)((uint64_t)len >> (8 * (i - 1)));
    memcpy(out + at, MASK, MASK_LEN);
    return at + MASK_LEN;
}

static struct block *frame_of(struct generator *generator, unsigned first, struct slice payload)
{
    struct block *block = block_new(&generator->loop.blocks, payload.len + 2 * MASK_LEN + 8);
    size_t head = write_head(block->data, first, (uint32_t)payload.len);
    for (size_t i = 0; i < payload.len; i++)
        block->data[head + i] = (char)(payload.at[i] ^ MASK[i % MASK_LEN]);
    block->used = (uint32_t)(head + payload.len);
    return block;
}

/* The frame is made once; every WebSocket sends the same bytes. The payload stands behind it, to be compared.
 */
void websocket_prepare(struct generator *generator)
{
    uint32_t len = generator->plan->message_bytes;
    char *payload = malloc(len + 1);
    CHECK(payload != NULL);
    for (uint32_t i = 0; i < len; i++)
        payload[i] = (char)('a' + i % 26);
    generator->echo = slice_make(payload, len);
    generator->message = frame_of(generator, FINAL_BINARY, generator->echo);
}

static void send_rest(struct load_websocket *websocket)
{
    struct stream *stream = websocket->stream;
    if (body_first(&websocket->tx))
        stream->ops->tx_body(stream, &websocket->tx, NULL);
}

static void send_frame(struct load_websocket *websocket, struct block *block)
{
    if (body_has_room(&websocket->tx))
        body_append(&websocket->tx, block, 0, block->used);
    send_rest(websocket);
}

static void send_message(struct load_call *call)
{
    call->state = CALL_ECHO;
    send_frame(call->websocket, call->generator->message);
}

static void send_pong(struct load_call *call, struct load_websocket *websocket)
{
    struct slice payload = slice_make(websocket->reader.control, websocket->reader.control_len);
    struct block *block = frame_of(call->generator, FINAL_PONG, payload);
    send_frame(websocket, block);
    block_unref(&block);
}

static bool has_ended(const struct stream *stream)
{
    return stream->rx.ended || (stream->facts & STREAM_FAILED);
}

/* What has come already wakes nobody again. */
static void look_again(struct load_call *call, const struct stream *stream)
{
    if (stream->rx.queued > 0 || has_ended(stream))
        task_wake(&call->task);
}

/* --- from birth to death --- */

bool websocket_begin(struct load_call *call)
{
    struct load_seat *seat = &call->seats[call->line->seat];
    if (seat->websocket == NULL)
        return false;
    call->websocket = seat->websocket;
    seat->websocket = NULL;
    send_message(call);
    return true;
}

void websocket_accepted(struct load_call *call)
{
    struct stream *stream = call->stream;
    bool is_verified = call->line->protocol == LOAD_WEBSOCKET_H2 ||
                       websocket_accepts(&call->line->request.fields, &stream->rx_head.fields);
    if (!is_verified) {
        stream->ops->close(stream, FAULT_client_gone);
        call_end(call, LOAD_ERROR_protocol);
        return;
    }
    load_tally_status(call->generator->tally, call->index, call->due_us, stream->rx_head.status);
    struct load_websocket *websocket = calloc(1, sizeof *websocket);
    CHECK(websocket != NULL);
    websocket->stream = stream;
    call->stream = NULL;
    call->websocket = websocket;
    send_message(call);
    look_again(call, stream);
}

void websocket_close(struct load_websocket **websocket_at)
{
    struct load_websocket *websocket = *websocket_at;
    *websocket_at = NULL;
    if (websocket == NULL)
        return;
    body_fini(&websocket->tx);
    websocket->stream->ops->close(websocket->stream, FAULT_NONE);
    free(websocket);
}

/* --- what comes --- */

/* Reads one piece up to the next event. */
static enum websocket_event next_event(struct load_call *call, struct load_websocket *websocket)
{
    struct body *rx = &websocket->stream->rx;
    enum websocket_event event = WEBSOCKET_MORE;
    const struct body_piece *piece;
    while (event == WEBSOCKET_MORE && (piece = body_first(rx)) != NULL) {
        struct slice bytes = slice_make(piece->block->data + piece->offset, piece->len);
        event = websocket_reader_next(&websocket->reader, call->generator->echo, &bytes);
        body_consume(rx, piece->len - (uint32_t)bytes.len);
    }
    return event;
}

/* What has come up to a message or the end of the WebSocket: WEBSOCKET_MORE when neither has. What came
 * behind a message is looked at in another turn. */
static enum websocket_event take(struct load_call *call, struct load_websocket *websocket)
{
    struct stream *stream = websocket->stream;
    enum websocket_event event;
    while ((event = next_event(call, websocket)) == WEBSOCKET_PING || event == WEBSOCKET_PONG)
        if (event == WEBSOCKET_PING)
            send_pong(call, websocket);
    bool is_message = event == WEBSOCKET_ECHO || event == WEBSOCKET_WRONG;
    if (is_message)
        look_again(call, stream);
    if (event == WEBSOCKET_MORE && has_ended(stream))
        return WEBSOCKET_CLOSE;
    if ((is_message || event == WEBSOCKET_MORE) && !has_ended(stream))
        stream->ops->rx_resume(stream);
    if (event == WEBSOCKET_MORE)
        send_rest(websocket);
    return event;
}

static void watch_busy(struct load_call *call)
{
    enum websocket_event event = take(call, call->websocket);
    if (event == WEBSOCKET_MORE)
        return;
    if (event == WEBSOCKET_ECHO || event == WEBSOCKET_WRONG) {
        load_tally_content(call->generator->tally, call->index, call->due_us, call->generator->echo.len);
        call->seats[call->line->seat].websocket = call->websocket;
        call_end(call, event == WEBSOCKET_ECHO ? LOAD_GOOD : LOAD_ERROR_content);
        return;
    }
    websocket_close(&call->websocket);
    call_end(call, event == WEBSOCKET_BROKEN ? LOAD_ERROR_protocol : LOAD_ERROR_lost);
}

/* One that rests: nothing but pings may come. */
static void watch_resting(struct load_call *call, unsigned index)
{
    const struct load_plan *plan = call->generator->plan;
    struct load_seat *seat = &call->seats[plan->lines[index].seat];
    if (seat->websocket == NULL)
        return;
    enum websocket_event event = take(call, seat->websocket);
    if (event == WEBSOCKET_MORE)
        return;
    websocket_close(&seat->websocket);
    enum load_error outcome = event == WEBSOCKET_CLOSE    ? LOAD_ERROR_lost
                              : event == WEBSOCKET_BROKEN ? LOAD_ERROR_protocol
                                                          : LOAD_ERROR_content;
    uint64_t now_us = load_now_us();
    load_tally_add(call->generator->tally, index, now_us, now_us, outcome);
}

void websocket_watch(struct load_call *call)
{
    const struct load_plan *plan = call->generator->plan;
    for (unsigned i = 0; i < plan->line_count && plan->has_websockets; i++)
        if (load_is_websocket(plan->lines[i].protocol))
            watch_resting(call, i);
    if (call->websocket)
        watch_busy(call);
}
