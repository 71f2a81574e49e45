/*
 * portico loadtest: asks a gateway for a mix of things, for a while, and says how long the answers took and
 * which were wrong. This file is the order of things; what is asked for is load_plan.c's, how is loadtest/'s.
 */
#include "cli/cli.h"
#include "cli/load_options.h"
#include "cli/load_plan.h"
#include "config/value.h"
#include "loadtest/report.h"
#include "loadtest/text.h"
#include "process/limits.h"

#include <errno.h>
#include <unistd.h>

enum { PARAMETERS_MAX = 24 };

/* A test from its options to its reports. */
struct trial_by_load {
    struct load_options options;
    struct load_plan plan;
    struct load_outcome outcome;
    struct load_report report;
    struct load_parameter parameters[PARAMETERS_MAX];
};

/* --- what the reports say about the test --- */

static void add_parameter(struct trial_by_load *trial, const char *name, struct slice value)
{
    if (value.len > 0)
        trial->parameters[trial->report.parameter_count++] = (struct load_parameter){name, value};
}

static void add_number(struct trial_by_load *trial, const char *name, enum value_kind kind, uint64_t value)
{
    char text[VALUE_TEXT_MAX];
    size_t len = value_print(kind, value, text);
    add_parameter(trial, name, slice_of(arena_copy(&trial->plan.arena, slice_make(text, len))));
}

static void list_parameters(struct trial_by_load *trial)
{
    const struct load_options *options = &trial->options;
    const struct load_rate *rate = &options->rate;
    char address[ADDRESS_TEXT_MAX];
    address_print(&trial->plan.address, address);
    add_parameter(trial, "target", slice_of(options->url ? options->url : options->config));
    add_parameter(trial, "address", slice_of(arena_copy(&trial->plan.arena, slice_of(address))));
    add_parameter(trial, "mix", options->mix);
    add_parameter(trial, "loop", rate->count ? SLICE("open") : SLICE("closed"));
    if (rate->count)
        add_parameter(trial, "rate",
                      arena_printf(&trial->plan.arena, "%llu/%s", (unsigned long long)rate->count,
                                   rate->window_us == SECONDS(1)   ? "s"
                                   : rate->window_us == MINUTES(1) ? "m"
                                                                   : "h"));
    add_number(trial, "connections", VALUE_COUNT, options->connections);
    add_number(trial, "streams", VALUE_COUNT, options->streams);
    add_number(trial, "threads", VALUE_COUNT, options->threads);
    add_number(trial, "warmup", VALUE_DURATION, options->warmup_us);
    add_number(trial, "duration", VALUE_DURATION, options->duration_us);
    add_number(trial, "timeout", VALUE_DURATION, options->timeout_us);
    if (trial->plan.has_websockets)
        add_number(trial, "message", VALUE_SIZE, options->message_bytes);
    add_parameter(trial, "expect", options->expect);
    add_parameter(trial, "fail-if", options->fail_if);
    add_parameter(trial, "certificate", options->insecure ? SLICE("not checked") : SLICE(""));
    trial->report.parameters = trial->parameters;
}

/* --- progress --- */

/* On a terminal one line that is written again and again; elsewhere a line each time. */
static void tell(void *arg, const struct load_progress *progress)
{
    (void)arg;
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    fprintf(stderr, "%s%s/%s%s  %s/s  %s good  %s errors%s", is_terminal ? "\r\033[K" : "",
            load_text_duration(progress->elapsed_us).at, load_text_duration(progress->whole_us).at,
            progress->warming_up ? " warming up" : "", load_text_rate(progress->good_per_s).at,
            load_text_count(progress->good).at, load_text_count(progress->errors).at,
            is_terminal ? "" : "\n");
}

static void end_progress(void)
{
    if (isatty(STDERR_FILENO) == 1)
        fputs("\r\033[K", stderr);
}

/* --- reports --- */

static bool write_report(const struct trial_by_load *trial, const char *path,
                         void (*write)(const struct load_report *report, FILE *out))
{
    if (path == NULL)
        return true;
    bool is_stdout = strcmp(path, "-") == 0;
    FILE *out = is_stdout ? stdout : fopen(path, "w");
    if (out)
        write(&trial->report, out);
    bool good = out && fflush(out) == 0 && !ferror(out);
    int error = errno;
    if (out && !is_stdout)
        good = fclose(out) == 0 && good;
    if (!good)
        fprintf(stderr, "portico: %s: %s\n", path, strerror(error));
    return good;
}

static bool report(struct trial_by_load *trial)
{
    const struct load_options *options = &trial->options;
    bool json_on_stdout = options->json && strcmp(options->json, "-") == 0;
    report_text(&trial->report, json_on_stdout ? stderr : stdout);
    fflush(stdout);
    bool good = write_report(trial, options->json, report_json);
    return report_broken(&trial->report, stderr) == 0 && good;
}

/* --- the command --- */

static bool read_thresholds(struct trial_by_load *trial)
{
    struct mix_error error;
    struct threshold *thresholds;
    if (trial->options.fail_if.len == 0)
        return true;
    if (!thresholds_parse(trial->options.fail_if, &trial->plan.arena, &thresholds,
                          &trial->report.threshold_count, &error)) {
        fprintf(stderr, "portico: --fail-if, at character %u: %.*s\n", error.column,
                SLICE_ARGS(error.sentence));
        return false;
    }
    trial->report.thresholds = thresholds;
    return true;
}

static int test(struct trial_by_load *trial)
{
    struct load_run run = {.plan = &trial->plan, .tell = tell};
    if (!load_plan_probe(&trial->plan))
        return CLI_FAILED;
    list_parameters(trial);
    load_run(&run, &trial->outcome);
    end_progress();
    bool good = report(trial);
    load_outcome_fini(&trial->outcome);
    return good ? 0 : CLI_FAILED;
}

static int run(int argc, char **argv)
{
    static struct trial_by_load trial;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        load_options_explain(stdout);
        return 0;
    }
    if (!load_options_read(argc, argv, &trial.options))
        return CLI_USAGE;
    trial.report = (struct load_report){.plan = &trial.plan, .outcome = &trial.outcome};
    limits_raise();
    bool is_made = load_plan_make(&trial.options, &trial.plan) && read_thresholds(&trial);
    int code = is_made ? test(&trial) : CLI_USAGE;
    load_plan_fini(&trial.plan);
    return code;
}

const struct cli_command loadtest_command = {
    .name = "loadtest",
    .usage = "URL | --config FILE [--try] [OPTION]...",
    .sentence =
        "ask a gateway for a mix of things and measure the answers; loadtest --help lists the options",
    .run = run,
};
