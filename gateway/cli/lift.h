/*
 * Listeners of a configuration on ports that need no privilege, for trying it out: 80 becomes 8080.
 */
#ifndef PORTICO_CLI_LIFT_H
#define PORTICO_CLI_LIFT_H

#include "config/config.h"

/* Moves every listener on a privileged port up, except those that `is_given` (may be NULL) says to leave, and
 * sends redirects there. */
void lift_listeners(struct config *config, bool (*is_given)(void *arg, struct slice text), void *arg);

#endif
