/*
 * A gateway in one process, without a supervisor: for trying a configuration out. It stops on SIGTERM, SIGINT
 * and SIGQUIT and loads the configuration again on SIGHUP.
 */
#ifndef PORTICO_PROCESS_SOLO_H
#define PORTICO_PROCESS_SOLO_H

#include "process/generation.h"

/* Called once every listener accepts. */
typedef void solo_ready_fn(void *arg, const struct snapshot *snapshot);

/* Serves until told to stop; gives the exit code. Errors are logged. */
int solo_run(const struct generation_source *source, solo_ready_fn *ready, void *arg);

#endif
