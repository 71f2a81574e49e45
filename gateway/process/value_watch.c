/*
 * What changed files mean, for process/value_watch.h. Called by supervisor.c. A file that cannot be read is
 * said and goes on as it was: the values in force are better than none.
 */
#include "process/value_watch.h"

#include "base/log.h"
#include "base/read_file.h"
#include "process/file_watch.h"

#include <stdlib.h>

struct value_watch {
    const struct generation *generation;
    struct value_watcher watcher;
    struct file_watch *files;
};

/* Adds the file to what has changed, if it is not as the generation has it. */
static void read_again(const struct value_watch *watch, const struct config_file *file,
                       struct archive *changed)
{
    struct arena arena;
    struct archive now = {0};
    struct slice bytes;
    arena_init(&arena, NULL, 0);
    archive_record(&now);
    const char *problem = read_file(&arena, file->path, file->limit, &bytes);
    archive_record(NULL);
    if (problem) {
        log_error("config", "%s %s; what it held stays in force", file->path, problem);
    } else if (!archive_agrees(&watch->generation->archive, &now)) {
        log_info("config", "%s has changed on disk", file->path);
        archive_update(changed, &now);
    }
    archive_fini(&now);
    arena_fini(&arena);
}

static bool read_all_again(void *arg)
{
    struct value_watch *watch = arg;
    struct archive changed = {0};
    bool taken = true;
    for (const struct config_file *file = watch->generation->snapshot->config->files; file; file = file->next)
        read_again(watch, file, &changed);
    if (changed.len > 0)
        taken = watch->watcher.publish(watch->watcher.arg, &changed);
    archive_fini(&changed);
    return taken;
}

struct value_watch *value_watch_start(struct event_base *base, const struct generation *generation,
                                      struct value_watcher watcher)
{
    const struct config_file *first = generation->snapshot->config->files;
    if (first == NULL)
        return NULL;
    struct value_watch *watch = calloc(1, sizeof *watch);
    CHECK(watch != NULL);
    watch->generation = generation;
    watch->watcher = watcher;
    watch->files = file_watch_new(base, read_all_again, watch);
    for (const struct config_file *file = first; file; file = file->next)
        file_watch_add(watch->files, file->path);
    return watch;
}

void value_watch_stop(struct value_watch **watch_at)
{
    struct value_watch *watch = *watch_at;
    *watch_at = NULL;
    if (watch == NULL)
        return;
    file_watch_free(&watch->files);
    free(watch);
}
