/*
 * Whether a gateway serves a configuration right now: asked from outside, as a client.
 */
#ifndef PORTICO_CLI_LIVE_H
#define PORTICO_CLI_LIVE_H

#include "base/check.h"
#include "config/config.h"

#include <stdbool.h>

/* Asks every listener; says on stderr which one does not answer. */
MUST_USE bool live_check(const struct config *config);

#endif
