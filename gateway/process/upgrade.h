/*
 * One supervisor handing over to the next, which runs the program that is on disk now: the listening sockets
 * pass from one to the other, so that no connection is refused. The old one goes on until the new one says
 * that it serves; if it never does, nothing has happened.
 */
#ifndef PORTICO_PROCESS_UPGRADE_H
#define PORTICO_PROCESS_UPGRADE_H

#include "process/generation.h"

#include <sys/types.h>

struct event_base;
struct upgrade;

/* How it ended: NULL when the new process serves, otherwise why it does not. To be followed by
 * upgrade_stop(). */
typedef void upgrade_ended_fn(void *arg, pid_t pid, const char *problem);

/* Starts the program that `argv` names now with the sockets of the generation. NULL after logging why not. */
struct upgrade *upgrade_start(struct event_base *base, const struct generation *in_force, char **argv,
                              upgrade_ended_fn *ended, void *arg);

/* Forgets it, and kills the new process unless it serves. Stores NULL; accepts NULL. */
void upgrade_stop(struct upgrade **upgrade);

/* In the new process: what it was handed, empty when it was started otherwise; once, before anything else. */
struct legacy upgrade_legacy(void);

/* In the new process: whether the old one serves until upgrade_done(). */
bool upgrade_is_awaited(void);

/* In the new process: says that it serves. Nothing happens when it was started otherwise. */
void upgrade_done(void);

#endif
