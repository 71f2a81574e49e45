/*
 * Status codes: their standard phrases (RFC 9110 section 15 and the IANA registry) and what follows from the
 * number.
 */
#ifndef PORTICO_HTTP_STATUS_H
#define PORTICO_HTTP_STATUS_H

#include "base/slice.h"

/* The standard phrase, "Unknown" for a code without one. */
struct slice status_phrase(unsigned status);

/* Whether a response with this status never has content: 1xx, 204, 304. */
bool status_has_no_content(unsigned status);

#endif
