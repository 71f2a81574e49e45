/*
 * The making of process/generation.h. Called by supervisor.c and solo.c; knows neither the worker nor
 * signals.
 */
#include "process/generation.h"

#include <malloc.h>
#include <sched.h>

static uint32_t usable_cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (uint32_t)count : 1;
}

uint32_t generation_threads(const struct config *config)
{
    uint32_t threads = config->process.threads ? config->process.threads : usable_cores();
    return threads < SOCKETS_THREADS_MAX ? threads : SOCKETS_THREADS_MAX;
}

/* Loads, keeps the files, and binds what `before` has not. */
static bool make(struct generation *generation, const struct generation_source *source,
                 const struct snapshot *in_force, const struct config *before, uint32_t threads)
{
    *generation = (struct generation){0};
    archive_record(&generation->archive);
    generation->snapshot = source->load(source->arg, in_force);
    archive_record(NULL);
    const struct config *now = generation->snapshot ? generation->snapshot->config : NULL;
    if (now && sockets_bind(now, before, threads ? threads : generation_threads(now), &generation->sockets))
        return true;
    generation_fini(generation);
    return false;
}

bool generation_make_first(struct generation *generation, const struct generation_source *source,
                           struct legacy *legacy)
{
    bool made = make(generation, source, NULL, &legacy->config, legacy->sockets.threads);
    if (made)
        sockets_inherit(&generation->sockets, generation->snapshot->config, &legacy->sockets,
                        &legacy->config);
    sockets_close(&legacy->sockets);
    arena_fini(&legacy->config.arena);
    *legacy = (struct legacy){0};
    return made;
}

bool generation_make(struct generation *generation, const struct generation_source *source,
                     const struct generation *in_force, uint32_t threads)
{
    return make(generation, source, in_force->snapshot, in_force->snapshot->config, threads);
}

bool generation_make_again(struct generation *generation, const struct generation_source *source,
                           const struct generation *in_force, uint32_t threads, const struct archive *files)
{
    struct archive known = {0};
    archive_update(&known, &in_force->archive);
    archive_update(&known, files);
    archive_replay(&known);
    bool made = generation_make(generation, source, in_force, threads);
    archive_replay(NULL);
    archive_fini(&known);
    return made;
}

void generation_replace(struct generation *in_force, struct generation *next)
{
    sockets_inherit(&next->sockets, next->snapshot->config, &in_force->sockets, in_force->snapshot->config);
    generation_fini(in_force);
    malloc_trim(0); /* both were in memory at once */
    *in_force = *next;
    *next = (struct generation){0};
}

void generation_fini(struct generation *generation)
{
    sockets_close(&generation->sockets);
    archive_fini(&generation->archive);
    snapshot_unref(&generation->snapshot);
}
