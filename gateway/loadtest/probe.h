/*
 * Whether a gateway can be talked to at all, before a test is made of it: one connection, opened and closed.
 */
#ifndef PORTICO_LOADTEST_PROBE_H
#define PORTICO_LOADTEST_PROBE_H

#include "base/fault.h"
#include "loadtest/plan.h"

/* Opens a connection as the line's requests would; FAULT_connect_timeout when that takes too long. */
MUST_USE enum fault load_probe(const struct load_plan *plan, const struct load_line *line);

#endif
