/*
 * portico loadtest: asks a gateway for a mix of things, for a while, and says how long the answers took and
 * which were wrong. This file is the order of things; what is asked for is load_plan.c's, how is loadtest/'s.
 */
#include "cli/cli.h"
#include "cli/load_actions.h"
#include "cli/load_options.h"
#include "cli/load_plan.h"
#include "cli/load_trial.h"
#include "config/value.h"
#include "loadtest/report.h"
#include "loadtest/text.h"
#include "process/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PARAMETERS_MAX = 24 };

/* A test from its options to its reports. */
struct test {
    struct load_options options;
    struct load_plan plan;
    struct load_outcome outcome;
    struct load_report report;
    struct load_parameter parameters[PARAMETERS_MAX];
};

/* --- what the reports say about the test --- */

static void add_parameter(struct test *test, const char *name, struct slice value)
{
    if (value.len > 0)
        test->parameters[test->report.parameter_count++] = (struct load_parameter){name, value};
}

static void add_number(struct test *test, const char *name, enum value_kind kind, uint64_t value)
{
    char text[VALUE_TEXT_MAX];
    size_t len = value_print(kind, value, text);
    add_parameter(test, name, slice_of(arena_copy(&test->plan.arena, slice_make(text, len))));
}

static void list_parameters(struct test *test)
{
    const struct load_options *options = &test->options;
    const struct load_rate *rate = &options->rate;
    char address[ADDRESS_TEXT_MAX];
    address_print(&test->plan.address, address);
    add_parameter(test, "target", slice_of(options->url ? options->url : options->config));
    add_parameter(test, "address", slice_of(arena_copy(&test->plan.arena, slice_of(address))));
    add_parameter(test, "gateway", options->trial ? SLICE("of its own, with stand-ins") : SLICE(""));
    add_parameter(test, "mix", options->mix);
    add_parameter(test, "loop", rate->count ? SLICE("open") : SLICE("closed"));
    if (rate->count)
        add_parameter(test, "rate",
                      arena_printf(&test->plan.arena, "%llu/%s", (unsigned long long)rate->count,
                                   rate->window_us == SECONDS(1)   ? "s"
                                   : rate->window_us == MINUTES(1) ? "m"
                                                                   : "h"));
    add_number(test, "connections", VALUE_COUNT, options->connections);
    add_number(test, "streams", VALUE_COUNT, options->streams);
    add_number(test, "threads", VALUE_COUNT, options->threads);
    add_number(test, "warmup", VALUE_DURATION, options->warmup_us);
    add_number(test, "duration", VALUE_DURATION, options->duration_us);
    add_number(test, "timeout", VALUE_DURATION, options->timeout_us);
    if (test->plan.has_websockets)
        add_number(test, "message", VALUE_SIZE, options->message_bytes);
    add_parameter(test, "method", options->method);
    if (options->body_bytes)
        add_number(test, "body", VALUE_SIZE, options->body_bytes);
    add_parameter(test, "expect", options->expect);
    if (options->reload_every_us)
        add_number(test, "reload-every", VALUE_DURATION, options->reload_every_us);
    add_parameter(test, "kill-upstream", options->kill_upstream);
    add_parameter(test, "fail-if", options->fail_if);
    add_parameter(test, "certificate", options->insecure ? SLICE("not checked") : SLICE(""));
    test->report.parameters = test->parameters;
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

static bool write_report(const struct test *test, const char *path,
                         void (*write)(const struct load_report *report, FILE *out))
{
    if (path == NULL)
        return true;
    bool is_stdout = strcmp(path, "-") == 0;
    FILE *out = is_stdout ? stdout : fopen(path, "w");
    if (out)
        write(&test->report, out);
    bool good = out && fflush(out) == 0 && !ferror(out);
    int error = errno;
    if (out && !is_stdout)
        good = fclose(out) == 0 && good;
    if (!good)
        fprintf(stderr, "portico: %s: %s\n", path, strerror(error));
    return good;
}

/* Whether it will be possible to write a report; known before the test, not behind an hour of it. Leaves
 * everything as it was. */
static bool is_writable(const char *path)
{
    if (path == NULL || strcmp(path, "-") == 0)
        return true;
    int flags = O_WRONLY | O_CLOEXEC | O_NONBLOCK, fd = open(path, flags);
    bool is_missing = fd < 0 && errno == ENOENT;
    if (is_missing)
        fd = open(path, flags | O_CREAT | O_EXCL, 0666);
    bool good = fd >= 0 || errno == ENXIO; /* a FIFO whose reader comes later */
    if (!good)
        fprintf(stderr, "portico: %s: %s\n", path, strerror(errno));
    if (is_missing && good)
        unlink(path);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool report(struct test *test)
{
    const struct load_options *options = &test->options;
    bool json_on_stdout = options->json && strcmp(options->json, "-") == 0;
    report_text(&test->report, json_on_stdout ? stderr : stdout);
    fflush(stdout);
    bool good = write_report(test, options->json, report_json);
    good = write_report(test, options->html, report_html) && good;
    return report_broken(&test->report, stderr) == 0 && good;
}

/* --- the command --- */

static bool read_thresholds(struct test *test)
{
    struct mix_error error;
    struct threshold *thresholds;
    if (test->options.fail_if.len == 0)
        return true;
    if (!thresholds_parse(test->options.fail_if, &test->plan, &thresholds, &test->report.threshold_count,
                          &error)) {
        fprintf(stderr, "portico: --fail-if, at character %u: %.*s\n", error.column,
                SLICE_ARGS(error.sentence));
        return false;
    }
    test->report.thresholds = thresholds;
    return true;
}

/* The test itself, with a gateway that serves. */
static bool measure(struct test *test, struct load_trial *trial)
{
    struct load_actions actions;
    bool good = load_actions_make(&actions, &test->options, trial) && load_plan_probe(&test->plan);
    if (good) {
        struct load_run run = {&test->plan, actions.at, actions.count, tell, NULL};
        list_parameters(test);
        load_run(&run, &test->outcome);
        end_progress();
        good = report(test);
        load_outcome_fini(&test->outcome);
    }
    load_actions_fini(&actions);
    return good;
}

static bool prepare(struct test *test, struct load_routes *routes)
{
    const struct load_options *options = &test->options;
    if (!is_writable(options->json) || !is_writable(options->html))
        return false;
    bool is_open = options->config == NULL || load_routes_open(routes, options);
    return is_open && load_plan_make(options, options->config ? routes : NULL, &test->plan) &&
           read_thresholds(test);
}

static int run_test(struct test *test, char **argv)
{
    struct load_routes routes = {.snapshot = NULL};
    struct load_trial *trial = NULL;
    int code = prepare(test, &routes) ? 0 : CLI_USAGE;
    if (code == 0 && test->options.trial)
        trial = load_trial_start(test->options.config, routes.snapshot->config, argv);
    bool is_started = code == 0 && (trial != NULL || !test->options.trial);
    bool good = is_started && measure(test, trial);
    good = load_trial_stop(&trial) && good;
    load_plan_fini(&test->plan);
    load_routes_close(&routes);
    return code ? code : good ? 0 : CLI_FAILED;
}

static int run(int argc, char **argv)
{
    static struct test test;
    if (!load_options_read(argc, argv, &test.options))
        return CLI_USAGE;
    test.report = (struct load_report){.plan = &test.plan, .outcome = &test.outcome};
    limits_raise();
    return run_test(&test, argv - 1);
}

const struct cli_command loadtest_command = {
    .name = "loadtest",
    .usage = "URL | --config FILE [--try] [OPTION]...",
    .sentence =
        "ask a gateway for a mix of things and measure the answers; loadtest --help lists the options",
    .run = run,
    .explain_options = load_options_explain,
};
