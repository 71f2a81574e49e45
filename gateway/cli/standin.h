/*
 * Stand-ins: servers inside this process that answer in place of upstreams which are not there, each with its
 * own address on the loopback and all of them on one thread. What they answer stands in standin_answer.h.
 * Used by the control thread.
 */
#ifndef PORTICO_CLI_STANDIN_H
#define PORTICO_CLI_STANDIN_H

#include "base/check.h"
#include "base/slice.h"

struct standins;

/* An empty set whose thread does not run yet. */
struct standins *standins_new(void);

/* Adds one that says `name` on a port of 127.0.0.1, 0: any; gives the port, or 0 with errno. Not once
 * started. */
MUST_USE unsigned standins_add(struct standins *standins, struct slice name, unsigned port);

/* Starts serving. */
void standins_start(struct standins *standins);

/* Breaks off what is under way, waits for the thread, frees everything and stores NULL. Accepts NULL. */
void standins_stop(struct standins **standins);

#endif
