/*
 * What came of the requests: for each line of the mix counts, errors by kind and latencies, and the same over
 * time. Each generator has its own and nobody else looks at it before it has ended; then they are added up.
 * Warm-up is in none of it.
 */
#ifndef PORTICO_LOADTEST_TALLY_H
#define PORTICO_LOADTEST_TALLY_H

#include "loadtest/histogram.h"
#include "loadtest/plan.h"

/* The kinds of errors, in the order of tables/load_errors.def. */
enum load_error {
#define LOAD_ERROR(name, sentence) LOAD_ERROR_##name,
#include "tables/load_errors.def"
#undef LOAD_ERROR
    LOAD_ERROR_COUNT,
    LOAD_GOOD = LOAD_ERROR_COUNT,
    LOAD_REDIRECT /* good, but a status from 300 to 399 */
};

/* Its name and its sentence. */
struct load_error_row {
    const char *name, *sentence;
};

/* The row of a kind. */
const struct load_error_row *load_error_row(enum load_error error);

/* The statuses that are counted one by one. */
enum { LOAD_STATUS_FIRST = 100, LOAD_STATUSES = 500 };

/* Of one line. */
struct load_line_tally {
    uint64_t good; /* requests, round trips, or events of event streams */
    uint64_t errors[LOAD_ERROR_COUNT];
    uint64_t redirects;               /* of the good ones */
    uint64_t bytes;                   /* of content */
    uint64_t statuses[LOAD_STATUSES]; /* of final answers, from LOAD_STATUS_FIRST on */
    struct histogram latency; /* from when it was due to the last byte; event streams: to the first event */
};

/* Of a stretch of time, by when requests were due. */
struct load_interval {
    uint64_t good, errors;
    struct histogram latency;
};

/* How many stretches the measured time is cut into, at most. */
enum { LOAD_INTERVALS_MAX = 60 };

/* All of it. */
struct load_tally {
    const struct load_plan *plan;
    uint64_t begin_us;    /* of the measured time; monotonic */
    uint64_t measured_us; /* its length: the plan's duration unless the test was ended early */
    uint64_t interval_us; /* length of a stretch */
    unsigned interval_count;
    struct load_line_tally *lines;
    struct load_interval *intervals;
    struct histogram lag; /* open loop: how late the generator was although a client was free */
    uint64_t queued;      /* open loop: requests that were due while every client was busy */
    uint64_t unsent;   /* of them: given up, as nobody was free within the timeout (they are timeouts, too) */
    uint64_t connects; /* connections made, all told */
    double busy_max;   /* the largest part of a core that a thread of the generator used */
};

/* An empty one for a plan, whose measured time begins then. */
struct load_tally *load_tally_new(const struct load_plan *plan, uint64_t begin_us);

/* Frees it and stores NULL; accepts NULL. */
void load_tally_free(struct load_tally **tally);

/* Counts the outcome of a request that was due then; nothing that was due outside of the measured time. */
void load_tally_add(struct load_tally *tally, unsigned line, uint64_t due_us, uint64_t now_us,
                    enum load_error outcome);

/* Counts bytes of content that belong to a request that was due then, or that came then. */
void load_tally_content(struct load_tally *tally, unsigned line, uint64_t at_us, uint64_t bytes);

/* Counts the status of an answer to a request that was due then. */
void load_tally_status(struct load_tally *tally, unsigned line, uint64_t due_us, unsigned status);

/* Counts an event of an event stream, if it is in the measured time. */
void load_tally_event(struct load_tally *tally, unsigned line, uint64_t now_us);

/* Adds up what another generator has counted. */
void load_tally_merge(struct load_tally *tally, const struct load_tally *from);

/* The sum of a line's errors. */
uint64_t load_line_errors(const struct load_line_tally *line);

/* The sum of several lines: those with the protocol; or all with LOAD_PROTOCOLS, of event streams then only
 * the errors: events are no requests. */
void load_tally_sum(const struct load_tally *tally, enum load_protocol protocol,
                    struct load_line_tally *sum_out);

/* The sum of the lines that are marked, one mark for each of the plan's; events are counted, too. */
void load_tally_sum_marked(const struct load_tally *tally, const bool *marks,
                           struct load_line_tally *sum_out);

#endif
