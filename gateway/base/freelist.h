/*
 * Objects of one size kept for reuse, a bounded number of them, last in first out: what a hot path would
 * otherwise ask malloc for again and again. One thread's. The object's first bytes are overwritten while it
 * is kept.
 */
#ifndef PORTICO_BASE_FREELIST_H
#define PORTICO_BASE_FREELIST_H

#include "base/check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The kept objects. All zero but the sizes is an empty list. */
struct freelist {
    size_t size;   /* of each object */
    unsigned most; /* kept at one time */
    unsigned count;
    void *first;
};

/* An object with whatever it held before, never NULL. */
static inline void *freelist_take(struct freelist *list)
{
    void *object = list->first;
    if (object == NULL) {
        object = malloc(list->size);
        CHECK(object != NULL);
        return object;
    }
    memcpy(&list->first, object, sizeof list->first);
    list->count--;
    __builtin_prefetch(list->first); /* in a turn that takes one, others are taken */
    return object;
}

/* Gives an object back. */
static inline void freelist_put(struct freelist *list, void *object)
{
    if (list->count == list->most) {
        free(object);
        return;
    }
    memcpy(object, &list->first, sizeof list->first);
    list->first = object;
    list->count++;
}

/* Frees what is kept. */
static inline void freelist_fini(struct freelist *list)
{
    while (list->count > 0) {
        void *object = freelist_take(list);
        free(object);
    }
}

#endif
