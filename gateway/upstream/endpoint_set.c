/*
 * The reference-counted array behind upstream/endpoint_set.h, in one allocation with the upstream's name.
 * Filled by the resolver before it is published, never written afterwards. Knows nothing of names or of DNS.
 */
#include "upstream/endpoint_set.h"

#include <stdlib.h>

struct endpoint_set *endpoint_set_new(struct slice upstream, uint32_t count)
{
    size_t fixed = sizeof(struct endpoint_set) + count * sizeof(struct address);
    struct endpoint_set *set = calloc(1, fixed + upstream.len + 1);
    CHECK(set != NULL);
    set->upstream = (char *)set + fixed;
    if (upstream.len > 0)
        memcpy(set->upstream, upstream.at, upstream.len);
    set->count = count;
    atomic_init(&set->shared.refs, 1);
    return set;
}

struct endpoint_set *endpoint_set_ref(struct endpoint_set *set)
{
    atomic_fetch_add_explicit(&set->shared.refs, 1, memory_order_relaxed);
    return set;
}

void endpoint_set_unref(struct endpoint_set **set)
{
    struct endpoint_set *old = *set;
    *set = NULL;
    if (old && atomic_fetch_sub_explicit(&old->shared.refs, 1, memory_order_acq_rel) == 1)
        free(old);
}

bool endpoint_set_equal(const struct endpoint_set *a, const struct endpoint_set *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!address_equal(&a->addresses[i], &b->addresses[i]))
            return false;
    return true;
}
