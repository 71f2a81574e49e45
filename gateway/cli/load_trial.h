/*
 * A gateway of a test's own: a process that serves the configuration as `try` does, and a stand-in for every
 * upstream, which belong to the test and can be taken away.
 */
#ifndef PORTICO_CLI_LOAD_TRIAL_H
#define PORTICO_CLI_LOAD_TRIAL_H

#include "base/check.h"
#include "config/config.h"

#include <sys/types.h>

/* A gateway that runs. */
struct load_trial;

/* Starts the gateway and the stand-ins, waits until it serves; NULL after saying why it does not. Must come
 * before any other thread. `argv` is the whole command line. */
struct load_trial *load_trial_start(const char *path, const struct config *config, char **argv);

/* Its process. */
pid_t load_trial_pid(const struct load_trial *trial);

/* Whether there is an upstream of this name. */
bool load_trial_has(const struct load_trial *trial, struct slice upstream);

/* Breaks off everything that the upstream's stand-in is doing; its port refuses from then on. */
void load_trial_kill(struct load_trial *trial, struct slice upstream);

/* Has the stand-in serve again on the same port; false with errno. */
MUST_USE bool load_trial_revive(struct load_trial *trial, struct slice upstream);

/* Stops the gateway and the stand-ins and stores NULL; accepts NULL. False after saying so when the gateway
 * had ended before, or ended badly. */
bool load_trial_stop(struct load_trial **trial);

#endif
