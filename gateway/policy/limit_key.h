/*
 * Whom a limit counts as one: the parts of its key, found in a request and hashed. Called by
 * policy/rate_limit.c; knows nothing of what is counted.
 */
#ifndef PORTICO_POLICY_LIMIT_KEY_H
#define PORTICO_POLICY_LIMIT_KEY_H

#include "policy/policy.h"

/* A longer key is not counted, as in nginx. */
enum { LIMIT_KEY_MAX = 65535 };

/* The key's hash. False when there is nobody to count: every part is missing, or the key is too long. */
MUST_USE bool limit_key(const struct config_limit *limit, const struct policy_call *call, uint64_t seed,
                        uint64_t *hash_out);

/* The key for people: "client_ip 192.0.2.1, header X-Api-Key abc"; in the call's arena. */
struct slice limit_key_text(const struct config_limit *limit, const struct policy_call *call);

#endif
