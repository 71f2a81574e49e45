/*
 * The report for programs: one JSON object, times in microseconds, everything that the table for people says
 * and the time line. Called by the command; knows no options but as the texts it is given.
 */
#include "loadtest/report.h"

/* --- JSON --- */

/* Texts come from options, configurations and systems: whatever they are, what is written is ASCII. */
static void put_text(struct slice text, FILE *out)
{
    fputc('"', out);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte < 0x20 || byte >= 0x7f)
            fprintf(out, "\\u%04x", byte);
        else
            fprintf(out, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
    }
    fputc('"', out);
}

static void put_latency(const struct histogram *latency, FILE *out)
{
    fprintf(out, "{\"count\": %llu, \"mean\": %.1f", (unsigned long long)latency->count,
            latency->count ? (double)latency->sum_us / (double)latency->count : 0);
    for (unsigned i = 0; i < REPORT_SHARE_COUNT; i++)
        fprintf(out, ", \"%s\": %llu", REPORT_SHARE_NAMES[i],
                (unsigned long long)histogram_percentile(latency, REPORT_SHARES[i]));
    fprintf(out, ", \"max\": %llu}", (unsigned long long)latency->max_us);
}

static void put_errors(const struct load_line_tally *line, FILE *out)
{
    bool is_first = true;
    fprintf(out, "{");
    for (enum load_error error = 0; error < LOAD_ERROR_COUNT; error++) {
        if (line->errors[error] == 0)
            continue;
        fprintf(out, "%s\"%s\": %llu", is_first ? "" : ", ", load_error_row(error)->name,
                (unsigned long long)line->errors[error]);
        is_first = false;
    }
    fprintf(out, "}");
}

static void put_statuses(const struct load_line_tally *line, FILE *out)
{
    bool is_first = true;
    fprintf(out, ", \"statuses\": {");
    for (unsigned i = 0; i < LOAD_STATUSES; i++) {
        if (line->statuses[i] == 0)
            continue;
        fprintf(out, "%s\"%u\": %llu", is_first ? "" : ", ", LOAD_STATUS_FIRST + i,
                (unsigned long long)line->statuses[i]);
        is_first = false;
    }
    fprintf(out, "}");
}

static void put_line_tally(const struct load_report *report, const struct load_line_tally *line, FILE *out)
{
    double seconds = (double)report->outcome->tally->measured_us / 1e6;
    fprintf(out,
            "\"good\": %llu, \"per_s\": %.2f, \"redirects\": %llu, \"bytes\": %llu, \"error_count\": %llu, "
            "\"errors\": ",
            (unsigned long long)line->good, (double)line->good / seconds, (unsigned long long)line->redirects,
            (unsigned long long)line->bytes, (unsigned long long)load_line_errors(line));
    put_errors(line, out);
    put_statuses(line, out);
    fprintf(out, ", \"latency_us\": ");
    put_latency(&line->latency, out);
}

/* --- the parts --- */

static void put_parameters(const struct load_report *report, FILE *out)
{
    fprintf(out, "  \"parameters\": {");
    for (unsigned i = 0; i < report->parameter_count; i++) {
        fprintf(out, "%s\n    \"%s\": ", i ? "," : "", report->parameters[i].name);
        put_text(report->parameters[i].value, out);
    }
    fprintf(out, "\n  },\n");
}

static void put_lines(const struct load_report *report, FILE *out)
{
    fprintf(out, "  \"lines\": [");
    for (unsigned i = 0; i < report->plan->line_count; i++) {
        const struct load_line *line = &report->plan->lines[i];
        fprintf(out, "%s\n    {\"protocol\": \"%s\", \"name\": ", i ? "," : "",
                load_protocol_name(line->protocol));
        put_text(line->name, out);
        fprintf(out, ", ");
        put_line_tally(report, &report->outcome->tally->lines[i], out);
        fprintf(out, "}");
    }
    fprintf(out, "\n  ],\n");
}

static void put_time_line(const struct load_report *report, FILE *out)
{
    const struct load_tally *tally = report->outcome->tally;
    fprintf(out, "  \"interval_us\": %llu,\n  \"intervals\": [", (unsigned long long)tally->interval_us);
    for (unsigned i = 0; i < tally->interval_count; i++) {
        const struct load_interval *interval = &tally->intervals[i];
        fprintf(out, "%s\n    {\"good\": %llu, \"errors\": %llu, \"latency_us\": ", i ? "," : "",
                (unsigned long long)interval->good, (unsigned long long)interval->errors);
        put_latency(&interval->latency, out);
        fprintf(out, "}");
    }
    fprintf(out, "\n  ],\n  \"marks\": [");
    for (unsigned i = 0; i < report->outcome->mark_count; i++) {
        const struct load_mark *mark = &report->outcome->marks[i];
        fprintf(out, "%s\n    {\"at_us\": %lld, \"text\": ", i ? "," : "", (long long)mark->at_us);
        put_text(slice_of(mark->text), out);
        fprintf(out, "}");
    }
    fprintf(out, "\n  ],\n");
}

static void put_generator(const struct load_report *report, FILE *out)
{
    const struct load_tally *tally = report->outcome->tally;
    fprintf(out,
            "  \"generator\": {\"busy\": %.3f, \"connects\": %llu, \"queued\": %llu, \"unsent\": %llu, "
            "\"lag_us\": ",
            tally->busy_max, (unsigned long long)tally->connects, (unsigned long long)tally->queued,
            (unsigned long long)tally->unsent);
    put_latency(&tally->lag, out);
    fprintf(out, "},\n");
}

static void put_verdicts(const struct load_report *report, FILE *out)
{
    char sentence[THRESHOLD_SENTENCE_MAX], remarks[REPORT_REMARKS_MAX][REPORT_REMARK_MAX];
    unsigned count = report_remarks(report, remarks);
    bool is_first = true;
    fprintf(out, "  \"notes\": [");
    for (unsigned i = 0; i < count; i++) {
        fputs(i ? ", " : "", out);
        put_text(slice_of(remarks[i]), out);
    }
    fprintf(out, "],\n  \"broken\": [");
    for (unsigned i = 0; i < report->threshold_count; i++) {
        if (!threshold_is_broken(&report->thresholds[i], report->outcome->tally, sentence))
            continue;
        fputs(is_first ? "" : ", ", out);
        put_text(slice_of(sentence), out);
        is_first = false;
    }
    fprintf(out, "]\n");
}

void report_json(const struct load_report *report, FILE *out)
{
    const struct load_outcome *outcome = report->outcome;
    struct load_line_tally all;
    load_tally_sum(outcome->tally, LOAD_PROTOCOLS, &all);
    fprintf(out, "{\n  \"began\": %.3f,\n  \"measured_us\": %llu,\n  \"interrupted\": %s,\n",
            (double)outcome->wall_us / 1e6, (unsigned long long)outcome->tally->measured_us,
            outcome->interrupted ? "true" : "false");
    put_parameters(report, out);
    fprintf(out, "  \"all\": {");
    put_line_tally(report, &all, out);
    fprintf(out, "},\n");
    put_lines(report, out);
    put_time_line(report, out);
    put_generator(report, out);
    put_verdicts(report, out);
    fprintf(out, "}\n");
}
