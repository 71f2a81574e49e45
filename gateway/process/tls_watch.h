/*
 * Certificates that change on disk while the gateway runs (process/file_watch.h): good files are handed on,
 * bad ones are said once and the old ones stay.
 */
#ifndef PORTICO_PROCESS_TLS_WATCH_H
#define PORTICO_PROCESS_TLS_WATCH_H

#include "base/archive.h"
#include "config/config.h"

struct event_base;
struct tls_watch;

/* The files at the start and after a change, lent; contexts can be made of them. */
typedef void tls_watch_fn(void *arg, const struct archive *files);

/* Who is told. */
struct tls_watcher {
    tls_watch_fn *publish;
    void *arg;
};

/* Starts looking at the files of a configuration, which must live as long; NULL when it has none. */
struct tls_watch *tls_watch_start(struct event_base *base, const struct config *config,
                                  struct tls_watcher watcher);

/* Stops and stores NULL; accepts NULL. */
void tls_watch_stop(struct tls_watch **watch);

#endif
