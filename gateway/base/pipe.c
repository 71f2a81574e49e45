/*
 * The pools of base/pipe.h. Called by codec/h1_rx, which takes a pipe for a long body, and by http/body,
 * which gives it back. The kernel counts a user's pipe pages (fs.pipe-user-pages-soft) and makes small pipes
 * when they are many; such a pipe is as good as none.
 */
#include "base/pipe.h"

#include "base/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void pipe_free(struct pipe *pipe)
{
    pipe->pool->count--;
    close(pipe->in);
    close(pipe->out);
    free(pipe);
}

void pipe_pool_fini(struct pipe_pool *pool)
{
    while (pool->free) {
        struct pipe *pipe = pool->free;
        pool->free = pipe->next_free;
        pool->free_count--;
        pipe_free(pipe);
    }
    CHECK(pool->count == 0);
}

static struct pipe *pipe_new(struct pipe_pool *pool)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
        return NULL;
    int capacity = fcntl(ends[1], F_SETPIPE_SZ, PIPE_CAPACITY);
    if (capacity < 0)
        capacity = fcntl(ends[1], F_GETPIPE_SZ);
    if (capacity < PIPE_CAPACITY_MIN) {
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    struct pipe *pipe = malloc(sizeof *pipe);
    CHECK(pipe != NULL);
    *pipe = (struct pipe){.pool = pool, .in = ends[1], .out = ends[0], .capacity = (uint32_t)capacity};
    pool->count++;
    return pipe;
}

struct pipe *pipe_take(struct pipe_pool *pool)
{
    struct pipe *pipe = pool->free;
    if (pipe) {
        pool->free = pipe->next_free;
        pool->free_count--;
        return pipe;
    }
    if (pool->count == PIPES_MAX)
        return NULL;
    if (pool->rest > 0) {
        pool->rest--;
        return NULL;
    }
    pipe = pipe_new(pool);
    if (pipe == NULL)
        pool->rest = PIPES_REST;
    return pipe;
}

void pipe_give(struct pipe **pipe_at)
{
    struct pipe *pipe = *pipe_at;
    *pipe_at = NULL;
    if (pipe == NULL)
        return;
    struct pipe_pool *pool = pipe->pool;
    if (pipe->held > 0 || pool->free_count == PIPES_KEPT) {
        pipe_free(pipe);
        return;
    }
    pipe->next_free = pool->free;
    pool->free = pipe;
    pool->free_count++;
}
