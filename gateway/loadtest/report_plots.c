/*
 * From a test's tally to the pictures of loadtest/report_plots.h. Called by report_html.c; draws with plot.h.
 */
#include "loadtest/report_plots.h"

#include "loadtest/plot.h"
#include "loadtest/text.h"

#include <math.h>

enum { HEIGHT_LATENCY = 300, HEIGHT_RATES = 170, HEIGHT_PERCENTILES = 300, PERCENTILE_POINTS = 200 };

/* Of the intervals: their middles, and something of each. */
struct series {
    double xs[LOAD_INTERVALS_MAX], ys[LOAD_INTERVALS_MAX];
    double least, most; /* of ys */
    unsigned count;
};

static double seconds_of(const struct load_tally *tally, double intervals)
{
    return intervals * (double)tally->interval_us / 1e6;
}

static double end_of(const struct load_tally *tally)
{
    return (double)tally->measured_us / 1e6;
}

static struct series percentiles_of(const struct load_tally *tally, double share)
{
    struct series series = {.least = INFINITY};
    for (; series.count < tally->interval_count; series.count++) {
        const struct histogram *latency = &tally->intervals[series.count].latency;
        double us = latency->count ? (double)histogram_percentile(latency, share) : NAN;
        series.xs[series.count] = seconds_of(tally, series.count + 0.5);
        series.ys[series.count] = us;
        series.least = fmin(series.least, us);
        series.most = fmax(series.most, us);
    }
    return series;
}

static void draw_marks(const struct plot *plot, const struct load_outcome *outcome)
{
    for (unsigned i = 0; i < outcome->mark_count; i++) {
        const struct load_mark *mark = &outcome->marks[i];
        char text[LOAD_MARK_TEXT + LOAD_TEXT_MAX];
        snprintf(text, sizeof text, "%.1f s: %s", (double)mark->at_us / 1e6, mark->text);
        bool is_reload = slice_equal(slice_of(mark->text), SLICE("reload"));
        if (mark->at_us >= 0)
            plot_mark(plot, (double)mark->at_us / 1e6, is_reload ? "mark reload" : "mark other", text);
    }
}

/* The length of an interval; the last one may be shorter than the others. */
static double length_of(const struct load_tally *tally, unsigned interval)
{
    double from = seconds_of(tally, interval), to = seconds_of(tally, interval + 1.0);
    return fmin(to, end_of(tally)) - from;
}

/* At the foot, where there were errors. */
static void draw_errors(const struct plot *plot, const struct load_tally *tally)
{
    double foot = plot->y_from * pow(plot->y_to / plot->y_from, 0.025);
    for (unsigned i = 0; i < tally->interval_count; i++)
        if (tally->intervals[i].errors > 0)
            plot_bar(plot, seconds_of(tally, i), seconds_of(tally, i) + length_of(tally, i), foot, "bar bad");
}

void report_plot_latency(const struct load_report *report, FILE *out)
{
    const struct load_tally *tally = report->outcome->tally;
    struct series half = percentiles_of(tally, 0.5), slow = percentiles_of(tally, 0.99);
    struct plot plot = {.out = out, .height = HEIGHT_LATENCY, .x_to = end_of(tally)};
    char description[256];
    snprintf(
        description, sizeof description,
        "p50 of the intervals between %s and %s, p99 between %s and %s. The numbers are in the table below.",
        load_text_duration((uint64_t)fmin(half.least, 1e12)).at, load_text_duration((uint64_t)half.most).at,
        load_text_duration((uint64_t)fmin(slow.least, 1e12)).at, load_text_duration((uint64_t)slow.most).at);
    plot_bounds_log(&plot, isfinite(half.least) ? half.least : 1, slow.most);
    plot_open(&plot, "latency", "Latency over time", description);
    plot_y_axis(&plot);
    plot_x_axis_seconds(&plot);
    draw_errors(&plot, tally);
    draw_marks(&plot, report->outcome);
    plot_line(&plot, slow.xs, slow.ys, slow.count, "line p99");
    plot_line(&plot, half.xs, half.ys, half.count, "line p50");
    plot_close(&plot);
}

/* --- answers --- */

