/*
 * The pictures of the page: latency over time, answers over time, latency by percentile, and their colours.
 */
#ifndef PORTICO_LOADTEST_REPORT_PLOTS_H
#define PORTICO_LOADTEST_REPORT_PLOTS_H

#include "loadtest/report.h"

/* The page's style sheet. */
extern const char REPORT_STYLE[];

/* p50 and p99 of each interval, on a logarithmic axis, with the marks. */
void report_plot_latency(const struct load_report *report, FILE *out);

/* Good answers and errors of each interval, as rates, with the marks. */
void report_plot_rates(const struct load_report *report, FILE *out);

/* Latency against the share of requests that were not slower, a line for each protocol. */
void report_plot_percentiles(const struct load_report *report, FILE *out);

#endif
