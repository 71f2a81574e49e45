/*
 * Files that change on disk while the gateway runs: a secret is rotated, certbot renews, a symlink is turned.
 * They are looked at once a second by the process that may open them. What they hold is the business of who
 * watches.
 */
#ifndef PORTICO_PROCESS_FILE_WATCH_H
#define PORTICO_PROCESS_FILE_WATCH_H

#include <stdbool.h>

struct event_base;
struct file_watch;

/* Called when files have changed and come to rest, and once soon after the start, for they may have changed
 * since they were read. False: this is no time for it, to be called again after the next look. One that
 * gives true may have freed the watch. */
typedef bool file_watch_fn(void *arg);

/* Starts looking at no files. */
struct file_watch *file_watch_new(struct event_base *base, file_watch_fn *changed, void *arg);

/* Looks at this one, too; the path must live as long. */
void file_watch_add(struct file_watch *watch, const char *path);

/* Stops and stores NULL; accepts NULL. */
void file_watch_free(struct file_watch **watch);

#endif
