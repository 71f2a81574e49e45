/*
 * The looking behind process/file_watch.h. Called by tls_watch.c and value_watch.c. Files that belong
 * together never change in the same instant, so somebody is told only when a look has found nothing new after
 * one that had.
 */
#include "process/file_watch.h"

#include "base/check.h"
#include "base/list.h"
#include "upstream/file_stamp.h"

#include <event2/event.h>
#include <stdlib.h>

enum { LOOK_S = 1 };

/* A file and how it was when last looked at. */
struct watched {
    struct list_node node;
    const char *path;
    struct file_stamp stamp;
};

struct file_watch {
    file_watch_fn *changed;
    void *arg;
    struct event *timer;
    struct list files;
    bool is_due; /* something has changed that nobody has been told of */
};

static bool look(struct file_watch *watch)
{
    bool differs = false;
    for (struct list_node *node = list_first(&watch->files); node; node = list_next(&watch->files, node)) {
        struct watched *file = CONTAINER_OF(node, watched, node);
        differs = file_stamp_renew(&file->stamp, file->path) || differs;
    }
    return differs;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct file_watch *watch = arg;
    if (look(watch)) {
        watch->is_due = true;
    } else if (watch->is_due) {
        watch->is_due = false;
        if (!watch->changed(watch->arg))
            watch->is_due = true;
    }
}

struct file_watch *file_watch_new(struct event_base *base, file_watch_fn *changed, void *arg)
{
    struct file_watch *watch = calloc(1, sizeof *watch);
    CHECK(watch != NULL);
    watch->changed = changed;
    watch->arg = arg;
    watch->is_due = true;
    list_init(&watch->files);
    struct timeval every = {.tv_sec = LOOK_S};
    watch->timer = event_new(base, -1, EV_PERSIST, on_timer, watch);
    CHECK(watch->timer != NULL && event_add(watch->timer, &every) == 0);
    return watch;
}

void file_watch_add(struct file_watch *watch, const char *path)
{
    struct watched *file = calloc(1, sizeof *file);
    CHECK(file != NULL);
    file->path = path;
    (void)file_stamp_renew(&file->stamp, path);
    list_append(&watch->files, &file->node);
}

void file_watch_free(struct file_watch **watch_at)
{
    struct file_watch *watch = *watch_at;
    *watch_at = NULL;
    if (watch == NULL)
        return;
    struct list_node *node;
    while ((node = list_pop(&watch->files)) != NULL)
        free(CONTAINER_OF(node, watched, node));
    event_free(watch->timer);
    free(watch);
}
