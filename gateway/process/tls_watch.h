/*
 * Certificates that change on disk while the gateway runs: certbot renews, a symlink is turned. The files are
 * looked at once a second on the control thread; a good new pair is published, a bad one is said once and the
 * old one stays.
 */
#ifndef PORTICO_PROCESS_TLS_WATCH_H
#define PORTICO_PROCESS_TLS_WATCH_H

#include "config/config.h"
#include "net/tls_context.h"

struct event_base;
struct tls_watch;

/* A context from the changed files; the callee takes references of its own. */
typedef void tls_watch_fn(void *arg, struct tls_context *server);

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
