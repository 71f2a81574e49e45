/*
 * The modules that compile their part into every snapshot, in the order of its parts. Whoever makes a
 * snapshot passes this list, so that what `check` accepts is what `run` serves.
 */
#ifndef PORTICO_CLI_MODULES_H
#define PORTICO_CLI_MODULES_H

#include "config/snapshot.h"

/* NULL-terminated. */
extern const struct config_module *const config_modules[];

#endif
