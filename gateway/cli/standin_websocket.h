/*
 * A WebSocket server's side of RFC 6455 that gives everything back: text and binary frames as they came, a
 * pong for a ping, a close for a close. What breaks the protocol is answered with a close, 1002. Bytes in,
 * bytes out, no socket; frames of any length pass through without being gathered.
 */
#ifndef PORTICO_CLI_STANDIN_WEBSOCKET_H
#define PORTICO_CLI_STANDIN_WEBSOCKET_H

#include "http/body.h"

/* Bytes of a frame's head, of a control frame's payload, and of a mask (RFC 6455 sections 5.2 and 5.5). */
enum { WEBSOCKET_HEAD_MAX = 14, WEBSOCKET_CONTROL_MAX = 125, WEBSOCKET_MASK_LEN = 4 };

/* Where the reading of frames stands. */
struct websocket_echo {
    struct block_pool *blocks;
    struct block *block; /* being filled with what goes out, or NULL */
    bool closed;         /* a close frame has gone out: nothing follows */
    bool in_payload;     /* a whole head has been read */
    bool in_message;     /* a data frame was not final: continuations follow */
    uint8_t head_len;    /* bytes of the head read so far */
    uint8_t control_len; /* bytes of a control frame's payload read so far */
    uint64_t done, left; /* payload bytes of this frame */
    unsigned char head[WEBSOCKET_HEAD_MAX];
    char control[WEBSOCKET_CONTROL_MAX];
};

/* Ready for the first frame. All zero is an echo that needs no fini. */
void websocket_echo_init(struct websocket_echo *echo, struct block_pool *blocks);

/* Gives back its block. */
void websocket_echo_fini(struct websocket_echo *echo);

/* Consumes from `in` as far as `out` has room, and appends what is to be sent. */
void websocket_echo_run(struct websocket_echo *echo, struct body *in, struct body *out);

/* Gives back its block for now: called when nothing is under way, so that an idle WebSocket holds none. */
void websocket_echo_rest(struct websocket_echo *echo);

#endif
