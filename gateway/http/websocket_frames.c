/*
 * The counting behind http/websocket_frames.h. Called by the exchange for what passes through a tunnel.
 */
#include "http/websocket_frames.h"

enum {
    OPCODE_CLOSE = 8,
    OPCODE_MASK = 0x0f,
    MASKED = 0x80,
    LENGTH_MASK = 0x7f,
    LENGTH_16 = 126,
    LENGTH_64 = 127
};

const struct slice WEBSOCKET_GOING_AWAY = {"\x88\x02\x03\xe9", 4};

/* Bytes of a frame's head, as far as its first two tell. */
static uint8_t head_size(const unsigned char *head, uint8_t have)
{
    if (have < 2)
        return 2;
    unsigned length = head[1] & LENGTH_MASK;
    unsigned size = length == LENGTH_64 ? 10 : length == LENGTH_16 ? 4 : 2;
    return (uint8_t)(head[1] & MASKED ? size + 4 : size);
}

static uint64_t payload_length(const unsigned char *head)
{
    uint64_t length = head[1] & LENGTH_MASK;
    unsigned count = length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
    if (count > 0)
        length = 0;
    for (unsigned i = 0; i < count; i++)
        length = length << 8 | head[2 + i];
    return length;
}

static void end_head(struct websocket_frames *frames)
{
    frames->closed = frames->closed || (frames->head[0] & OPCODE_MASK) == OPCODE_CLOSE;
    frames->left = payload_length(frames->head);
    frames->head_len = 0;
}

/* As much of a frame's head as there is, up to what must be known of it before it is known how long it is. */
static size_t take_head(struct websocket_frames *frames, struct slice bytes)
{
    size_t missing = (size_t)head_size(frames->head, frames->head_len) - frames->head_len;
    size_t part = bytes.len < missing ? bytes.len : missing;
    if (frames->head_len == 0)
        frames->began = frames->seen;
    memcpy(frames->head + frames->head_len, bytes.at, part);
    frames->head_len = (uint8_t)(frames->head_len + part);
    if (frames->head_len == head_size(frames->head, frames->head_len))
        end_head(frames);
    return part;
}

void websocket_frames_follow(struct websocket_frames *frames, struct slice bytes)
{
    while (bytes.len > 0) {
        size_t part = bytes.len < frames->left ? bytes.len : (size_t)frames->left;
        if (frames->left > 0)
            frames->left -= part;
        else
            part = take_head(frames, bytes);
        frames->seen += part;
        bytes = slice_after(bytes, part);
    }
}

bool websocket_frames_gap(const struct websocket_frames *frames, uint64_t from, uint64_t *at_out)
{
    bool whole = frames->head_len == 0 && frames->left == 0;
    bool before = !whole && from <= frames->began;
    if (frames->head_len > 0 && !before)
        return false;
    *at_out = before ? frames->began : frames->seen + frames->left;
    return true;
}
