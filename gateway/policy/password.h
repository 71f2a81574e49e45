/*
 * Whether a password has a hash. Takes as long as the hash was made to take (some 100 ms): never on the
 * thread of a loop.
 */
#ifndef PORTICO_POLICY_PASSWORD_H
#define PORTICO_POLICY_PASSWORD_H

#include "base/check.h"

#include <stdbool.h>

/* Compares in constant time. The hash is one that config/htpasswd.h accepts. Any thread. */
MUST_USE bool password_matches(const char *hash, const char *password);

#endif
