/*
 * The frames of cli/standin_websocket.h (RFC 6455 section 5). Called by standin_answer.c with what a stream
 * has received; any cut of the bytes gives the same answer. No extension is ever agreed on, so all reserved
 * bits must be zero.
 */
#include "cli/standin_websocket.h"

#include "base/check.h"

/* Bits and values of a frame's head. */
enum {
    FINAL = 0x80,
    RESERVED = 0x70,
    OPCODE = 0x0f,
    MASKED = 0x80,
    LENGTH = 0x7f,
    LENGTH_16 = 126,
    LENGTH_64 = 127
};

enum {
    OPCODE_CONTINUATION = 0,
    OPCODE_TEXT = 1,
    OPCODE_BINARY = 2,
    OPCODE_CLOSE = 8,
    OPCODE_PING = 9,
    OPCODE_PONG = 10
};

enum { HEAD_LEN_MIN = 2, CLOSE_PROTOCOL_ERROR = 1002 };

void websocket_echo_init(struct websocket_echo *echo, struct block_pool *blocks)
{
    *echo = (struct websocket_echo){.blocks = blocks};
}

void websocket_echo_rest(struct websocket_echo *echo)
{
    block_unref(&echo->block);
}

void websocket_echo_fini(struct websocket_echo *echo)
{
    block_unref(&echo->block);
}

/* --- out --- */

/* Room for at least a byte. */
static struct block *block_to_fill(struct websocket_echo *echo)
{
    if (echo->block && echo->block->used == echo->block->capacity)
        block_unref(&echo->block);
    if (echo->block == NULL)
        echo->block = block_new(echo->blocks, BLOCK_SIZE);
    return echo->block;
}

static void append(struct block *block, uint32_t len, struct body *out)
{
    body_append(out, block, block->used, len);
    block->used += len;
}

static void put(struct websocket_echo *echo, struct slice bytes, struct body *out)
{
    while (bytes.len > 0) {
        struct block *block = block_to_fill(echo);
        size_t room = block->capacity - block->used;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(block->data + block->used, bytes.at, len);
        append(block, (uint32_t)len, out);
        bytes = slice_after(bytes, len);
    }
}

static void put_control(struct websocket_echo *echo, unsigned opcode, struct slice payload, struct body *out)
{
    char head[HEAD_LEN_MIN] = {(char)(FINAL | opcode), (char)payload.len};
    put(echo, slice_make(head, sizeof head), out);
    put(echo, payload, out);
}

static void refuse(struct websocket_echo *echo, struct body *out)
{
    const char code[] = {CLOSE_PROTOCOL_ERROR >> 8, (char)(CLOSE_PROTOCOL_ERROR & 0xff)};
    put_control(echo, OPCODE_CLOSE, slice_make(code, sizeof code), out);
    echo->closed = true;
}

/* --- heads --- */

static unsigned opcode_of(const struct websocket_echo *echo)
{
    return echo->head[0] & OPCODE;
}

static bool is_control(const struct websocket_echo *echo)
{
    return opcode_of(echo) >= OPCODE_CLOSE;
}

/* Bytes of the extended length. */
static unsigned extension_len(const struct websocket_echo *echo)
{
    unsigned length = echo->head[1] & LENGTH;
    return length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
}

/* Bytes of the whole head, as far as it can be known. */
static unsigned head_len(const struct websocket_echo *echo)
{
    if (echo->head_len < HEAD_LEN_MIN)
        return HEAD_LEN_MIN;
    return HEAD_LEN_MIN + extension_len(echo) + WEBSOCKET_MASK_LEN;
}

static uint64_t payload_len(const struct websocket_echo *echo)
{
    unsigned extension = extension_len(echo);
    uint64_t length = 0;
    for (unsigned i = 0; i < extension; i++)
        length = length << 8 | echo->head[HEAD_LEN_MIN + i];
    return extension ? length : echo->head[1] & LENGTH;
}

/* Whether the first two bytes of a head may stand here. */
static bool is_head_good(const struct websocket_echo *echo)
{
    unsigned opcode = opcode_of(echo);
    bool is_final = echo->head[0] & FINAL;
    if ((echo->head[0] & RESERVED) || !(echo->head[1] & MASKED))
        return false;
    if (is_control(echo))
        return opcode <= OPCODE_PONG && is_final && (echo->head[1] & LENGTH) <= WEBSOCKET_CONTROL_MAX;
    return opcode <= OPCODE_BINARY && echo->in_message == (opcode == OPCODE_CONTINUATION);
}

