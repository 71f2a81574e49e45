/*
 * The bump allocator behind base/arena.h: a caller's first page, then malloc'd pages of at least 4 KiB. An
 * allocation that is larger than a page gets a page of its own. Knows nothing of what is stored.
 */
#include "base/arena.h"

#include "base/check.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE_SIZE = 4096 };

struct arena_page {
    struct arena_page *next;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *arena, void *first, size_t first_size)
{
    size_t skip = -(uintptr_t)first & (ARENA_ALIGNMENT - 1);
    *arena = (struct arena){.first = first, .first_size = first_size};
    if (first_size <= skip)
        return;
    arena->at = arena->first + skip;
    arena->end = arena->first + first_size;
}

void arena_fini(struct arena *arena)
{
    while (arena->pages) {
        struct arena_page *page = arena->pages;
        arena->pages = page->next;
        free(page);
    }
    arena_init(arena, arena->first, arena->first_size);
}

void *arena_grow(struct arena *arena, size_t size)
{
    size_t capacity = size > PAGE_SIZE ? size : PAGE_SIZE;
    struct arena_page *page = malloc(sizeof *page + capacity);
    CHECK(page != NULL);
    page->next = arena->pages;
    arena->pages = page;
    if (capacity > size || arena->at == NULL) {
        arena->at = page->data + size;
        arena->end = page->data + capacity;
    }
    return page->data;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

char *arena_copy(struct arena *arena, struct slice bytes)
{
    char *copy = arena_alloc(arena, bytes.len + 1);
    if (bytes.len)
        memcpy(copy, bytes.at, bytes.len);
    copy[bytes.len] = '\0';
    return copy;
}

struct slice arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    CHECK(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, arguments);
    return slice_make(text, (size_t)len);
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct slice text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}
