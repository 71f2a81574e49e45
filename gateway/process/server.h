/*
 * What serves: the worker threads, the resolver, and the way from one configuration to the next, driven by
 * the verbs below on the control thread. Whoever holds it decides when (process/worker.c, process/solo.c); it
 * opens no file and binds no socket.
 */
#ifndef PORTICO_PROCESS_SERVER_H
#define PORTICO_PROCESS_SERVER_H

#include "config/snapshot.h"
#include "process/sockets.h"
#include "upstream/resolver.h"

struct event_base;
struct server;
struct tls_context;

/* How long the start of a server waits for names: for a first one the clients wait, too; for one that is to
 * take over from another nobody does. */
enum { SERVER_PATIENCE_MS = 500, SERVER_PATIENCE_UPGRADE_MS = RESOLVER_PATIENCE_MS };

/* What has become of server_serve(): taken into service, or refused, after saying why. */
typedef void server_answered_fn(void *arg, bool taken);

/* What a server is started with. */
struct server_settings {
    struct event_base *base;   /* the control thread's; its loop is broken when all threads have ended */
    struct snapshot *snapshot; /* a reference is taken */
    struct sockets *sockets;   /* taken over */
    int log_destination;       /* of access_log_destination(); taken over */
    uint32_t patience_ms;      /* for names to resolve before it serves without them */
    server_answered_fn *answered;
    void *arg;
};

/* Starts serving; every listener accepts when it comes back. Names that do not resolve cost their own routes
 * a 503. NULL after logging why not. */
MUST_USE struct server *server_start(const struct server_settings *settings);

/* What is in force. */
const struct snapshot *server_snapshot(const struct server *server);

/* Takes a configuration into service, without touching what is under way, once the names that it has and the
 * one in force has not are known; when one of them stays unknown (within RESOLVER_PATIENCE_MS) the one in
 * force stays, too. Takes over the snapshot and the sockets (-1 where a listener stays). `answered` follows,
 * from the loop, unless the server drains before. One at a time, and not while it drains. */
void server_serve(struct server *server, struct snapshot *snapshot, struct sockets *sockets);

/* Uses this context for handshakes that begin from now on. */
void server_set_tls(struct server *server, struct tls_context *tls);

/* Writes the access log to this destination, which it takes over. */
void server_reopen_log(struct server *server, int log_destination);

/* Accepts no more and ends with the last exchange, at the latest after shutdown_timeout. */
void server_drain(struct server *server);

/* Ends now. */
void server_kill(struct server *server, const char *why);

/* Waits for the threads, frees everything and stores NULL. Accepts NULL. */
void server_end(struct server **server);

#endif
