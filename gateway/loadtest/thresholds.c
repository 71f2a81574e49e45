/*
 * The reading and the judging of loadtest/thresholds.h. Called by the command; what a kind of error is called
 * stands in tables/load_errors.def.
 */
#include "loadtest/thresholds.h"

#include "config/value.h"
#include "loadtest/text.h"

#include <stdio.h>
#include <stdlib.h>

enum { THRESHOLDS_MAX = 32, NAMED_MAX = 10 };

/* Where the reading stands. */
struct reading {
    struct slice text;
    struct load_plan *plan;
    struct arena *arena;
    struct mix_error *error;
};

static bool refuse(struct reading *reading, struct slice at, struct slice sentence)
{
    *reading->error = (struct mix_error){(unsigned)(at.at - reading->text.at) + 1, sentence};
    return false;
}

/* "p99", "p99.9": digits, then maybe a point and digits, below 100. */
static bool take_percentile(struct slice name, double *share_out)
{
    char digits[8], *end;
    if (name.len < 2 || name.len > sizeof digits || name.at[0] != 'p' || name.at[1] < '0' || name.at[1] > '9')
        return false;
    memcpy(digits, name.at + 1, name.len - 1);
    digits[name.len - 1] = '\0';
    *share_out = strtod(digits, &end) / 100;
    return *end == '\0' && *share_out > 0 && *share_out < 1 && strspn(digits, "0123456789.") == name.len - 1;
}

static bool take_error(struct slice name, enum load_error *error_out)
{
    for (enum load_error error = 0; error < LOAD_ERROR_COUNT; error++)
        if (slice_equal(name, slice_of(load_error_row(error)->name))) {
            *error_out = error;
            return true;
        }
    return false;
}

static bool take_metric(struct reading *reading, struct slice name, struct threshold *threshold)
{
    threshold->error = LOAD_ERROR_COUNT;
    threshold->metric = THRESHOLD_PERCENTILE;
    threshold->share = 1;
    if (slice_equal(name, SLICE("max")) || take_percentile(name, &threshold->share))
        return true;
    threshold->metric = THRESHOLD_ERRORS;
    if (slice_equal(name, SLICE("errors")) || take_error(name, &threshold->error))
        return true;
    threshold->metric = slice_equal(name, SLICE("mean"))   ? THRESHOLD_MEAN
                        : slice_equal(name, SLICE("rate")) ? THRESHOLD_RATE
                                                           : THRESHOLD_REQUESTS;
    return threshold->metric != THRESHOLD_REQUESTS || slice_equal(name, SLICE("requests")) ||
           refuse(reading, name,
                  arena_printf(
                      reading->arena,
                      "nothing is called \"%.*s\"; there are p50 and any other percentile, max, mean, "
                      "rate, requests, errors, and of these connect, tls, timeout, reset, protocol, 4xx, "
                      "5xx, content, lost",
                      SLICE_ARGS(name)));
}

static bool take_duration(struct slice text, double *limit_out)
{
    uint64_t value;
    bool is_us = text.len > 2 && slice_equal(slice_after(text, text.len - 2), SLICE("us"));
    enum value_kind kind = is_us ? VALUE_COUNT : VALUE_DURATION;
    if (value_parse(kind, slice_make(text.at, text.len - (is_us ? 2 : 0)), &value) != VALUE_OK)
        return false;
    *limit_out = (double)value;
    return true;
}

static bool take_number(struct slice text, struct threshold *threshold)
{
    uint64_t value;
    threshold->is_percent =
        threshold->metric == THRESHOLD_ERRORS && text.len > 0 && text.at[text.len - 1] == '%';
    text.len -= threshold->is_percent;
    if (value_parse(VALUE_COUNT, text, &value) != VALUE_OK)
        return false;
    threshold->limit = (double)value;
    return true;
}