void report_plot_rates(const struct load_report *report, FILE *out)
{
    const struct load_tally *tally = report->outcome->tally;
    struct plot plot = {.out = out, .height = HEIGHT_RATES, .x_to = end_of(tally)};
    double most = 0;
    uint64_t good = 0, errors = 0;
    for (unsigned i = 0; i < tally->interval_count; i++) {
        const struct load_interval *interval = &tally->intervals[i];
        most = fmax(most, (double)(interval->good + interval->errors) / length_of(tally, i));
        good += interval->good;
        errors += interval->errors;
    }
    char description[160];
    snprintf(description, sizeof description, "%s good answers and %s errors in all, at most %s a second.",
             load_text_count(good).at, load_text_count(errors).at, load_text_rate(most).at);
    plot_bounds_linear(&plot, most);
    plot_open(&plot, "rates", "Answers and errors per second", description);
    plot_y_axis(&plot);
    plot_x_axis_seconds(&plot);
    for (unsigned i = 0; i < tally->interval_count; i++) {
        const struct load_interval *interval = &tally->intervals[i];
        double from = seconds_of(tally, i), length = length_of(tally, i);
        plot_bar(&plot, from, from + length, (double)(interval->good + interval->errors) / length,
                 "bar good");
        plot_bar(&plot, from, from + length, (double)interval->errors / length, "bar bad");
    }
    draw_marks(&plot, report->outcome);
    plot_close(&plot);
}

/* --- percentiles --- */

/* The axis counts nines: 90 % lies at 1, 99 % at 2. */
static double share_at(double nines)
{
    return 1 - pow(10, -nines);
}

static void draw_protocol(const struct plot *plot, const struct load_line_tally *sum, const char *protocol)
{
    double xs[PERCENTILE_POINTS], ys[PERCENTILE_POINTS], last = log10((double)sum->latency.count);
    unsigned count = 0;
    char class[32];
    for (; count < PERCENTILE_POINTS; count++) {
        xs[count] = plot->x_to * count / (PERCENTILE_POINTS - 1);
        if (xs[count] > last && count > 0)
            break;
        ys[count] = fmax(1, (double)histogram_percentile(&sum->latency, share_at(xs[count])));
    }
    snprintf(class, sizeof class, "line %s", protocol);
    plot_line(plot, xs, ys, count, class);
}

static void draw_nines(const struct plot *plot)
{
    static const struct {
        double share;
        const char *text;
    } steps[] = {{0, "0 %"},        {0.5, "50 %"},       {0.9, "90 %"},        {0.99, "99 %"},
                 {0.999, "99.9 %"}, {0.9999, "99.99 %"}, {0.99999, "99.999 %"}};
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (-log10(1 - steps[i].share) <= plot->x_to + 0.001)
            plot_x_step(plot, -log10(1 - steps[i].share), steps[i].text);
}

void report_plot_percentiles(const struct load_report *report, FILE *out)
{
    static struct load_line_tally sums[LOAD_PROTOCOLS];
    uint64_t least = UINT64_MAX, most = 0, count = 0;
    for (enum load_protocol protocol = 0; protocol < LOAD_PROTOCOLS; protocol++) {
        const struct histogram *latency = &sums[protocol].latency;
        load_tally_sum(report->outcome->tally, protocol, &sums[protocol]);
        uint64_t first = latency->count ? histogram_percentile(latency, 0) : UINT64_MAX;
        least = first < least ? first : least;
        most = latency->max_us > most ? latency->max_us : most;
        count = latency->count > count ? latency->count : count;
    }
    struct plot plot = {.out = out, .height = HEIGHT_PERCENTILES};
    plot.x_to = fmin(5, fmax(1, ceil(log10((double)count + 1))));
    plot_bounds_log(&plot, count ? (double)least : 1, (double)most);
    plot_open(&plot, "percentiles", "Latency by percentile",
              "How long so many of a hundred requests took at most. The table of routes has the main ones.");
    plot_y_axis(&plot);
    draw_nines(&plot);
    for (enum load_protocol protocol = 0; protocol < LOAD_PROTOCOLS; protocol++)
        if (sums[protocol].latency.count > 0)
            draw_protocol(&plot, &sums[protocol], load_protocol_name(protocol));
    plot_close(&plot);
}
