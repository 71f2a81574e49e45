/*
 * The limits that the kernel sets to a process.
 */
#ifndef PORTICO_PROCESS_LIMITS_H
#define PORTICO_PROCESS_LIMITS_H

#include "config/config.h"

/* As many open files as the process may have. */
void limits_raise(void);

/* How many of them a worker with so many threads has for connections, when it has taken its own. */
uint64_t limits_sockets(const struct config *config, uint32_t threads);

/* Warns when a worker with so many threads may run out of open files, and says what to set. */
void limits_check(const struct config *config, uint32_t threads);

#endif
