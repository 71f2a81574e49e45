/*
 * The report as a page: what was measured, pictures, and tables with every number of the pictures. It loads
 * nothing, runs no script, and is plain text to whoever cannot see it. Called by the command.
 */
#include "loadtest/plot.h"
#include "loadtest/report_plots.h"
#include "loadtest/text.h"

#include <time.h>

static void put_slice(struct slice text, FILE *out)
{
    char one[2] = "";
    for (size_t i = 0; i < text.len; i++) {
        one[0] = text.at[i];
        plot_put_text(one, out);
    }
}

/* --- the top --- */

static void put_head(const struct load_report *report, FILE *out)
{
    char when[64];
    time_t seconds = (time_t)(report->outcome->wall_us / 1000000);
    struct tm parts;
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&seconds, &parts));
    struct slice target = report->parameter_count ? report->parameters[0].value : SLICE("a gateway");
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
          "content=\"width=device-width,initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" "
          "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>Load test of ",
          out);
    put_slice(target, out);
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>Load test of ", REPORT_STYLE);
    put_slice(target, out);
    fprintf(out, "</h1>\n<p class=\"soft\">%s, %s measured</p>\n", when,
            load_text_duration(report->outcome->tally->measured_us).at);
}

static void put_card(const char *name, const char *value, FILE *out)
{
    fprintf(out, "<div><dt>%s</dt><dd>%s</dd></div>\n", name, value);
}

static struct load_text latency_text(const struct histogram *latency, double share)
{
    return latency->count ? load_text_duration(histogram_percentile(latency, share))
                          : (struct load_text){"–"};
}

static void put_cards(const struct load_report *report, const struct load_line_tally *all, FILE *out)
{
    double seconds = (double)report->outcome->tally->measured_us / 1e6;
    fputs("<dl class=\"cards\">\n", out);
    put_card("good answers", load_text_count(all->good).at, out);
    put_card("per second", load_text_rate((double)all->good / seconds).at, out);
    put_card("errors", load_text_count(load_line_errors(all)).at, out);
    put_card("p50", latency_text(&all->latency, 0.5).at, out);
    put_card("p99", latency_text(&all->latency, 0.99).at, out);
    put_card("longest", latency_text(&all->latency, 1).at, out);
    fputs("</dl>\n", out);
}

static void put_verdicts(const struct load_report *report, FILE *out)
{
    char sentence[THRESHOLD_SENTENCE_MAX], remarks[REPORT_REMARKS_MAX][REPORT_REMARK_MAX];
    unsigned broken = 0, count = report_remarks(report, remarks);
    for (unsigned i = 0; i < report->threshold_count; i++) {
        if (!threshold_is_broken(&report->thresholds[i], report->outcome->tally, sentence))
            continue;
        fputs("<p class=\"verdict broken\"><strong>Failed:</strong> ", out);
        plot_put_text(sentence, out);
        fputs("</p>\n", out);
        broken++;
    }
    if (report->threshold_count > 0 && broken == 0)
        fputs("<p class=\"verdict\"><strong>Passed:</strong> no limit of --fail-if is broken</p>\n", out);
    for (unsigned i = 0; i < count; i++) {
        fputs("<p class=\"note\"><strong>Note:</strong> ", out);
        plot_put_text(remarks[i], out);
        fputs("</p>\n", out);
    }
}

/* --- pictures --- */

static void put_key(const char *class, const char *text, FILE *out)
{
    fprintf(out,
            "<span class=\"key\"><svg viewBox=\"0 0 30 10\" aria-hidden=\"true\"><path class=\"%s\" d=\"M1 "
            "5h28\"/></svg>"
            "%s</span>\n",
            class, text);
}

/* A picture scrolls where it has no room; with tabindex the keyboard can do it. */
static void put_picture(const struct load_report *report, const char *title,
                        void (*draw)(const struct load_report *report, FILE *out), FILE *out)
{
    fprintf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n", title);
    draw(report, out);
    fputs("</div>\n", out);
}

