/*
 * Refcounted memory that bytes travel in between sockets: a conn reads into a block, slices of it are passed
 * on, and it goes back to its thread's pool with its last reference. Blocks and pools belong to one thread;
 * counts are plain.
 */
#ifndef PORTICO_BASE_BLOCK_H
#define PORTICO_BASE_BLOCK_H

#include "base/check.h"

#include <stddef.h>
#include <stdint.h>

/* Sizes of the two pooled classes, counting data only: the usual one, and one for bulk and for large heads,
 * as large as one slow reader may hold. */
enum { BLOCK_SIZE = 16 * 1024 - 32, BLOCK_SIZE_LARGE = 48 * 1024 - 32 };

struct block_pool;

/* A block: `used` bytes of `capacity` in `data` have been filled. */
struct block {
    struct block_pool *pool;
    struct block *next_free;
    uint32_t refs;
    uint32_t capacity;
    uint32_t used;
    char data[];
};

/* A thread's free blocks, last in first out, a bounded number of each class. */
struct block_pool {
    struct block *free_small, *free_large;
    unsigned free_small_count, free_large_count;
};

/* Makes an empty pool. */
void block_pool_init(struct block_pool *pool);

/* Frees the idle blocks; blocks still referenced MUST NOT exist. */
void block_pool_fini(struct block_pool *pool);

/* An empty block with at least `capacity` bytes of room (rounded up to a class; beyond the large one, exact),
 * refs == 1. */
struct block *block_new(struct block_pool *pool, size_t capacity);

/* One more reference; gives the block. */
static inline struct block *block_ref(struct block *block)
{
    block->refs++;
    return block;
}

/* Returns a block that nobody refers to any more to its pool. */
void block_retire(struct block *block);

/* Gives up a reference and stores NULL; the last one returns the block to its pool. Accepts a NULL block. */
static inline void block_unref(struct block **block_at)
{
    struct block *block = *block_at;
    *block_at = NULL;
    if (block == NULL)
        return;
    CHECK(block->refs > 0);
    if (--block->refs == 0)
        block_retire(block);
}

#endif
