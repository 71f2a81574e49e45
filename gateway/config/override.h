/*
 * Addresses of the file replaced from the command line: `--override 'starmeet-api:8000=127.0.0.1:18000'` puts
 * another address where the left side stands as a server or a listener, so that one file serves in production
 * and on a developer's machine. Set before anything is loaded, by one thread; in force for every load of the
 * process, reloads included.
 */
#ifndef PORTICO_CONFIG_OVERRIDE_H
#define PORTICO_CONFIG_OVERRIDE_H

#include "base/check.h"
#include "base/slice.h"

/* How many there may be. */
enum { CONFIG_OVERRIDES_MAX = 256 };

/* Adds "OLD=NEW"; false when there is no '=' or there are too many. The text must live as long as the
 * process. */
MUST_USE bool config_override_add(const char *text);

/* The address that stands for this one: the new one of its override, or itself. */
struct slice config_override_find(struct slice text);

/* The first override that no address has asked for since the last call, as given; NULL when all were used. */
const char *config_override_unused(void);

#endif
