/*
 * The process that people and service managers know: it opens what only it may open (ports, keys, logs),
 * keeps a worker running that serves, and obeys signals. SIGTERM, SIGINT and SIGQUIT drain, a second one
 * stops at once; SIGHUP loads the configuration again, whole or not at all; SIGUSR1 reopens the access log.
 * The listening sockets are its own: a worker that dies refuses no connection.
 */
#ifndef PORTICO_PROCESS_SUPERVISOR_H
#define PORTICO_PROCESS_SUPERVISOR_H

#include "process/generation.h"

/* What the process calls itself, by which the commands that signal it know it. */
#define SUPERVISOR_NAME "portico"

/* Runs until told to stop; gives the exit code. `argv` is the command line that started this process and
 * starts its workers. Errors are logged. */
int supervisor_run(const struct generation_source *source, char **argv);

#endif
