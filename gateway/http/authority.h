/*
 * host[:port] of RFC 3986 section 3.2, as Host, :authority and the absolute-form carry it. What is taken
 * here has one reading: it may choose a site.
 */
#ifndef PORTICO_HTTP_AUTHORITY_H
#define PORTICO_HTTP_AUTHORITY_H

#include "base/arena.h"
#include "base/check.h"

/* A valid authority split: host in lower case without port and without a trailing dot, in the arena only if
 * it must change. */
struct authority {
    struct slice host; /* IPv6 literals keep their brackets */
    unsigned port;     /* 0 when none is given */
};

/* Splits "host", "host:port", "[v6]:port"; false for userinfo, illegal bytes, empty hosts, ports beyond
 * 65535. */
MUST_USE bool authority_parse(struct slice text, struct arena *arena, struct authority *authority_out);

#endif
