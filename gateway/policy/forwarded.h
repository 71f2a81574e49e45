/*
 * The Forwarded field (RFC 7239) as bytes: taken apart, and written for one client. Whom to believe is
 * decided by policy/trust.h. Pure.
 */
#ifndef PORTICO_POLICY_FORWARDED_H
#define PORTICO_POLICY_FORWARDED_H

#include "base/arena.h"
#include "base/check.h"

/* Most elements of one field that are read. */
enum { FORWARDED_HOPS_MAX = 32 };

/* One element: what one proxy says. */
struct forwarded_hop {
    struct slice client; /* address without brackets and port, or what else it says; empty when it does not */
    struct slice proto;  /* empty when it does not say */
};

/* Takes a field's value apart, in the order of its elements. False when it is malformed or has more than
 * FORWARDED_HOPS_MAX. */
MUST_USE bool forwarded_parse(struct slice text, struct forwarded_hop hops_out[FORWARDED_HOPS_MAX],
                              unsigned *count_out);

/* The value of a field with one element: who asked ("unix:" for a Unix socket), how, and for which host (may
 * be empty). */
struct slice forwarded_print(struct arena *arena, struct slice client, bool secure, struct slice host);

#endif
