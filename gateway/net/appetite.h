/*
 * How much a conn reads at a time, learned from what has come: large blocks for what comes in large parts, so
 * that a body takes few calls; small ones for what does not, and for those who take their bytes slowly, so
 * that many of them hold little. Pure: touches no socket.
 */
#ifndef PORTICO_NET_APPETITE_H
#define PORTICO_NET_APPETITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one conn has learned. All zero is a conn that nothing is known of. */
struct appetite {
    uint8_t large;  /* > 0: a read has filled its block, large ones are used; counts down with small reads */
    uint8_t wary;   /* so many blocks have to be filled before */
    bool head_only; /* the last long body was spliced: of the next message little but the head need be read */
    bool much;      /* what came last is passed on at once */
};

/* Bytes that a block to read into should hold. */
size_t appetite_block(const struct appetite *appetite);

/* Bytes to read next where there is room for `room`; counts as asked. */
size_t appetite_next(struct appetite *appetite, size_t room);

/* So many bytes were read, and were all that was asked for if `filled`. */
void appetite_note(struct appetite *appetite, size_t got, bool filled);

/* So many bytes were moved without being read. */
void appetite_note_spliced(struct appetite *appetite, size_t got);

/* Bytes come faster than their taker wants them. */
void appetite_spoil(struct appetite *appetite);

#endif
