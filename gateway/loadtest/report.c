/*
 * The report for a terminal, and what all reports say besides numbers. Called by the command behind the test;
 * changes nothing.
 */
#include "loadtest/report.h"

#include "loadtest/text.h"

const double REPORT_SHARES[] = {0.5, 0.9, 0.99, 0.999};
const char *const REPORT_SHARE_NAMES[] = {"p50", "p90", "p99", "p99.9"};

/* When the generator itself is to be named: its thread had no more than a twentieth of its core left, or its
 * own lateness is what the slowest hundredth saw. */
#define BUSY_TOO_MUCH 0.95
enum { LAG_TOLERABLE_US = 1000, LAG_PART = 4 };

/* --- remarks --- */

static bool is_lagging(const struct load_tally *tally)
{
    struct load_line_tally all;
    load_tally_sum(tally, LOAD_PROTOCOLS, &all);
    uint64_t lag_us = histogram_percentile(&tally->lag, 0.99);
    return lag_us > LAG_TOLERABLE_US && lag_us * LAG_PART > histogram_percentile(&all.latency, 0.99);
}

static bool remark_generator(const struct load_report *report, char *out)
{
    const struct load_tally *tally = report->outcome->tally;
    bool is_open = report->plan->rate.count > 0, is_busy = tally->busy_max > BUSY_TOO_MUCH;
    double busy = tally->busy_max > 1 ? 100 : 100 * tally->busy_max;
    if (is_open && (is_lagging(tally) || (is_busy && tally->unsent + tally->queued > 0)))
        snprintf(
            out, REPORT_REMARK_MAX,
            "the generator could not keep the rate: with a connection free it was late by %s at p99, and its "
            "thread used or waited for %.0f %% of a core; what is measured is partly the generator: use "
            "--threads, a lower rate, or another machine",
            load_text_duration(histogram_percentile(&tally->lag, 0.99)).at, busy);
    else if (is_busy)
        snprintf(out, REPORT_REMARK_MAX,
                 "the generator used or waited for %.0f %% of a core for each thread: the gateway may be "
                 "able to do "
                 "more than this; use --threads or another machine",
                 busy);
    return is_busy || (is_open && is_lagging(tally));
}

static bool remark_queue(const struct load_report *report, char *out)
{
    const struct load_tally *tally = report->outcome->tally;
    uint64_t late = tally->queued + tally->unsent;
    if (late == 0)
        return false;
    snprintf(
        out, REPORT_REMARK_MAX,
        "%s requests were due while every connection was busy; they waited, which is in their latency%s%s%s: "
        "the gateway was too slow for the rate, or --connections %u are too few",
        load_text_count(late).at, tally->unsent ? ", and " : "",
        tally->unsent ? load_text_count(tally->unsent).at : "",
        tally->unsent ? " of them were given up unsent, as timeouts" : "", report->plan->connections);
    return true;
}

static bool remark_redirects(const struct load_report *report, char *out)
{
    struct load_line_tally all;
    load_tally_sum(report->outcome->tally, LOAD_PROTOCOLS, &all);
    if (all.redirects > 0)
        snprintf(out, REPORT_REMARK_MAX, "%s of the good answers were redirects, which were not followed",
                 load_text_count(all.redirects).at);
    return all.redirects > 0;
}

static bool remark_interrupted(const struct load_report *report, char *out)
{
    if (report->outcome->interrupted)
        snprintf(out, REPORT_REMARK_MAX, "ended early, %s after measuring began",
                 load_text_duration(report->outcome->tally->measured_us).at);
    return report->outcome->interrupted;
}

static bool remark_insecure(const struct load_report *report, char *out)
{
    bool is_unchecked = report->plan->unverified;
    if (is_unchecked)
        snprintf(out, REPORT_REMARK_MAX, "the gateway's certificate was not checked (--insecure)");
    return is_unchecked;
}

unsigned report_remarks(const struct load_report *report,
                        char remarks_out[REPORT_REMARKS_MAX][REPORT_REMARK_MAX])
{
    unsigned count = 0;
    count += remark_generator(report, remarks_out[count]);
    count += remark_queue(report, remarks_out[count]);
    count += remark_redirects(report, remarks_out[count]);
    count += remark_interrupted(report, remarks_out[count]);
    count += remark_insecure(report, remarks_out[count]);
    return count;
}

