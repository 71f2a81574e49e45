/*
 * From what was asked for to a plan: where the gateway is, whom its certificate must name, and what is asked
 * of it, by a URL or by the routes of a configuration.
 */
#ifndef PORTICO_CLI_LOAD_PLAN_H
#define PORTICO_CLI_LOAD_PLAN_H

#include "cli/load_options.h"

/* Makes the plan; false after saying on stderr what is wrong and what to do. load_plan_fini() either way. */
MUST_USE bool load_plan_make(const struct load_options *options, struct load_plan *plan_out);

/* Frees what is in it. */
void load_plan_fini(struct load_plan *plan);

/* Asks the gateway once for everything in the mix: false after saying what does not work at all (nobody
 * there, not trusted, not HTTP/2). What it answers is for the test to judge. */
MUST_USE bool load_plan_probe(const struct load_plan *plan);

#endif
