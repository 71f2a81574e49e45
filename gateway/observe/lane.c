/*
 * The two pages of a lane and the order in which worker and writer go through them, see observe/lane.h.
 * Called by the access log only; must not know what the bytes are.
 */
#include "observe/lane.h"

#include "base/check.h"

#include <stdlib.h>

/* A page this full is left as soon as the other one is free. */
enum { REWIND_AT = 64 * 1024 };

void lane_init(struct lane *lane, size_t page_size)
{
    *lane = (struct lane){.page_size = page_size};
    for (unsigned i = 0; i < 2; i++) {
        lane->pages[i] = malloc(page_size);
        CHECK(lane->pages[i] != NULL);
    }
}

void lane_fini(struct lane *lane)
{
    free(lane->pages[0]);
    free(lane->pages[1]);
}

/* Goes on in the other page, provided that the writer is done with it. */
static bool turn_page(struct lane *lane)
{
    if (atomic_load_explicit(&lane->from_writer.reading, memory_order_acquire) != lane->filling)
        return false;
    lane->filling ^= 1;
    lane->used = lane->shown = 0;
    atomic_store_explicit(&lane->from_worker.published[lane->filling], 0, memory_order_relaxed);
    atomic_store_explicit(&lane->from_worker.filling, lane->filling, memory_order_release);
    return true;
}

char *lane_room(struct lane *lane, size_t room)
{
    if (lane->page_size - lane->used < room) {
        CHECK(room <= lane->page_size);
        lane_publish(lane);
        if (lane->used != 0 && !turn_page(lane))
            return NULL;
    }
    return lane->pages[lane->filling] + lane->used;
}

bool lane_publish(struct lane *lane)
{
    if (lane->used == lane->shown)
        return false;
    lane->shown = lane->used;
    /* Sequentially consistent: the worker goes on to ask whether the writer sleeps, the writer goes to sleep
     * and then looks here; one of the two must see the other. */
    atomic_store(&lane->from_worker.published[lane->filling], lane->used);
    if (lane->used >= REWIND_AT)
        turn_page(lane);
    return true;
}

struct slice lane_peek(struct lane *lane)
{
    for (;;) {
        /* In this order: once the worker fills the other page, the count of this one is final. */
        unsigned filling = atomic_load_explicit(&lane->from_worker.filling, memory_order_acquire);
        unsigned reading = atomic_load_explicit(&lane->from_writer.reading, memory_order_relaxed);
        size_t published = atomic_load(&lane->from_worker.published[reading]);
        if (lane->drained < published)
            return slice_make(lane->pages[reading] + lane->drained, published - lane->drained);
        if (filling == reading)
            return (struct slice){0};
        lane->drained = 0;
        atomic_store_explicit(&lane->from_writer.reading, filling, memory_order_release);
    }
}
