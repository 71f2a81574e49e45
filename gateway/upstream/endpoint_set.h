/*
 * The addresses that an upstream's servers stand for right now: immutable, reference-counted, made by the
 * resolver on the control thread, read by every worker. A set may be empty: nothing resolves yet.
 */
#ifndef PORTICO_UPSTREAM_ENDPOINT_SET_H
#define PORTICO_UPSTREAM_ENDPOINT_SET_H

#include "base/address.h"

#include <stdatomic.h>
#include <stdint.h>

/* The endpoints of one upstream, in a stable order: by server as configured, then by address. */
struct endpoint_set {
    struct {
        _Atomic uint32_t refs;
    } shared;
    char *upstream; /* name of the upstream, terminated */
    uint32_t count;
    struct address addresses[];
};

/* A set with room for `count` addresses (zeroed), refs == 1. The name is copied. */
struct endpoint_set *endpoint_set_new(struct slice upstream, uint32_t count);

/* One more reference; any thread. */
struct endpoint_set *endpoint_set_ref(struct endpoint_set *set);

/* Gives up a reference and stores NULL; any thread; accepts NULL. */
void endpoint_set_unref(struct endpoint_set **set);

/* Whether both hold the same addresses in the same order. */
bool endpoint_set_equal(const struct endpoint_set *a, const struct endpoint_set *b);

#endif
