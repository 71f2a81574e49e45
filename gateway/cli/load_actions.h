/*
 * What a load test does to its gateway meanwhile: reloads, and stand-ins that go and come back.
 */
#ifndef PORTICO_CLI_LOAD_ACTIONS_H
#define PORTICO_CLI_LOAD_ACTIONS_H

#include "cli/load_options.h"
#include "cli/load_trial.h"
#include "loadtest/run.h"

/* How many there may be. */
enum { LOAD_ACTIONS_MAX = 3 };

/* The actions of a test; must not move once made. */
struct load_actions {
    const struct load_options *options;
    struct load_trial *trial; /* NULL: the gateway is not the test's own */
    int handle;               /* pidfd of who is signalled, -1 when nobody is */
    struct load_action at[LOAD_ACTIONS_MAX];
    unsigned count;
};

/* Makes them; false after saying why one cannot be. load_actions_fini() either way. */
MUST_USE bool load_actions_make(struct load_actions *actions, const struct load_options *options,
                                struct load_trial *trial);

/* Frees what they hold. */
void load_actions_fini(struct load_actions *actions);

#endif
