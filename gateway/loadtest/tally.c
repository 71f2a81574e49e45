/*
 * The counting of loadtest/tally.h. Called by generators for every outcome, and by reports for sums; what a
 * kind of error is called stands in tables/load_errors.def.
 */
#include "loadtest/tally.h"

#include "base/check.h"
#include "config/value.h"

#include <stdlib.h>

static const struct load_error_row rows[] = {
#define LOAD_ERROR(name, sentence) {#name, sentence},
#include "tables/load_errors.def"
#undef LOAD_ERROR
};

const struct load_error_row *load_error_row(enum load_error error)
{
    CHECK(error < LOAD_ERROR_COUNT);
    return &rows[error];
}

/* The shortest of these that is not too short for the number of stretches. */
static uint64_t interval_for(uint64_t duration_us)
{
    static const uint64_t lengths[] = {
        MILLISECONDS(50), MILLISECONDS(100), MILLISECONDS(250), MILLISECONDS(500), SECONDS(1), SECONDS(2),
        SECONDS(5),       SECONDS(10),       SECONDS(30),       MINUTES(1),        MINUTES(5), MINUTES(15)};
    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        if (duration_us <= lengths[i] * LOAD_INTERVALS_MAX)
            return lengths[i];
    return duration_us / LOAD_INTERVALS_MAX + 1;
}

struct load_tally *load_tally_new(const struct load_plan *plan, uint64_t begin_us)
{
    struct load_tally *tally = calloc(1, sizeof *tally);
    CHECK(tally != NULL);
    tally->plan = plan;
    tally->begin_us = begin_us;
    tally->measured_us = plan->duration_us;
    tally->interval_us = interval_for(plan->duration_us);
    tally->interval_count = (unsigned)((plan->duration_us + tally->interval_us - 1) / tally->interval_us);
    tally->lines = calloc(plan->line_count, sizeof *tally->lines);
    tally->intervals = calloc(tally->interval_count, sizeof *tally->intervals);
    CHECK(tally->lines != NULL && tally->intervals != NULL);
    return tally;
}

void load_tally_free(struct load_tally **tally_at)
{
    struct load_tally *tally = *tally_at;
    *tally_at = NULL;
    if (tally == NULL)
        return;
    free(tally->lines);
    free(tally->intervals);
    free(tally);
}

/* Whether its time says something: what never reached anybody has none. */
static bool has_latency(enum load_error outcome)
{
    return outcome >= LOAD_GOOD || outcome == LOAD_ERROR_timeout || outcome == LOAD_ERROR_4xx ||
           outcome == LOAD_ERROR_5xx || outcome == LOAD_ERROR_content;
}

/* Behind the measured time, nothing is; before it is warm-up. */
static bool is_measured(const struct load_tally *tally, uint64_t at_us)
{
    return at_us >= tally->begin_us && at_us - tally->begin_us < tally->plan->duration_us;
}

void load_tally_add(struct load_tally *tally, unsigned index, uint64_t due_us, uint64_t now_us,
                    enum load_error outcome)
{
    struct load_line_tally *line = &tally->lines[index];
    if (!is_measured(tally, due_us))
        return;
    bool is_good = outcome >= LOAD_GOOD, is_event_stream = load_is_events(tally->plan->lines[index].protocol);
    struct load_interval *interval = &tally->intervals[(due_us - tally->begin_us) / tally->interval_us];
    interval->errors += !is_good;
    line->redirects += outcome == LOAD_REDIRECT;
    if (!is_good)
        line->errors[outcome]++;
    else if (!is_event_stream)
        line->good++, interval->good++;
    if (!has_latency(outcome))
        return;
    histogram_add(&line->latency, now_us - due_us);
    if (!is_event_stream)
        histogram_add(&interval->latency, now_us - due_us);
}

void load_tally_content(struct load_tally *tally, unsigned line, uint64_t at_us, uint64_t bytes)
{
    if (is_measured(tally, at_us))
        tally->lines[line].bytes += bytes;
}

void load_tally_status(struct load_tally *tally, unsigned line, uint64_t due_us, unsigned status)
{
    if (is_measured(tally, due_us) && status >= LOAD_STATUS_FIRST &&
        status - LOAD_STATUS_FIRST < LOAD_STATUSES)
        tally->lines[line].statuses[status - LOAD_STATUS_FIRST]++;
}

void load_tally_event(struct load_tally *tally, unsigned line, uint64_t now_us)
{
    if (is_measured(tally, now_us))
        tally->lines[line].good++;
}

static void add_errors(struct load_line_tally *line, const struct load_line_tally *from)
{
    for (unsigned i = 0; i < LOAD_ERROR_COUNT; i++)
        line->errors[i] += from->errors[i];
    for (unsigned i = 0; i < LOAD_STATUSES; i++)
        line->statuses[i] += from->statuses[i];
}

static void merge_line(struct load_line_tally *line, const struct load_line_tally *from)
{
    line->good += from->good;
    line->redirects += from->redirects;
    line->bytes += from->bytes;
    add_errors(line, from);
    histogram_merge(&line->latency, &from->latency);
}

void load_tally_merge(struct load_tally *tally, const struct load_tally *from)
{
    for (unsigned i = 0; i < tally->plan->line_count; i++)
        merge_line(&tally->lines[i], &from->lines[i]);
    for (unsigned i = 0; i < tally->interval_count; i++) {
        tally->intervals[i].good += from->intervals[i].good;
        tally->intervals[i].errors += from->intervals[i].errors;
        histogram_merge(&tally->intervals[i].latency, &from->intervals[i].latency);
    }
    histogram_merge(&tally->lag, &from->lag);
    tally->queued += from->queued;
    tally->unsent += from->unsent;
    tally->connects += from->connects;
    if (from->busy_max > tally->busy_max)
        tally->busy_max = from->busy_max;
}

uint64_t load_line_errors(const struct load_line_tally *line)
{
    uint64_t errors = 0;
    for (unsigned i = 0; i < LOAD_ERROR_COUNT; i++)
        errors += line->errors[i];
    return errors;
}

void load_tally_sum(const struct load_tally *tally, enum load_protocol protocol,
                    struct load_line_tally *sum_out)
{
    *sum_out = (struct load_line_tally){0};
    for (unsigned i = 0; i < tally->plan->line_count; i++) {
        enum load_protocol own = tally->plan->lines[i].protocol;
        if (own == protocol || (protocol == LOAD_PROTOCOLS && !load_is_events(own)))
            merge_line(sum_out, &tally->lines[i]);
        else if (protocol == LOAD_PROTOCOLS)
            add_errors(sum_out, &tally->lines[i]);
    }
}

void load_tally_sum_marked(const struct load_tally *tally, const bool *marks, struct load_line_tally *sum_out)
{
    *sum_out = (struct load_line_tally){0};
    for (unsigned i = 0; i < tally->plan->line_count; i++)
        if (marks[i])
            merge_line(sum_out, &tally->lines[i]);
}
