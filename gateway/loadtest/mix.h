/*
 * The text of --mix: what is asked for and how often, "/api=5,h2:/=1,ws:/chat,sse:/events=20". Read into
 * entries, and turned into the order in which requests are made. Leaf: knows no configuration.
 */
#ifndef PORTICO_LOADTEST_MIX_H
#define PORTICO_LOADTEST_MIX_H

#include "base/arena.h"
#include "base/check.h"
#include "loadtest/plan.h"

/* One entry: [PROTOCOL:][HOST]TARGET[=WEIGHT]. With a query, all of it is the target: it may hold a '='. */
struct mix_entry {
    bool has_protocol;
    enum load_protocol protocol;
    struct slice authority; /* empty: the usual one */
    struct slice target;    /* begins with '/' */
    unsigned weight;        /* 1 when not written */
    unsigned column;        /* where it begins in the text, from 1 */
};

/* What is wrong with a text, and where. */
struct mix_error {
    unsigned column;
    struct slice sentence;
};

/* Whether host and path hold nothing that a request line cannot carry. */
MUST_USE bool mix_is_sendable(struct slice target);

/* Reads the text; entries and sentences are the arena's. False with an error. */
MUST_USE bool mix_parse(struct slice text, struct arena *arena, struct mix_entry **entries_out,
                        unsigned *count_out, struct mix_error *error_out);

/* An order in which line i comes weights[i] times, as evenly as possible; 0 leaves a line out. Gives its
 * length. */
unsigned mix_cycle(const unsigned *weights, unsigned count, struct arena *arena, const uint16_t **cycle_out);

#endif
