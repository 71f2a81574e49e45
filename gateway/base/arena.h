/*
 * Bump allocation for things that die together: all that belongs to one exchange, or to one configuration.
 * Nothing in an arena is freed singly; error paths need no cleanup. Memory comes zeroed only where the name
 * says so. Running out of memory aborts the process (the kernel's overcommit leaves nothing better to do).
 * One thread at a time.
 */
#ifndef PORTICO_BASE_ARENA_H
#define PORTICO_BASE_ARENA_H

#include "base/slice.h"

#include <stdalign.h>
#include <stdarg.h>

struct arena_page;

/* What every allocation is aligned to. */
enum { ARENA_ALIGNMENT = alignof(max_align_t) };

/* An arena. `first`/`first_size` is an optional caller-owned first page that needs no malloc. */
struct arena {
    char *at, *end;
    struct arena_page *pages;
    char *first;
    size_t first_size;
};

/* Starts an arena on `first` (may be NULL, then size 0), which must live as long as the arena. */
void arena_init(struct arena *arena, void *first, size_t first_size);

/* Gives back every page; slices and objects from the arena are dead. The arena may be used again. */
void arena_fini(struct arena *arena);

/* A page more; for arena_alloc(), which has no room for so many bytes. */
void *arena_grow(struct arena *arena, size_t size);

/* `size` bytes, aligned for any type, never NULL. */
static inline void *arena_alloc(struct arena *arena, size_t size)
{
    size = (size + (size == 0) + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    if ((size_t)(arena->end - arena->at) < size)
        return arena_grow(arena, size);
    void *memory = arena->at;
    arena->at += size;
    return memory;
}

/* The same, zeroed. */
void *arena_zalloc(struct arena *arena, size_t size);

/* A terminated copy of the bytes. */
char *arena_copy(struct arena *arena, struct slice bytes);

/* The same as a slice, which does not count the terminator. */
static inline struct slice arena_slice(struct arena *arena, struct slice bytes)
{
    return slice_make(arena_copy(arena, bytes), bytes.len);
}

/* printf into the arena; terminated, the slice does not count the terminator. */
struct slice arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with a va_list. */
struct slice arena_vprintf(struct arena *arena, const char *format, va_list arguments);

#endif
