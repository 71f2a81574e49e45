/*
 * The bytes of one message body on their way from one stream to the other: a bounded queue of block slices
 * with one producer and one consumer. Backpressure is its property: when it is full the producer stops
 * reading until the consumer has brought it below the low mark. Bytes are never copied, except small ones
 * that are moved together inside their block.
 */
#ifndef PORTICO_HTTP_BODY_H
#define PORTICO_HTTP_BODY_H

#include "base/block.h"
#include "base/pipe.h"
#include "base/slice.h"

#include <stdbool.h>

/* The bounds of one body in transit. */
enum {
    BODY_HIGH_MARK = 32 * 1024, /* bytes; the producer stops here: one large block is enough */
    BODY_LOW_MARK = 16 * 1024,  /* bytes; the producer goes on below this */
    BODY_PIECES = 8,            /* slices of blocks; the producer stops when all are taken */
    BODY_JOIN = 2048            /* bytes; a slice up to this long is moved next to the one before it */
};

/* Some bytes of a body: `len` bytes at block->data + offset, or the next ones of the body's pipe. */
struct body_piece {
    struct block *block; /* with a reference; NULL: in the pipe */
    uint32_t offset, len;
};

/* One body in transit. All zero is an empty body. */
struct body {
    uint8_t first, count; /* first: 0 in an empty ring, so that one piece at a time stays in one cache line */
    bool ended;           /* the producer has seen the end: what is queued is the rest */
    bool may_pipe;   /* the consumer takes bytes out of a pipe, too: set by whoever brings the two together */
    uint32_t queued; /* bytes in the ring */
    uint64_t total;  /* bytes ever appended */
    struct pipe *pipe; /* the producer's, NULL while it needs none; goes back to its pool with the body */
    struct body_piece pieces[BODY_PIECES]; /* ring */
};

/* Makes an empty body. */
void body_init(struct body *body);

/* Gives back all blocks, and the pipe. */
void body_fini(struct body *body);

/* Whether the producer may append another slice. */
bool body_has_room(const struct body *body);

/* Appends `len` bytes of the block at `offset`; they must not change any more, and the bytes between the end
 * of the slice appended before (same block) and `offset` must be dead: a small slice is moved down over them.
 * Requires body_has_room. */
void body_append(struct body *body, struct block *block, uint32_t offset, uint32_t len);

/* Appends `len` bytes that the producer has moved into the body's pipe. Requires body_has_room. */
void body_append_piped(struct body *body, uint32_t len);

/* Moves bytes from the front of `from` to the end of `to` until that holds `mark` bytes or has no room for
 * another slice; gives how many. */
uint32_t body_move(struct body *to, struct body *from, uint64_t mark);

/* The first piece, or NULL when the body is empty. */
const struct body_piece *body_first(const struct body *body);

/* Drops the first `len` bytes. */
void body_consume(struct body *body, uint32_t len);

/* Whether the producer has ended and everything has been consumed. */
static inline bool body_is_done(const struct body *body)
{
    return body->ended && body->queued == 0;
}

#endif
