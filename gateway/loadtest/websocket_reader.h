/*
 * A client's reading of a WebSocket (RFC 6455 section 5) whose server gives back what it got: whether a
 * message is the one expected, and what besides messages must be answered or ends it. Bytes in, events out;
 * no socket, and no message is gathered.
 */
#ifndef PORTICO_LOADTEST_WEBSOCKET_READER_H
#define PORTICO_LOADTEST_WEBSOCKET_READER_H

#include "base/slice.h"

#include <stdint.h>

/* What came. */
enum websocket_event {
    WEBSOCKET_MORE,  /* everything was read, nothing has ended */
    WEBSOCKET_ECHO,  /* the message that was expected */
    WEBSOCKET_WRONG, /* another message */
    WEBSOCKET_PING,  /* `control` is to go back */
    WEBSOCKET_PONG,
    WEBSOCKET_CLOSE,
    WEBSOCKET_BROKEN /* no valid frame; do not read on */
};

/* Longest payload of a control frame, and head of a frame without a mask. */
enum { WEBSOCKET_CONTROL_MOST = 125, WEBSOCKET_UNMASKED_HEAD = 10 };

/* Where the reading stands. All zero is the beginning. */
struct websocket_reader {
    unsigned char head[WEBSOCKET_UNMASKED_HEAD];
    uint8_t head_len;
    bool in_payload;
    bool in_message; /* a data frame was not final */
    bool wrong;      /* the message differs already */
    uint64_t left;   /* of the payload */
    uint64_t at;     /* bytes of the message seen */
    uint8_t control_len;
    char control[WEBSOCKET_CONTROL_MOST];
};

/* Reads until something has ended, and drops what was read from `bytes`. */
enum websocket_event websocket_reader_next(struct websocket_reader *reader, struct slice expected,
                                           struct slice *bytes);

#endif
