/*
 * Questions to name servers without waiting: c-ares on the control thread's loop, A and AAAA asked together,
 * TCP when an answer was cut. Reads resolv.conf once, when it is made; whoever wants a newer one makes a new
 * channel. Knows no upstreams and keeps no answers.
 */
#ifndef PORTICO_UPSTREAM_DNS_CHANNEL_H
#define PORTICO_UPSTREAM_DNS_CHANNEL_H

#include "base/address.h"

#include <stdint.h>

/* Of every question. */
enum {
    DNS_CHANNEL_TRIES = 2,
    DNS_CHANNEL_TICK_MS = 100, /* how often deadlines are looked at while something is asked */
    DNS_CHANNEL_BURST =
        16, /* questions put at once; the next as many DNS_CHANNEL_PACE_MS later: name servers */
    DNS_CHANNEL_PACE_MS = 10,     /* drop what does not fit into their buffers, and a second try comes late */
    DNS_CHANNEL_SERVERS_MAX = 160 /* bytes of dns_channel_servers() */
};

/* Why there is no answer yet, or will be none. */
#define DNS_CHANNEL_NO_ANSWER "no answer"

struct dns_channel;
struct dns_query;
struct event_base;

/* What a channel is born with. `servers` like "127.0.0.1:5353,[::1]:53" replaces those of resolv.conf; NULL
 * keeps them. */
struct dns_channel_settings {
    const char *resolv_path;
    const char *servers;
    uint32_t timeout_ms; /* of the first try; c-ares doubles it for the second */
};

/* What came of a question; lent for the call. */
struct dns_answer {
    const char *failure; /* why there are no addresses, or NULL; static */
    struct address *addresses;
    uint32_t count; /* at least 1 unless it failed */
    uint32_t ttl_s; /* the least of all records, aliases included */
};

/* Somebody who asks; a member of the object that wants to know, which MUST NOT move while something is asked.
 */
struct dns_asker {
    struct dns_query *query; /* NULL: nothing is asked */
    /* Called once for each question, perhaps from inside dns_channel_ask(). MUST NOT call the channel. */
    void (*answered)(struct dns_asker *asker, const struct dns_answer *answer);
};

/* Makes a channel; NULL when c-ares refuses (resolv.conf unreadable, `servers` malformed). */
struct dns_channel *dns_channel_new(struct event_base *base, const struct dns_channel_settings *settings);

/* Ends all questions without an answer (askers' `query` becomes NULL), frees, stores NULL. Accepts NULL. MUST
 * NOT be called from `answered`. */
void dns_channel_free(struct dns_channel **channel);

/* Who is asked, for messages: "192.0.2.1:53, [2001:db8::1]:53"; of many the first. */
const char *dns_channel_servers(const struct dns_channel *channel);

/* Asks for the addresses of a host, instead of what the asker may have asked before, in its turn. */
void dns_channel_ask(struct dns_channel *channel, const char *host, struct dns_asker *asker);

/* The asker does not want to know any more, or is about to die. */
void dns_asker_forget(struct dns_asker *asker);

#endif
