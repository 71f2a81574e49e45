/*
 * A worker thread: the one place where all floors are wired together. It owns an event loop, its listeners,
 * its connections, exchanges and pools; others reach it only by the verbs below, which post to its mailbox.
 */
#ifndef PORTICO_PROCESS_THREAD_H
#define PORTICO_PROCESS_THREAD_H

#include "config/snapshot.h"
#include "observe/access_log.h"
#include "upstream/cluster.h"
#include "upstream/endpoint_set.h"
#include "upstream/slots.h"

struct thread;
struct crowd;
struct offload;
struct tls_context;

/* What a worker is born with. */
struct thread_settings {
    struct snapshot *snapshot; /* a reference is taken */
    struct access_log *log;
    struct slots_book *slots; /* shared by all workers; must outlive them */
    struct crowd *crowd;      /* likewise */
    struct offload *offload;  /* outlives the thread's loop; ends before the thread is freed */
    uint32_t threads;         /* how many workers there are */
    const int *listening;     /* sockets, one a listener of the configuration; taken over */
    clusters_hurry_fn *hurry; /* called on the worker's thread; must be safe there */
    void (*ended)(void *arg); /* its last act, on the worker's thread */
    void *arg;                /* of hurry and ended */
};

/* Makes a worker. What is posted to it waits until it starts. */
struct thread *thread_new(const struct thread_settings *settings);

/* Starts it: it takes its letters, then begins to accept. */
void thread_start(struct thread *thread);

/* Takes a configuration into service: requests that begin from then on see it. `sockets` has one for each of
 * its listeners, which the thread takes over, or -1 where it goes on with the one it has at that address;
 * listeners it has besides are closed. A reference to the snapshot is taken. */
void thread_serve(struct thread *thread, struct snapshot *snapshot, const int *sockets);

/* Gives it the addresses of an upstream. */
void thread_adopt(struct thread *thread, struct endpoint_set *set);

/* Gives it the context of TLS handshakes that begin from now on. */
void thread_set_tls(struct thread *thread, struct tls_context *server);

/* The gateway is overloaded: close some of the connections that are idle. */
void thread_shed(struct thread *thread);

/* Serve no new connections; end when the last exchange has. */
void thread_drain(struct thread *thread);

/* End now, whatever is under way. */
void thread_kill(struct thread *thread);

/* Waits for its end if it was started, frees it and stores NULL. */
void thread_end(struct thread **thread);

#endif
