/*
 * What a thread serves from: one configuration and what the modules compiled from it, immutable and
 * reference-counted. Built on the control thread, whole or not at all; each worker thread holds one reference
 * and lends it to its exchanges.
 */
#ifndef PORTICO_CONFIG_SNAPSHOT_H
#define PORTICO_CONFIG_SNAPSHOT_H

#include "config/config.h"

#include <stdatomic.h>

/* Compiles one module's part of a snapshot. Knows the configuration, adds findings, gives its immutable part.
 */
struct config_module {
    const char *name;
    /* NULL after adding an error, or when it needs no part. `previous` is the module's part of the snapshot
     * in force, or NULL: what outlives a configuration (counts, sessions) is taken over from it by reference,
     * found by its identity. It may be in use and is not changed. */
    void *(*compile)(const struct config *config, const void *previous, struct config_findings *findings);
    void (*free)(void *part);
};

/* Most modules that may have a part. */
enum { SNAPSHOT_PARTS = 8 };

/* What else ends with a snapshot: called when nobody refers to it any more, before it is freed, on the thread
 * of the last who did. All zero: nothing. */
struct snapshot_end {
    void (*run)(void *arg);
    void *arg;
};

/* A configuration in force. */
struct snapshot {
    struct {
        _Atomic uint32_t refs;
    } shared;
    uint64_t generation; /* 1 for the first, each one more than the one that it replaces */
    struct config *config;
    const struct config_module *const *modules; /* NULL-terminated; parts[i] is modules[i]'s */
    void *parts[SNAPSHOT_PARTS];
    struct snapshot_end end;
};

/* Loads the file and compiles it with the modules (a static NULL-terminated list); refs == 1. `previous` is
 * the snapshot in force, made with the same modules, or NULL. NULL when there is any error. */
struct snapshot *snapshot_new(const char *path, const struct config_module *const *modules,
                              const struct snapshot *previous, struct config_findings *findings);

/* The part that a module compiled, or NULL. The module must be on the snapshot's list. */
const void *snapshot_part(const struct snapshot *snapshot, const struct config_module *module);

/* One more reference; any thread. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);

/* Gives up a reference and stores NULL; the last one frees everything. Any thread; accepts NULL. */
void snapshot_unref(struct snapshot **snapshot);

#endif
