/*
 * The file that says which process to signal: written when the gateway serves, removed when it has ended.
 */
#ifndef PORTICO_PROCESS_PIDFILE_H
#define PORTICO_PROCESS_PIDFILE_H

#include "base/check.h"
#include "config/config.h"

#include <sys/types.h>

/* Writes this process's number, at once and whole; logs why not. Nothing happens for "off". */
void pidfile_write(const struct config_process *settings);

/* Removes the file if it names this process: after an upgrade it names another. */
void pidfile_remove(const struct config_process *settings);

/* The process that the file names; 0 when there is no file, or none that makes sense. */
pid_t pidfile_read(const char *path);

#endif
