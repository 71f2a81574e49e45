/*
 * The worker's side of the link: it gives up its privileges, takes configurations into service from the files
 * and sockets that the supervisor hands over, and ends when it is told to or when the supervisor has gone.
 */
#ifndef PORTICO_PROCESS_WORKER_H
#define PORTICO_PROCESS_WORKER_H

#include "process/generation.h"

/* Whether this process was started as a worker; then the end of its link, else -1. */
int worker_link(void);

/* Serves until told to stop; gives the exit code. */
int worker_run(int link, const struct generation_source *source);

#endif