static void put_marks(const struct load_outcome *outcome, FILE *out)
{
    if (outcome->mark_count == 0)
        return;
    fputs("<h2>What happened meanwhile</h2>\n<ul>\n", out);
    for (unsigned i = 0; i < outcome->mark_count; i++) {
        fprintf(out, "<li>%.1f s: ", (double)outcome->marks[i].at_us / 1e6);
        plot_put_text(outcome->marks[i].text, out);
        fputs("</li>\n", out);
    }
    fputs("</ul>\n", out);
}

static const char *key_of(enum load_protocol protocol)
{
    return protocol == LOAD_EVENTS      ? "sse, to the first event"
           : protocol == LOAD_EVENTS_H2 ? "sse2, to the first event"
                                        : load_protocol_name(protocol);
}

static void put_pictures(const struct load_report *report, FILE *out)
{
    const struct load_outcome *outcome = report->outcome;
    fputs("<h2>Latency over time</h2>\n<figure>\n", out);
    put_picture(report, "Latency over time", report_plot_latency, out);
    fputs("<figcaption>By when requests were due, to the last byte of the answer.<br>\n", out);
    put_key("line p50", "p50", out);
    put_key("line p99", "p99", out);
    put_key("errors", "errors at the foot", out);
    if (outcome->mark_count > 0) {
        put_key("mark reload", "reload", out);
        put_key("mark other", "other events", out);
    }
    fputs("</figcaption>\n</figure>\n<h2>Answers and errors</h2>\n<figure>\n", out);
    put_picture(report, "Answers and errors per second", report_plot_rates, out);
    fputs("<figcaption>A second; errors are the part in red.</figcaption>\n</figure>\n<h2>Latency by "
          "percentile</h2>\n"
          "<figure>\n",
          out);
    put_picture(report, "Latency by percentile", report_plot_percentiles, out);
    fputs("<figcaption>How long so many of the requests took at most.<br>\n", out);
    for (enum load_protocol protocol = 0; protocol < LOAD_PROTOCOLS; protocol++) {
        struct load_line_tally sum;
        char class[32];
        load_tally_sum(outcome->tally, protocol, &sum);
        snprintf(class, sizeof class, "line %s", load_protocol_name(protocol));
        if (sum.latency.count > 0)
            put_key(class, key_of(protocol), out);
    }
    fputs("</figcaption>\n</figure>\n", out);
}

/* --- tables --- */

static void open_table(const char *title, const char *head, FILE *out)
{
    fprintf(out,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
            "aria-label=\"%s\">\n<table>\n<thead><tr>%s</tr></thead>\n"
            "<tbody>\n",
            title, head);
}

static void close_table(FILE *out)
{
    fputs("</tbody>\n</table>\n</div>\n", out);
}

static void put_latencies(const struct histogram *latency, FILE *out)
{
    for (unsigned i = 0; i < REPORT_SHARE_COUNT; i++)
        fprintf(out, "<td>%s</td>", latency_text(latency, REPORT_SHARES[i]).at);
    fprintf(out, "<td>%s</td></tr>\n", latency_text(latency, 1).at);
}

static void put_row(const struct load_report *report, const struct load_line_tally *line, FILE *out)
{
    double seconds = (double)report->outcome->tally->measured_us / 1e6;
    fprintf(out, "<td>%s</td><td>%s</td><td>%s</td><td>%s</td>", load_text_count(line->good).at,
            load_text_rate((double)line->good / seconds).at, load_text_count(load_line_errors(line)).at,
            load_text_bytes(line->bytes).at);
    put_latencies(&line->latency, out);
}

