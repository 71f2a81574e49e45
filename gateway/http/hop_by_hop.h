/*
 * What must not travel from one connection to the other (RFC 9110 section 7.6.1): the hop-by-hop fields, and
 * those that Connection nominates, except what the gateway owns.
 */
#ifndef PORTICO_HTTP_HOP_BY_HOP_H
#define PORTICO_HTTP_HOP_BY_HOP_H

#include "base/check.h"
#include "base/fault.h"
#include "http/fields.h"

/* What the Connection fields of a message say about its connection. */
struct connection_options {
    bool close, keep_alive, upgrade;
    bool coding; /* Transfer-Encoding is named, which ends at this hop anyway: some servers do that */
};

/* Most options that one message's Connection fields may list; no sender has a use for more, and each costs a
 * search. */
enum { CONNECTION_OPTIONS_MAX = 64 };

/* Reads the Connection fields (RFC 9110 section 7.6.1). FAULT_bad_connection_option when one of them
 * nominates a field with TRAIT_OWNED or TRAIT_FRAMING other than Transfer-Encoding (A32), or when they list
 * more than CONNECTION_OPTIONS_MAX. */
MUST_USE enum fault connection_options_read(const struct fields *fields,
                                            struct connection_options *options_out);

/* Marks hop-by-hop fields and fields nominated by Connection as gone; framing fields too (codecs write their
 * own). "TE: trailers" is kept as exactly that. Fault: as connection_options_read(); nothing has been changed
 * then. */
MUST_USE enum fault hop_by_hop_strip(struct fields *fields);

#endif
