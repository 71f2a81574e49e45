/*
 * One worker's way to the writer thread of the access log: two pages, used in turns, without a lock. The
 * worker fills its page and publishes how far; the writer reads up to there. When the writer has come to the
 * page that is being filled, the other one is free, and the worker goes on at its start; so a lane touches no
 * more memory than the writer is behind. Private to observe/access_log.c and its tests.
 */
#ifndef PORTICO_OBSERVE_LANE_H
#define PORTICO_OBSERVE_LANE_H

#include "base/slice.h"

#include <stdatomic.h>
#include <stdint.h>

/* The three parts are written by different threads and stand on cache lines of their own. */
struct lane {
    char *pages[2];
    size_t page_size;

    /* Only the worker. */
    unsigned filling; /* its page */
    size_t used;      /* bytes in it */
    size_t shown;     /* of them published */

    /* Only the writer. */
    size_t drained __attribute__((aligned(64))); /* bytes of the page it reads that are done */

    /* The worker writes, the writer reads. */
    struct {
        _Atomic size_t published[2];
        _Atomic unsigned filling;
        _Atomic uint64_t dropped; /* records */
    } from_worker __attribute__((aligned(64)));

    /* The writer writes, the worker reads. */
    struct {
        _Atomic unsigned reading; /* page */
    } from_writer __attribute__((aligned(64)));
};

/* Makes an empty lane with two pages of `page_size` bytes. */
void lane_init(struct lane *lane, size_t page_size);

/* Frees the pages. */
void lane_fini(struct lane *lane);

/* Worker: where `room` bytes can be written, NULL when both pages are full. */
char *lane_room(struct lane *lane, size_t room);

/* Worker: `len` of those bytes were written. */
static inline void lane_filled(struct lane *lane, size_t len)
{
    lane->used += len;
}

/* Worker: lets the writer see everything written so far. False when there was nothing new. */
bool lane_publish(struct lane *lane);

/* Worker: whether the page that is being filled is more than half full. */
static inline bool lane_is_pressed(const struct lane *lane)
{
    return lane->used > lane->page_size / 2;
}

/* Writer: the bytes that come next; empty when all that is published is done. */
struct slice lane_peek(struct lane *lane);

/* Writer: the first `len` bytes of what lane_peek() gave are done. */
static inline void lane_done(struct lane *lane, size_t len)
{
    lane->drained += len;
}

#endif
