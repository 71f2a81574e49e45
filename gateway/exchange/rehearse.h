/*
 * What would become of a request, decided by the functions that an exchange calls, in its order, but without
 * upstream, log and socket. For `explain`, so that what it says is what happens.
 */
#ifndef PORTICO_EXCHANGE_REHEARSE_H
#define PORTICO_EXCHANGE_REHEARSE_H

#include "config/snapshot.h"
#include "http/stream.h"
#include "http/target.h"
#include "policy/policy.h"

/* A request to be judged. */
struct rehearsal {
    const struct config *config;
    const struct router *router;
    const struct pipeline *pipeline;
    struct router_scratch *scratch;
    struct stream
        *inbound; /* client, arena and rx_head are read; rx_head becomes what the upstream would get */

    policy_trace_fn *trace; /* told what each policy finds */
    void *trace_arg;

    /* Found out; what lies behind a fault stays zero. */
    struct slice asker; /* address of who asked, as trusted proxies tell */
    bool trusted;       /* the connection comes from a trusted proxy */
    struct target target;
    struct authority authority;
    const struct config_site *site;
    const struct config_route *route; /* with FAULT_ambiguous_path: that of the canonical path */
    struct policy_answer answer; /* of the listener or a policy; its status is 0 when the upstream answers */
    struct message response;     /* what the policies add to a response without fields */
};

/* Judges the request. The fault is the one that the client would be answered with. */
MUST_USE enum fault exchange_rehearse(struct rehearsal *rehearsal);

#endif
