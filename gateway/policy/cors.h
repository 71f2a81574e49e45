/*
 * What another policy must know of cors: a preflight is no request of its own and is answered whatever
 * methods are served.
 */
#ifndef PORTICO_POLICY_CORS_H
#define PORTICO_POLICY_CORS_H

#include "policy/policy.h"

/* Whether the request is a preflight that the route's `cors` answers. */
bool cors_answers(const struct policy_call *call);

#endif
