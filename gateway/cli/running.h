/*
 * The gateway that serves a configuration, found by its pidfile: what `reload` and `stop` share.
 */
#ifndef PORTICO_CLI_RUNNING_H
#define PORTICO_CLI_RUNNING_H

#include "base/check.h"

#include <stdbool.h>

/* A handle (pidfd) on the gateway that serves the file; -1 after saying on stderr why there is none. */
MUST_USE int running_find(const char *path);

/* Sends it a signal; false after saying why that cannot be. */
MUST_USE bool running_signal(int handle, int number);

/* Waits for its end; false when it takes longer. */
MUST_USE bool running_wait(int handle, int timeout_ms);

#endif
