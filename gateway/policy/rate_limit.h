/*
 * What the files of rate limits share: the limits that were asked about one request, with their answers.
 * policy/rate_limit.c asks and decides; policy/rate_limit_fields.c puts the answers into words.
 */
#ifndef PORTICO_POLICY_RATE_LIMIT_H
#define PORTICO_POLICY_RATE_LIMIT_H

#include "policy/limiter.h"
#include "policy/policy.h"

struct rate_rule;

/* A limit of a scope, and what of its answers is known before anybody has asked. */
struct rate_limit {
    const struct config_limit *config;
    struct slice item; /* of RateLimit, as far as r; empty: clients are told nothing */
    uint64_t quota;    /* what the policy promises */
};

/* The limits that have somebody to count; of all of a scope's. */
struct rate_asked {
    const struct rate_rule *rule;
    unsigned listed; /* so far: those that count users are asked later than the others */
    unsigned count;  /* of them have been asked */
    bool admitted;   /* by all of these */
    const struct rate_limit *limits[LIMITER_CHECKS_MAX];
    struct limiter_check checks[]; /* by the same index */
};

/* Whether this limit keeps the request. */
static inline bool rate_limit_rejects(const struct rate_asked *asked, unsigned index)
{
    return asked->checks[index].outcome == LIMITER_REJECTED && !asked->checks[index].only_tells;
}

/* Whether a part of its key is the user. */
MUST_USE bool rate_limit_counts_users(const struct config_limit *limit);

/* Asks those of a scope's limits that count users; the others have been asked. */
MUST_USE enum policy_verdict rate_limit_judge_users(struct policy_call *call);

/* Makes a limit ready to be asked. */
void rate_limit_prepare(struct arena *arena, const struct config_limit *config, struct rate_limit *limit_out);

/* RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10) of these limits; empty when none binds. */
struct slice rate_limit_policy_field(struct arena *arena, const struct config_scope_limits *limits);

/* RateLimit: what is left, and in how many seconds it is more. Empty when none that was asked binds. */
struct slice rate_limit_field(struct arena *arena, const struct rate_asked *asked);

/* Seconds after which a request that is rejected now would pass, at least 1. */
uint64_t rate_limit_retry_after(const struct rate_asked *asked);

/* The members of the problem that names the limits that reject. */
struct slice rate_limit_problem(struct arena *arena, const struct rate_asked *asked);

/* The line that nginx's limit_req module writes for a rejection by the limit with this index. */
struct slice rate_limit_report(const struct policy_call *call, const struct rate_asked *asked,
                               unsigned index);

#endif
