/*
 * The frames of loadtest/websocket_reader.h. Called with what a stream has received, wherever it is cut. No
 * extension is offered, so no reserved bit may be set, and a server masks nothing.
 */
#include "loadtest/websocket_reader.h"

enum { FINAL = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f, LENGTH_16 = 126 };

enum { OPCODE_BINARY = 2, OPCODE_CLOSE = 8, OPCODE_PING = 9, OPCODE_PONG = 10, HEAD_MIN = 2 };

static bool is_control(const struct websocket_reader *reader)
{
    return (reader->head[0] & OPCODE) >= OPCODE_CLOSE;
}

static unsigned extension_len(const struct websocket_reader *reader)
{
    unsigned length = reader->head[1] & LENGTH;
    return length < LENGTH_16 ? 0 : length == LENGTH_16 ? 2 : 8;
}

static bool is_head_good(const struct websocket_reader *reader)
{
    unsigned opcode = reader->head[0] & OPCODE, length = reader->head[1] & LENGTH;
    if ((reader->head[0] & RESERVED) || (reader->head[1] & MASKED))
        return false;
    if (is_control(reader))
        return opcode <= OPCODE_PONG && (reader->head[0] & FINAL) && length <= WEBSOCKET_CONTROL_MOST;
    return opcode <= OPCODE_BINARY && reader->in_message == (opcode == 0);
}

static uint64_t payload_len(const struct websocket_reader *reader)
{
    unsigned extension = extension_len(reader);
    uint64_t length = 0;
    for (unsigned i = 0; i < extension; i++)
        length = length << 8 | reader->head[HEAD_MIN + i];
    return extension ? length : reader->head[1] & LENGTH;
}

/* The head, as far as it is there; false when it is no head. */
static bool take_head(struct websocket_reader *reader, struct slice *bytes)
{
    while (bytes->len > 0 && !reader->in_payload) {
        reader->head[reader->head_len++] = (unsigned char)bytes->at[0];
        *bytes = slice_after(*bytes, 1);
        if (reader->head_len == HEAD_MIN && !is_head_good(reader))
            return false;
        reader->in_payload =
            reader->head_len >= HEAD_MIN && reader->head_len == HEAD_MIN + extension_len(reader);
    }
    if (reader->in_payload) {
        reader->left = payload_len(reader);
        reader->control_len = 0;
    }
    return true;
}

static void compare(struct websocket_reader *reader, struct slice expected, struct slice part)
{
    bool fits = reader->at <= expected.len && part.len <= expected.len - reader->at;
    if (!fits || memcmp(expected.at + reader->at, part.at, part.len) != 0)
        reader->wrong = true;
    reader->at += part.len;
}

static void take_payload(struct websocket_reader *reader, struct slice expected, struct slice *bytes)
{
    struct slice part = slice_make(bytes->at, bytes->len < reader->left ? bytes->len : (size_t)reader->left);
    if (part.len > 0 && is_control(reader)) {
        memcpy(reader->control + reader->control_len, part.at, part.len);
        reader->control_len = (uint8_t)(reader->control_len + part.len);
    } else if (part.len > 0) {
        compare(reader, expected, part);
    }
    reader->left -= part.len;
    *bytes = slice_after(*bytes, part.len);
}

static enum websocket_event end_message(struct websocket_reader *reader, struct slice expected)
{
    bool is_final = reader->head[0] & FINAL;
    bool is_right = !reader->wrong && reader->at == expected.len;
    reader->in_message = !is_final;
    if (!is_final)
        return WEBSOCKET_MORE;
    reader->wrong = false;
    reader->at = 0;
    return is_right ? WEBSOCKET_ECHO : WEBSOCKET_WRONG;
}

static enum websocket_event end_frame(struct websocket_reader *reader, struct slice expected)
{
    unsigned opcode = reader->head[0] & OPCODE;
    reader->in_payload = false;
    reader->head_len = 0;
    if (opcode == OPCODE_CLOSE)
        return WEBSOCKET_CLOSE;
    if (opcode >= OPCODE_PING)
        return opcode == OPCODE_PING ? WEBSOCKET_PING : WEBSOCKET_PONG;
    return end_message(reader, expected);
}

enum websocket_event websocket_reader_next(struct websocket_reader *reader, struct slice expected,
                                           struct slice *bytes)
{
    enum websocket_event event = WEBSOCKET_MORE;
    while (bytes->len > 0 && event == WEBSOCKET_MORE) {
        if (!reader->in_payload && !take_head(reader, bytes))
            return WEBSOCKET_BROKEN;
        if (reader->in_payload)
            take_payload(reader, expected, bytes);
        if (reader->in_payload && reader->left == 0)
            event = end_frame(reader, expected);
    }
    return event;
}
