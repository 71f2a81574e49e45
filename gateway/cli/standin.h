/*
 * Stand-ins: servers inside this process that answer in place of upstreams which are not there, each with its
 * own address on the loopback and all of them on one thread. What they answer stands in standin_answer.h.
 */
#ifndef PORTICO_CLI_STANDIN_H
#define PORTICO_CLI_STANDIN_H

#include "base/check.h"
#include "base/slice.h"

struct standins;

/* An empty set, whose thread runs. */
struct standins *standins_new(void);

/* The port of 127.0.0.1 where one says `name`: who is there already has one more use, else one begins, on
 * `port` or, when that is 0, on any. 0 with errno when it cannot. Any thread. */
MUST_USE unsigned standins_take(struct standins *standins, struct slice name, unsigned port);

/* One use less; behind the last one it accepts nobody any more, and is gone when what is under way has ended.
 * Any thread. */
void standins_give_back(struct standins *standins, struct slice name);

/* Breaks off what is under way, waits for the thread, frees everything and stores NULL. Accepts NULL. */
void standins_stop(struct standins **standins);

#endif