unsigned report_broken(const struct load_report *report, FILE *out)
{
    char sentence[THRESHOLD_SENTENCE_MAX];
    unsigned broken = 0;
    for (unsigned i = 0; i < report->threshold_count; i++)
        if (threshold_is_broken(&report->thresholds[i], report->outcome->tally, sentence)) {
            fprintf(out, "portico: --fail-if %s\n", sentence);
            broken++;
        }
    return broken;
}

/* --- the table --- */

static struct load_text latency_text(const struct histogram *latency, double share)
{
    return latency->count ? load_text_duration(histogram_percentile(latency, share))
                          : (struct load_text){"-"};
}

static void print_row(const struct load_report *report, const char *protocol, struct slice name,
                      const struct load_line_tally *line, FILE *out)
{
    double seconds = (double)report->outcome->tally->measured_us / 1e6;
    fprintf(out, "%-4s %-28.*s %11s %9s %8s", protocol, SLICE_ARGS(name), load_text_count(line->good).at,
            load_text_rate((double)line->good / seconds).at, load_text_count(load_line_errors(line)).at);
    for (unsigned i = 0; i < REPORT_SHARE_COUNT; i++)
        fprintf(out, " %8s", latency_text(&line->latency, REPORT_SHARES[i]).at);
    fprintf(out, " %8s\n", latency_text(&line->latency, 1).at);
}

void report_statuses(const struct load_line_tally *line, enum load_error error, char out[REPORT_STATUSES_MAX])
{
    unsigned from = error == LOAD_ERROR_4xx ? 400 : error == LOAD_ERROR_5xx ? 500 : 600;
    size_t len = 0;
    out[0] = '\0';
    for (unsigned status = from; status < from + 100 && status - LOAD_STATUS_FIRST < LOAD_STATUSES;
         status++) {
        uint64_t count = line->statuses[status - LOAD_STATUS_FIRST];
        if (count > 0 && len + LOAD_TEXT_MAX < REPORT_STATUSES_MAX)
            len += (size_t)snprintf(out + len, REPORT_STATUSES_MAX - len, "%s%u: %s", len ? ", " : "", status,
                                    load_text_count(count).at);
    }
}

static void print_errors(const struct load_line_tally *all, FILE *out)
{
    char statuses[REPORT_STATUSES_MAX];
    for (enum load_error error = 0; error < LOAD_ERROR_COUNT; error++) {
        if (all->errors[error] == 0)
            continue;
        report_statuses(all, error, statuses);
        fprintf(out, "  %s %s: %s%s%s%s\n", load_text_count(all->errors[error]).at,
                load_error_row(error)->name, load_error_row(error)->sentence, statuses[0] ? " (" : "",
                statuses, statuses[0] ? ")" : "");
    }
}

static void print_marks(const struct load_outcome *outcome, FILE *out)
{
    for (unsigned i = 0; i < outcome->mark_count; i++)
        fprintf(out, "  at %.1fs: %s\n", (double)outcome->marks[i].at_us / 1e6, outcome->marks[i].text);
}

void report_text(const struct load_report *report, FILE *out)
{
    const struct load_tally *tally = report->outcome->tally;
    char remarks[REPORT_REMARKS_MAX][REPORT_REMARK_MAX];
    struct load_line_tally all;
    load_tally_sum(tally, LOAD_PROTOCOLS, &all);
    fprintf(out, "\n%-4s %-28s %11s %9s %8s %8s %8s %8s %8s %8s\n", "", "", "good", "per s", "errors", "p50",
            "p90", "p99", "p99.9", "max");
    for (unsigned i = 0; i < report->plan->line_count; i++)
        print_row(report, load_protocol_name(report->plan->lines[i].protocol), report->plan->lines[i].name,
                  &tally->lines[i], out);
    if (report->plan->line_count > 1)
        print_row(report, "all", SLICE(""), &all, out);
    fputs(load_line_errors(&all) ? "\nerrors:\n" : "\nno errors\n", out);
    print_errors(&all, out);
    if (report->outcome->mark_count > 0)
        fputs("events:\n", out);
    print_marks(report->outcome, out);
    unsigned count = report_remarks(report, remarks);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "note: %s\n", remarks[i]);
}
