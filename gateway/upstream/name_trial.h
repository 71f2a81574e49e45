/*
 * A configuration that is not followed yet, seen from the names of its servers: those that nobody asked for
 * before are looked up, and somebody is told once each has answered or failed, or when the time for it is up.
 * Names that are followed already count as known, whatever has become of them; addresses and paths have
 * nothing to wait for. Owned by the resolver; decides nothing.
 */
#ifndef PORTICO_UPSTREAM_NAME_TRIAL_H
#define PORTICO_UPSTREAM_NAME_TRIAL_H

#include "config/config.h"

struct event_base;
struct name_cache;
struct name_trial;

/* Called once, from the loop. */
typedef void name_trial_ended_fn(void *arg);

/* Who is told, and the milliseconds after which, at the latest. */
struct name_trial_terms {
    uint32_t patience_ms;
    name_trial_ended_fn *ended;
    void *arg;
};

/* Begins; the configuration must stay until the trial is freed. */
struct name_trial *name_trial_new(struct event_base *base, struct name_cache *names,
                                  const struct config *config, const struct name_trial_terms *terms);

/* Looks whether it has ended: names have changed. */
void name_trial_look(struct name_trial *trial);

/* Adds an error for each server whose name has no address. */
void name_trial_report(const struct name_trial *trial, struct config_findings *findings);

/* Gives up the names and stores NULL; nobody is told. Accepts NULL. */
void name_trial_free(struct name_trial **trial);

#endif
