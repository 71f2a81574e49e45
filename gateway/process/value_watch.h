/*
 * Files that values of the configuration are read from (${file:}, users, pages) and that change on disk while
 * the gateway runs: what they hold now is handed on. The configuration's own files are not looked at, for
 * they are written in several steps, and only their author knows when they are done.
 */
#ifndef PORTICO_PROCESS_VALUE_WATCH_H
#define PORTICO_PROCESS_VALUE_WATCH_H

#include "process/generation.h"

struct event_base;
struct value_watch;

/* The files as they are now, lent; at least one is not as the generation has it. False: this is no time for
 * it. */
typedef bool value_watch_fn(void *arg, const struct archive *files);

/* Who is told. */
struct value_watcher {
    value_watch_fn *publish;
    void *arg;
};

/* Starts looking at the files of a generation, which must stay in its place until the watch is stopped; NULL
 * when it has none. */
struct value_watch *value_watch_start(struct event_base *base, const struct generation *generation,
                                      struct value_watcher watcher);

/* Stops and stores NULL; accepts NULL. */
void value_watch_stop(struct value_watch **watch);

#endif
