/*
 * What serves: the worker threads, the resolver, and the way from one configuration to the next, driven by
 * the verbs below on the control thread. Whoever holds it decides when (process/worker.c, process/solo.c); it
 * opens no file and binds no socket.
 */
#ifndef PORTICO_PROCESS_SERVER_H
#define PORTICO_PROCESS_SERVER_H

#include "config/snapshot.h"
#include "process/sockets.h"

struct event_base;
struct server;
struct tls_context;

/* What a server is started with. */
struct server_settings {
    struct event_base *base;   /* the control thread's; its loop is broken when all threads have ended */
    struct snapshot *snapshot; /* a reference is taken */
    struct sockets *sockets;   /* taken over */
    int log_destination;       /* of access_log_destination(); taken over */
};

/* Starts serving; every listener accepts when it comes back. NULL after logging why not. */
MUST_USE struct server *server_start(const struct server_settings *settings);

/* What is in force. */
const struct snapshot *server_snapshot(const struct server *server);

/* Takes a configuration into service as soon as its names have had a chance to resolve, without touching what
 * is under way. Takes over the snapshot and the sockets (-1 where a listener stays). */
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