static void put_routes(const struct load_report *report, const struct load_line_tally *all, FILE *out)
{
    fputs("<h2>By route</h2>\n", out);
    open_table("By route",
               "<th scope=\"col\">asked for</th><th scope=\"col\" class=\"text\">by</th><th "
               "scope=\"col\">good</th><th "
               "scope=\"col\">per s</th><th scope=\"col\">errors</th><th scope=\"col\">content</th><th "
               "scope=\"col\">p50</th><th scope=\"col\">p90</th><th scope=\"col\">p99</th><th "
               "scope=\"col\">p99.9</th><th "
               "scope=\"col\">max</th>",
               out);
    for (unsigned i = 0; i < report->plan->line_count; i++) {
        const struct load_line *line = &report->plan->lines[i];
        fputs("<tr><th scope=\"row\"><code>", out);
        put_slice(line->name, out);
        fprintf(out, "</code></th><td class=\"text\">%s</td>", load_protocol_name(line->protocol));
        put_row(report, &report->outcome->tally->lines[i], out);
    }
    if (report->plan->line_count > 1) {
        fputs("<tr class=\"sum\"><th scope=\"row\">all requests</th><td></td>", out);
        put_row(report, all, out);
    }
    close_table(out);
}

static void put_errors(const struct load_line_tally *all, FILE *out)
{
    fputs("<h2>Errors</h2>\n", out);
    if (load_line_errors(all) == 0) {
        fputs("<p>None.</p>\n", out);
        return;
    }
    open_table("Errors",
               "<th scope=\"col\">kind</th><th scope=\"col\">how many</th><th scope=\"col\" "
               "class=\"text\">what it is</th>",
               out);
    for (enum load_error error = 0; error < LOAD_ERROR_COUNT; error++) {
        char statuses[REPORT_STATUSES_MAX];
        if (all->errors[error] == 0)
            continue;
        report_statuses(all, error, statuses);
        fprintf(out, "<tr><th scope=\"row\">%s</th><td>%s</td><td class=\"text\">%s%s%s%s</td></tr>\n",
                load_error_row(error)->name, load_text_count(all->errors[error]).at,
                load_error_row(error)->sentence, statuses[0] ? " (" : "", statuses, statuses[0] ? ")" : "");
    }
    close_table(out);
}

static void put_time_line(const struct load_report *report, FILE *out)
{
    const struct load_tally *tally = report->outcome->tally;
    fputs("<h2>The time line in numbers</h2>\n<details>\n<summary>Every interval</summary>\n", out);
    open_table("The time line in numbers",
               "<th scope=\"col\">from</th><th scope=\"col\">good</th><th scope=\"col\">errors</th><th "
               "scope=\"col\">p50</th><th scope=\"col\">p90</th><th scope=\"col\">p99</th><th "
               "scope=\"col\">p99.9</th><th "
               "scope=\"col\">max</th>",
               out);
    for (unsigned i = 0; i < tally->interval_count; i++) {
        const struct load_interval *interval = &tally->intervals[i];
        fprintf(out, "<tr><th scope=\"row\">%.2f s</th><td>%s</td><td>%s</td>",
                (double)(i * tally->interval_us) / 1e6, load_text_count(interval->good).at,
                load_text_count(interval->errors).at);
        put_latencies(&interval->latency, out);
    }
    close_table(out);
    fputs("</details>\n", out);
}

static void put_parameters(const struct load_report *report, FILE *out)
{
    fputs("<h2>Parameters</h2>\n", out);
    open_table("Parameters", "<th scope=\"col\">name</th><th scope=\"col\" class=\"text\">value</th>", out);
    for (unsigned i = 0; i < report->parameter_count; i++) {
        fprintf(out, "<tr><th scope=\"row\">%s</th><td class=\"text\"><code>", report->parameters[i].name);
        put_slice(report->parameters[i].value, out);
        fputs("</code></td></tr>\n", out);
    }
    close_table(out);
}

void report_html(const struct load_report *report, FILE *out)
{
    struct load_line_tally all;
    load_tally_sum(report->outcome->tally, LOAD_PROTOCOLS, &all);
    put_head(report, out);
    put_verdicts(report, out);
    put_cards(report, &all, out);
    put_pictures(report, out);
    put_marks(report->outcome, out);
    put_routes(report, &all, out);
    put_errors(&all, out);
    put_time_line(report, out);
    put_parameters(report, out);
    fputs("</main>\n</body>\n</html>\n", out);
}
