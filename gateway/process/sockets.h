/*
 * The listening sockets that a configuration asks for, one a thread for each of its listeners, bound before
 * anything is taken into service: whoever cannot have them all gets none. A supervisor holds a copy of each,
 * so that what waits in their backlogs survives the worker. Control thread only.
 */
#ifndef PORTICO_PROCESS_SOCKETS_H
#define PORTICO_PROCESS_SOCKETS_H

#include "config/config.h"

/* Most threads that serve. */
enum { SOCKETS_THREADS_MAX = 256 };

/* Sockets by thread and listener; -1 where a listener of the configuration before is kept with its socket. */
struct sockets {
    uint32_t threads, listeners;
    int *at; /* [thread * listeners + listener] */
};

/* Room for the sockets of so many threads and listeners, -1 all of them. */
struct sockets sockets_new(uint32_t threads, uint32_t listeners);

/* Binds what `config` has and `before` (NULL at first) has not, by the text of the address. False after
 * logging what cannot be bound, with everything closed again. */
MUST_USE bool sockets_bind(const struct config *config, const struct config *before, uint32_t threads,
                           struct sockets *sockets_out);

/* The sockets of a thread, one a listener; they are the thread's from now on. */
const int *sockets_of(const struct sockets *sockets, uint32_t thread);

/* Completes the sockets of `config` with those that `before` has at the same addresses; `kept` keeps the
 * rest.
 */
void sockets_inherit(struct sockets *sockets, const struct config *config, struct sockets *kept,
                     const struct config *before);

/* Forgets the sockets, which threads have taken over. Accepts one that is all zero. */
void sockets_forget(struct sockets *sockets);

/* Closes the sockets, which nobody has taken over, and forgets them. Accepts one that is all zero. */
void sockets_close(struct sockets *sockets);

/* The listener of `config` at the same address, or NULL. */
const struct config_listener *sockets_same_listener(const struct config *config, struct slice text);

#endif
