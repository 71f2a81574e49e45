/*
 * Building and counting the snapshots of config/snapshot.h: load, then every module's compile in the order of
 * the list; any error undoes what was made. The last reference frees parts in reverse order, then the
 * configuration.
 */
#include "config/snapshot.h"

#include "base/check.h"

#include <stdlib.h>

static void free_snapshot(struct snapshot *snapshot)
{
    if (snapshot->end.run)
        snapshot->end.run(snapshot->end.arg);
    for (unsigned i = SNAPSHOT_PARTS; i > 0; i--)
        if (snapshot->parts[i - 1])
            snapshot->modules[i - 1]->free(snapshot->parts[i - 1]);
    config_free(&snapshot->config);
    free(snapshot);
}

struct snapshot *snapshot_new(const char *path, const struct config_module *const *modules,
                              const struct snapshot *previous, struct config_findings *findings)
{
    struct config *config = config_load(path, findings);
    if (!config)
        return NULL;
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    CHECK(snapshot != NULL);
    atomic_init(&snapshot->shared.refs, 1);
    snapshot->generation = previous ? previous->generation + 1 : 1;
    snapshot->config = config;
    snapshot->modules = modules;
    for (unsigned i = 0; modules[i]; i++) {
        CHECK(i < SNAPSHOT_PARTS);
        snapshot->parts[i] = modules[i]->compile(config, previous ? previous->parts[i] : NULL, findings);
    }
    if (findings->errors > 0) {
        free_snapshot(snapshot);
        return NULL;
    }
    return snapshot;
}

const void *snapshot_part(const struct snapshot *snapshot, const struct config_module *module)
{
    unsigned i = 0;
    while (snapshot->modules[i] != module)
        CHECK(snapshot->modules[i++] != NULL);
    return snapshot->parts[i];
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->shared.refs, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot **snapshot)
{
    struct snapshot *given = *snapshot;
    *snapshot = NULL;
    if (given && atomic_fetch_sub_explicit(&given->shared.refs, 1, memory_order_acq_rel) == 1)
        free_snapshot(given);
}
