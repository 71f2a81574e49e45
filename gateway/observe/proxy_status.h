/*
 * The value of Proxy-Status (RFC 9209) for answers that Portico makes itself:
 *   portico; error=connection_refused; details="the upstream refuses connections"
 */
#ifndef PORTICO_OBSERVE_PROXY_STATUS_H
#define PORTICO_OBSERVE_PROXY_STATUS_H

#include "base/arena.h"
#include "base/fault.h"

/* The field value for a fault; `detail` (or FAULT_NONE) adds its sentence behind a colon. A fault that has no
 * error type in RFC 9209 section 2.3, FAULT_NONE among them, gives the bare name. */
struct slice proxy_status_print(struct arena *arena, enum fault fault, enum fault detail);

/* The text as a String of RFC 8941 section 3.3.3, quotes included. Only printable ASCII can stand in one;
 * other bytes become '?'. */
struct slice proxy_status_quote(struct arena *arena, struct slice text);

#endif
