/*
 * The PROXY protocol's header, versions 1 and 2: what a load balancer says before the first byte of a
 * connection about who is behind it. A pure parser; whom to believe and how long to wait is decided by the
 * caller.
 */
#ifndef PORTICO_NET_PROXY_PROTOCOL_H
#define PORTICO_NET_PROXY_PROTOCOL_H

#include "base/address.h"

/* Longest header that is accepted: version 1 has at most 107 bytes, version 2 its addresses and some
 * extensions. */
enum { PROXY_HEADER_MAX = 1024 };

/* What the bytes are. */
enum proxy_result {
    PROXY_MORE, /* the beginning of a header, all of them */
    PROXY_DONE, /* a header and maybe more */
    PROXY_BAD   /* no header */
};

/* A header. */
struct proxy_header {
    size_t len;            /* of the header itself */
    bool has_source;       /* else the connection is the balancer's own (LOCAL, UNKNOWN) */
    struct address source; /* the client */
};

/* Judges the first bytes of a connection; `header_out` is written with PROXY_DONE only. */
MUST_USE enum proxy_result proxy_protocol_parse(struct slice bytes, struct proxy_header *header_out);

#endif
