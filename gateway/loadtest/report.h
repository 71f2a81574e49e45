/*
 * What a load test says when it is over: as text, as JSON, as a page. All three say the same numbers.
 */
#ifndef PORTICO_LOADTEST_REPORT_H
#define PORTICO_LOADTEST_REPORT_H

#include "loadtest/run.h"
#include "loadtest/thresholds.h"

#include <stdio.h>

/* One parameter of the test, for the reports. */
struct load_parameter {
    const char *name;
    struct slice value;
};

/* Everything that is reported. */
struct load_report {
    const struct load_plan *plan;
    const struct load_outcome *outcome;
    const struct load_parameter *parameters;
    unsigned parameter_count;
    const struct threshold *thresholds;
    unsigned threshold_count;
};

/* The percentiles that tables show. */
extern const double REPORT_SHARES[];
extern const char *const REPORT_SHARE_NAMES[];
enum { REPORT_SHARE_COUNT = 4 };

/* Longest remark. */
enum { REPORT_REMARK_MAX = 512, REPORT_REMARKS_MAX = 6 };

/* Longest list of statuses. */
enum { REPORT_STATUSES_MAX = 160 };

/* What whoever reads the numbers must know about how they came about: the generator could not keep the rate,
 * requests waited for a connection, the test was ended early. Gives how many. */
unsigned report_remarks(const struct load_report *report,
                        char remarks_out[REPORT_REMARKS_MAX][REPORT_REMARK_MAX]);

/* The statuses that an error of the kind came with, "503: 12, 504: 3" in the order of their numbers, as far
 * as there is room; empty when none did. */
void report_statuses(const struct load_line_tally *line, enum load_error error,
                     char out[REPORT_STATUSES_MAX]);

/* A table for a terminal, and the remarks. */
void report_text(const struct load_report *report, FILE *out);

/* One JSON object. */
void report_json(const struct load_report *report, FILE *out);

/* One page, which needs nothing but itself. */
void report_html(const struct load_report *report, FILE *out);

/* The thresholds that are broken, one line each; gives how many. */
unsigned report_broken(const struct load_report *report, FILE *out);

#endif
