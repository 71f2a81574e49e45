/*
 * Where the frames of one direction of a WebSocket begin and end (RFC 6455 section 5.2): so much of them as a
 * gateway must know to say something of its own between two of them. Looks at lengths and opcodes only.
 */
#ifndef PORTICO_HTTP_WEBSOCKET_FRAMES_H
#define PORTICO_HTTP_WEBSOCKET_FRAMES_H

#include "base/slice.h"

#include <stdint.h>

/* A Close frame without a mask that says 1001, "going away" (RFC 6455 section 7.4.1). */
extern const struct slice WEBSOCKET_GOING_AWAY;

/* Longest head of a frame. */
enum { WEBSOCKET_HEAD_MAX = 14 };

/* One direction, as far as it has been followed. All zero is the beginning. */
struct websocket_frames {
    uint64_t seen;  /* bytes */
    uint64_t began; /* where the last frame did */
    uint64_t left;  /* of the payload of the frame under way */
    unsigned char head[WEBSOCKET_HEAD_MAX];
    uint8_t head_len; /* bytes of the head under way, 0 within a payload */
    bool closed;      /* a Close frame has begun */
};

/* Follows the bytes that come next, wherever they are cut. */
void websocket_frames_follow(struct websocket_frames *frames, struct slice bytes);

/* A place between two frames, at or behind `from` (at most `seen`): before the last frame where that may be,
 * else behind it. False while its head does not tell where it ends. */
bool websocket_frames_gap(const struct websocket_frames *frames, uint64_t from, uint64_t *at_out);

#endif
