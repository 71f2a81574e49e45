/*
 * The regexes of one policy in one configuration: what its rules run and nobody else frees. The `share` and
 * `unshare` of policies that have regexes.
 */
#ifndef PORTICO_POLICY_POLICY_REGEXES_H
#define PORTICO_POLICY_POLICY_REGEXES_H

#include "policy/regex.h"

/* An empty list; the arguments do not matter. */
void *policy_regexes_new(const struct config *config, const void *previous, struct config_findings *findings);

/* Frees the list and the regexes in it. */
void policy_regexes_free(void *regexes);

/* Room for one more, which lives as long as the list; its code is NULL. */
struct regex *policy_regexes_add(void *regexes);

#endif