static bool take_rate(struct slice text, double *limit_out)
{
    struct load_rate rate;
    if (!load_rate_parse(text, &rate))
        return false;
    *limit_out = (double)rate.count * 1e6 / (double)rate.window_us;
    return true;
}

static bool take_limit(struct reading *reading, struct slice text, struct threshold *threshold)
{
    const char *wanted = "a number";
    bool good = false;
    switch (threshold->metric) {
    case THRESHOLD_PERCENTILE:
    case THRESHOLD_MEAN:
        wanted = "a time with its unit, 50ms or 800us";
        good = take_duration(text, &threshold->limit);
        break;
    case THRESHOLD_RATE:
        wanted = "a rate, 500/s";
        good = take_rate(text, &threshold->limit);
        break;
    case THRESHOLD_ERRORS:
        wanted = "a number or a share, 0 or 1%";
        good = take_number(text, threshold);
        break;
    default: good = take_number(text, threshold);
    }
    return good || refuse(reading, text,
                          arena_printf(reading->arena, "\"%.*s\" is not %s", SLICE_ARGS(text), wanted));
}

/* --- whom it is about --- */

/* "/api", or "ws:/chat" where more than one protocol asks for it. */
static bool is_called(const struct load_line *line, struct slice name)
{
    struct slice protocol = slice_of(load_protocol_name(line->protocol));
    if (slice_equal(name, line->name))
        return true;
    return slice_starts_with(name, protocol) && name.len > protocol.len && name.at[protocol.len] == ':' &&
           slice_equal(slice_after(name, protocol.len + 1), line->name);
}

static bool refuse_line(struct reading *reading, struct slice name)
{
    const struct load_plan *plan = reading->plan;
    struct slice names = {.at = NULL};
    for (unsigned i = 0; i < plan->line_count && i < NAMED_MAX; i++)
        names = arena_printf(reading->arena, "%.*s%s%s:%.*s", SLICE_ARGS(names), i ? ", " : "",
                             load_protocol_name(plan->lines[i].protocol), SLICE_ARGS(plan->lines[i].name));
    return refuse(reading, name,
                  arena_printf(reading->arena,
                               "\"%.*s\" is not asked for; write one of these before the colon, with or "
                               "without its protocol: %.*s%s",
                               SLICE_ARGS(name), SLICE_ARGS(names),
                               plan->line_count > NAMED_MAX ? " and so on, as the report names them" : ""));
}

static bool take_line(struct reading *reading, struct slice name, struct threshold *threshold)
{
    const struct load_plan *plan = reading->plan;
    bool *lines = arena_zalloc(reading->arena, plan->line_count * sizeof *lines), found = false;
    for (unsigned i = 0; i < plan->line_count; i++)
        found |= lines[i] = is_called(&plan->lines[i], name);
    threshold->lines = lines;
    return found || refuse_line(reading, name);
}

/* [LINE:]NAME>LIMIT. What is asked for may hold colons and angles, a limit holds none. */
static bool take(struct reading *reading, struct slice text, struct threshold *threshold)
{
    size_t angle = text.len;
    while (angle > 0 && text.at[angle - 1] != '<' && text.at[angle - 1] != '>')
        angle--;
    if (angle-- == 0)
        return refuse(reading, text,
                      arena_printf(reading->arena,
                                   "\"%.*s\" compares nothing; write NAME>LIMIT, such as p99>50ms, or "
                                   "'/PATH: NAME>LIMIT'",
                                   SLICE_ARGS(text)));
    struct slice name = slice_make(text.at, angle), limit = slice_after(text, angle + 1);
    const char *colon = angle > 0 ? memrchr(text.at, ':', angle) : NULL;
    *threshold = (struct threshold){.text = text, .greater = text.at[angle] == '>'};
    threshold->equal = slice_starts_with(limit, SLICE("="));
    if (colon && !take_line(reading, slice_trim(slice_make(text.at, (size_t)(colon - text.at))), threshold))
        return false;
    if (colon)
        name = slice_after(name, (size_t)(colon - text.at) + 1);
    return take_metric(reading, slice_trim(name), threshold) &&
           take_limit(reading, slice_trim(slice_after(limit, threshold->equal)), threshold);
}

