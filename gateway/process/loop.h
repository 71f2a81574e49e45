/*
 * The event loop of a thread, from birth to death, and the thread that turns it. Used by every thread that
 * serves sockets: the workers and the stand-ins of `try`. Knows nothing of what runs on it.
 */
#ifndef PORTICO_PROCESS_LOOP_H
#define PORTICO_PROCESS_LOOP_H

#include "base/loop.h"

#include <pthread.h>

/* A libevent base without locks: a loop belongs to one thread. Never NULL. */
struct event_base *loop_base_new(void);

/* Makes the parts of a zeroed loop; `counters` must outlive it. */
void loop_open(struct loop *loop, struct counters *counters);

/* One turn: waits for sockets, timers and letters, then runs what they woke. */
void loop_turn(struct loop *loop);

/* Runs what is ready and frees all parts. */
void loop_close(struct loop *loop);

/* Starts a thread that gets no signals but its own faults: the others are the control thread's. */
void loop_start_pthread(pthread_t *pthread_out, void *(*run)(void *arg), void *arg);

#endif
