/*
 * The pools behind base/block.h. A thread keeps at most 1 MiB of idle blocks of each class; what is beyond
 * goes back to malloc, so memory follows the load down again.
 */
#include "base/block.h"

#include "base/check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_SMALL = 64, KEEP_LARGE = 16 };

void block_pool_init(struct block_pool *pool)
{
    memset(pool, 0, sizeof *pool);
}

static void free_chain(struct block *block)
{
    while (block) {
        struct block *next = block->next_free;
        free(block);
        block = next;
    }
}

void block_pool_fini(struct block_pool *pool)
{
    free_chain(pool->free_small);
    free_chain(pool->free_large);
    block_pool_init(pool);
}

static struct block *take(struct block **free_list, unsigned *count)
{
    struct block *block = *free_list;
    if (block) {
        *free_list = block->next_free;
        --*count;
    }
    return block;
}

struct block *block_new(struct block_pool *pool, size_t capacity)
{
    struct block *block = NULL;
    if (capacity <= BLOCK_SIZE) {
        capacity = BLOCK_SIZE;
        block = take(&pool->free_small, &pool->free_small_count);
    } else if (capacity <= BLOCK_SIZE_LARGE) {
        capacity = BLOCK_SIZE_LARGE;
        block = take(&pool->free_large, &pool->free_large_count);
    }
    CHECK(capacity <= UINT32_MAX);
    if (block == NULL) {
        block = malloc(sizeof *block + capacity);
        CHECK(block != NULL);
        block->capacity = (uint32_t)capacity;
    }
    block->pool = pool;
    block->next_free = NULL;
    block->refs = 1;
    block->used = 0;
    return block;
}

static bool keep(struct block *block, struct block **free_list, unsigned *count, unsigned most)
{
    if (*count >= most)
        return false;
    block->next_free = *free_list;
    *free_list = block;
    ++*count;
    return true;
}

void block_retire(struct block *block)
{
    struct block_pool *pool = block->pool;
    if (block->capacity == BLOCK_SIZE && keep(block, &pool->free_small, &pool->free_small_count, KEEP_SMALL))
        return;
    if (block->capacity == BLOCK_SIZE_LARGE &&
        keep(block, &pool->free_large, &pool->free_large_count, KEEP_LARGE))
        return;
    free(block);
}
