/*
 * The text of --fail-if, "p99>50ms,errors>0,/api: p99>20ms": what must not be so for a test to pass. Read
 * before the test, so that a typing error costs no run; judged behind it, one sentence for each that is
 * broken.
 */
#ifndef PORTICO_LOADTEST_THRESHOLDS_H
#define PORTICO_LOADTEST_THRESHOLDS_H

#include "loadtest/mix.h"
#include "loadtest/tally.h"

/* What is compared. */
enum threshold_metric {
    THRESHOLD_PERCENTILE, /* and max, which is the share 1 */
    THRESHOLD_MEAN,
    THRESHOLD_ERRORS,  /* all, or of one kind */
    THRESHOLD_RATE,    /* of good answers */
    THRESHOLD_REQUESTS /* good answers */
};

/* One comparison. It is broken when it holds. */
struct threshold {
    struct slice text; /* as written */
    enum threshold_metric metric;
    double share;          /* of a percentile */
    enum load_error error; /* LOAD_ERROR_COUNT: all kinds */
    bool greater, equal;   /* ">", "<", ">=", "<=" */
    bool is_percent;       /* of all requests */
    double limit;          /* microseconds, a number, per cent, or a second */
    const bool *lines;     /* which of the plan's it is about; NULL: the sum of all */
};

/* Reads the text, whose lines are the plan's, as is the memory; false with an error. */
MUST_USE bool thresholds_parse(struct slice text, struct load_plan *plan, struct threshold **thresholds_out,
                               unsigned *count_out, struct mix_error *error_out);

/* Longest sentence. */
enum { THRESHOLD_SENTENCE_MAX = 256 };

/* Whether it is broken; if so, `sentence_out` says by what. */
bool threshold_is_broken(const struct threshold *threshold, const struct load_tally *tally,
                         char sentence_out[THRESHOLD_SENTENCE_MAX]);

#endif
