/*
 * Pipes that bytes travel through from one socket to another without entering the program (splice(2)). Each
 * thread has a bounded number; whoever gets none copies. Belong to one thread.
 */
#ifndef PORTICO_BASE_PIPE_H
#define PORTICO_BASE_PIPE_H

#include <stdint.h>

/* The bounds of a thread's pipes. */
enum {
    PIPE_CAPACITY =
        256 * 1024, /* bytes a pipe is asked to hold; kernel memory that an empty one does not take */
    PIPE_CAPACITY_MIN = 64 * 1024, /* a pipe that the kernel makes smaller is of no use */
    PIPES_MAX = 32,                /* of a thread, two descriptors each */
    PIPES_KEPT = 16,               /* of them, when nobody needs them */
    PIPES_REST = 256 /* calls of pipe_take() that the kernel is left alone for after a refusal */
};

struct pipe_pool;

/* A pipe. Its holder moves bytes and counts them. */
struct pipe {
    struct pipe_pool *pool;
    struct pipe *next_free;
    int in, out;       /* written to, read from; both non-blocking */
    uint32_t capacity; /* bytes, of full pages */
    uint32_t held;     /* bytes that are in it */
};

/* A thread's pipes. All zero is an empty pool. */
struct pipe_pool {
    struct pipe *free;
    unsigned count, free_count; /* all of them; those that are free */
    unsigned rest;              /* calls to go before the kernel is asked again */
};

/* Closes the pipes that are free; the others MUST have been given back. */
void pipe_pool_fini(struct pipe_pool *pool);

/* An empty pipe, or NULL when there is none to be had. */
struct pipe *pipe_take(struct pipe_pool *pool);

/* Gives a pipe back and stores NULL: what it still holds is lost. Accepts a NULL pipe. */
void pipe_give(struct pipe **pipe);

#endif
