/*
 * From what was asked for to a plan: where the gateway is, whom its certificate must name, and what is asked
 * of it, by a URL or by the routes of a configuration.
 */
#ifndef PORTICO_CLI_LOAD_PLAN_H
#define PORTICO_CLI_LOAD_PLAN_H

#include "cli/load_options.h"
#include "cli/load_routes.h"

/* Makes the plan; false after saying on stderr what is wrong and what to do. load_plan_fini() either way.
 * `routes` are the configuration's, NULL when a URL says where the gateway is; they must outlive the plan. */
MUST_USE bool load_plan_make(const struct load_options *options, struct load_routes *routes,
                             struct load_plan *plan_out);

/* Frees what is in it. */
void load_plan_fini(struct load_plan *plan);

/* Asks the gateway once for everything in the mix: false after saying what does not work at all (nobody
 * there, not trusted, not HTTP/2). What it answers is for the test to judge. */
MUST_USE bool load_plan_probe(const struct load_plan *plan);

#endif