/* The shortest form must be used, and the first of 64 bits is zero (RFC 6455 section 5.2). */
static bool is_length_good(const struct websocket_echo *echo)
{
    uint64_t length = payload_len(echo);
    unsigned extension = extension_len(echo);
    if (extension == 8)
        return length > UINT16_MAX && length >> 63 == 0;
    return extension == 0 || length >= LENGTH_16;
}

/* --- whole frames --- */

static void end_close(struct websocket_echo *echo, struct slice payload, struct body *out)
{
    if (payload.len == 1) { /* half of a code */
        refuse(echo, out);
        return;
    }
    put_control(echo, OPCODE_CLOSE, payload, out);
    echo->closed = true;
}

static void end_control(struct websocket_echo *echo, struct body *out)
{
    struct slice payload = slice_make(echo->control, echo->control_len);
    unsigned opcode = opcode_of(echo);
    if (opcode == OPCODE_PING)
        put_control(echo, OPCODE_PONG, payload, out);
    if (opcode == OPCODE_CLOSE)
        end_close(echo, payload, out);
}

static void end_frame(struct websocket_echo *echo, struct body *out)
{
    if (is_control(echo))
        end_control(echo, out);
    echo->in_payload = false;
    echo->head_len = 0;
}

/* A data frame goes back with the head that it came with, but unmasked. */
static void begin_frame(struct websocket_echo *echo, struct body *out)
{
    echo->in_payload = true;
    echo->done = 0;
    echo->left = payload_len(echo);
    echo->control_len = 0;
    if (!is_control(echo)) {
        char head[WEBSOCKET_HEAD_MAX];
        memcpy(head, echo->head, sizeof head);
        head[1] &= LENGTH;
        put(echo, slice_make(head, HEAD_LEN_MIN + extension_len(echo)), out);
        echo->in_message = !(echo->head[0] & FINAL);
    }
    if (echo->left == 0)
        end_frame(echo, out);
}

/* --- in: each gives the bytes that it has used --- */

static uint32_t take_head(struct websocket_echo *echo, struct slice bytes, struct body *out)
{
    unsigned missing = head_len(echo) - echo->head_len;
    unsigned len = bytes.len < missing ? (unsigned)bytes.len : missing;
    memcpy(echo->head + echo->head_len, bytes.at, len);
    echo->head_len = (uint8_t)(echo->head_len + len);
    if (echo->head_len == HEAD_LEN_MIN && !is_head_good(echo))
        refuse(echo, out);
    else if (echo->head_len == head_len(echo) && !is_length_good(echo))
        refuse(echo, out);
    else if (echo->head_len == head_len(echo))
        begin_frame(echo, out);
    return len;
}

static void unmask(struct websocket_echo *echo, struct slice bytes, char *to)
{
    const unsigned char *mask = echo->head + head_len(echo) - WEBSOCKET_MASK_LEN;
    for (size_t i = 0; i < bytes.len; i++)
        to[i] = (char)(bytes.at[i] ^ mask[(echo->done + i) % WEBSOCKET_MASK_LEN]);
    echo->done += bytes.len;
    echo->left -= bytes.len;
}

static uint32_t take_payload(struct websocket_echo *echo, struct slice bytes, struct body *out)
{
    if (bytes.len > echo->left)
        bytes.len = (size_t)echo->left;
    if (is_control(echo)) {
        unmask(echo, bytes, echo->control + echo->control_len);
        echo->control_len = (uint8_t)(echo->control_len + bytes.len);
    } else {
        struct block *block = block_to_fill(echo);
        size_t room = block->capacity - block->used;
        if (bytes.len > room)
            bytes.len = room;
        unmask(echo, bytes, block->data + block->used);
        append(block, (uint32_t)bytes.len, out);
    }
    if (echo->left == 0)
        end_frame(echo, out);
    return (uint32_t)bytes.len;
}

void websocket_echo_run(struct websocket_echo *echo, struct body *in, struct body *out)
{
    const struct body_piece *piece;
    while (!echo->closed && body_has_room(out) && (piece = body_first(in)) != NULL) {
        struct slice bytes = slice_make(piece->block->data + piece->offset, piece->len);
        body_consume(in, echo->in_payload ? take_payload(echo, bytes, out) : take_head(echo, bytes, out));
    }
}
