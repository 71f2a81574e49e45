/*
 * Memory that is sent for before it is needed: of a thousand connections hardly one is in the cache when its
 * turn comes, and what is asked for early comes while other work is done.
 */
#ifndef PORTICO_BASE_PREFETCH_H
#define PORTICO_BASE_PREFETCH_H

#include <stddef.h>

/* Sends for `len` bytes; any address may be given. */
static inline void prefetch(const void *at, size_t len)
{
    for (size_t line = 0; line < len; line += 64)
        __builtin_prefetch((const char *)at + line);
}

#endif
