/*
 * What differs between two configurations as they take effect, in sentences: "route example.com /api:
 * max_body 1MiB -> 2GiB". Defaults and inheritance count as what they amount to, comments and order of keys
 * do not; values from ${env:} and ${file:} are compared and shown as they are written.
 */
#ifndef PORTICO_CONFIG_DIFF_H
#define PORTICO_CONFIG_DIFF_H

#include "config/config.h"

/* One difference. `needs_restart`: a running process goes on with the old value until it is started anew. */
typedef void config_diff_fn(void *arg, struct slice sentence, bool needs_restart);

/* Says every difference, in the order of the newer file; gives their number. The same change on several
 * routes of a site is one difference. */
unsigned config_diff(const struct config *before, const struct config *after, config_diff_fn *say, void *arg);

#endif
