/*
 * Whom we believe about who asked: only connections from `trusted_proxies` may name another client, in
 * X-Forwarded-For or, when they send none, in Forwarded (RFC 7239). The list is walked from the right, past
 * trusted addresses, and the first other one is the client; with `trusted_hops` that many addresses are
 * walked, whatever they are. Pure.
 */
#ifndef PORTICO_POLICY_TRUST_H
#define PORTICO_POLICY_TRUST_H

#include "config/config.h"
#include "http/fields.h"

/* The client of a request. */
struct trust {
    struct slice client; /* address as text */
    struct slice proto;  /* "https" or "http" as a trusted proxy says; empty when none does */
    bool trusted;        /* the connection comes from a trusted proxy */
};

/* Who asked, for a connection from `remote` (printed as `remote_text`). Text that is no address ends the
 * walk. */
struct trust trust_client(const struct config *config, const struct sockaddr *remote,
                          struct slice remote_text, const struct fields *fields);

/* What goes on as X-Forwarded-For: the lists of the fields, joined, with `remote_text` behind them; when
 * there are none, who asked and `remote_text`. */
struct slice trust_chain(const struct fields *fields, struct arena *arena, struct slice client,
                         struct slice remote_text);

#endif