bool thresholds_parse(struct slice text, struct load_plan *plan, struct threshold **thresholds_out,
                      unsigned *count_out, struct mix_error *error_out)
{
    struct arena *arena = &plan->arena;
    struct reading reading = {text, plan, arena, error_out};
    struct threshold *thresholds = arena_alloc(arena, THRESHOLDS_MAX * sizeof *thresholds);
    unsigned count = 0;
    struct slice rest = text, element;
    while (slice_next_element(&rest, &element)) {
        if (count == THRESHOLDS_MAX)
            return refuse(&reading, element, arena_printf(arena, "more than %d comparisons", THRESHOLDS_MAX));
        if (!take(&reading, element, &thresholds[count++]))
            return false;
    }
    *thresholds_out = thresholds;
    *count_out = count;
    return true;
}

/* --- judging --- */

static double value_of(const struct threshold *threshold, const struct load_line_tally *sum,
                       uint64_t measured_us)
{
    const struct histogram *latency = &sum->latency;
    uint64_t all_errors = load_line_errors(sum);
    uint64_t errors = threshold->error == LOAD_ERROR_COUNT ? all_errors : sum->errors[threshold->error];
    switch (threshold->metric) {
    case THRESHOLD_PERCENTILE: return (double)histogram_percentile(latency, threshold->share);
    case THRESHOLD_MEAN: return latency->count ? (double)latency->sum_us / (double)latency->count : 0;
    case THRESHOLD_RATE: return (double)sum->good * 1e6 / (double)measured_us;
    case THRESHOLD_REQUESTS: return (double)sum->good;
    default: break;
    }
    if (!threshold->is_percent || errors == 0)
        return (double)errors;
    return 100 * (double)errors / (double)(sum->good + all_errors);
}

static void describe(const struct threshold *threshold, double value,
                     char sentence_out[THRESHOLD_SENTENCE_MAX])
{
    char said[LOAD_TEXT_MAX + 32];
    switch (threshold->metric) {
    case THRESHOLD_PERCENTILE:
    case THRESHOLD_MEAN: snprintf(said, sizeof said, "%s", load_text_duration((uint64_t)value).at); break;
    case THRESHOLD_RATE: snprintf(said, sizeof said, "%s/s", load_text_rate(value).at); break;
    default:
        if (threshold->is_percent)
            snprintf(said, sizeof said, "%.2f%%", value);
        else
            snprintf(said, sizeof said, "%s", load_text_count((uint64_t)value).at);
    }
    snprintf(sentence_out, THRESHOLD_SENTENCE_MAX, "%.*s: it was %s", SLICE_ARGS(threshold->text), said);
}

bool threshold_is_broken(const struct threshold *threshold, const struct load_tally *tally,
                         char sentence_out[THRESHOLD_SENTENCE_MAX])
{
    struct load_line_tally sum;
    if (threshold->lines)
        load_tally_sum_marked(tally, threshold->lines, &sum);
    else
        load_tally_sum(tally, LOAD_PROTOCOLS, &sum);
    double value = value_of(threshold, &sum, tally->measured_us), limit = threshold->limit;
    bool holds = threshold->greater ? value > limit : value < limit;
    bool is_time = threshold->metric == THRESHOLD_PERCENTILE || threshold->metric == THRESHOLD_MEAN;
    holds = holds || (threshold->equal && !(value > limit) && !(value < limit));
    if (is_time && sum.latency.count == 0) {
        snprintf(sentence_out, THRESHOLD_SENTENCE_MAX, "%.*s: no request was answered",
                 SLICE_ARGS(threshold->text));
        return true;
    }
    if (holds)
        describe(threshold, value, sentence_out);
    return holds;
}
