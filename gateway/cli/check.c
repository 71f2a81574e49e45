/*
 * portico check: compiles a configuration as `run` would, says everything that is wrong or doubtful, and with
 * --print what takes effect. Starts nothing, resolves nothing; with --live it asks the gateway that serves
 * it.
 */
#include "cli/cli.h"
#include "cli/live.h"
#include "cli/modules.h"
#include "config/diff.h"
#include "config/print.h"

static unsigned count_routes(const struct config *config)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < config->site_count; i++)
        count += config->sites[i].route_count;
    return count;
}

static const char *plural(unsigned count)
{
    return count == 1 ? "" : "s";
}

static void print_summary(const char *path, const struct config *config, unsigned warnings)
{
    unsigned routes = count_routes(config);
    printf("%s: ok, %u site%s, %u route%s, %u upstream%s", path, config->site_count,
           plural(config->site_count), routes, plural(routes), config->upstream_count,
           plural(config->upstream_count));
    if (warnings > 0)
        printf(", %u warning%s", warnings, plural(warnings));
    printf("\n");
}

/* What is asked. */
struct question {
    const char *path;
    const char *against; /* an older file, or NULL */
    bool print;
    bool live;
};

/* On one line, whatever the values hold. */
static void print_difference(void *arg, struct slice sentence, bool needs_restart)
{
    (void)arg;
    for (size_t i = 0; i < sentence.len; i++) {
        unsigned char c = (unsigned char)sentence.at[i];
        printf(c < 0x20 || c == 0x7f ? "\\x%02x" : "%c", c);
    }
    puts(needs_restart ? " (needs a restart)" : "");
}

/* The older file may be wrong in ways that do not matter any more; only its errors count. */
static int compare(const struct config *config, const char *path)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *before = config_load(path, &findings);
    if (before && config_diff(before, config, print_difference, NULL) == 0)
        printf("no difference\n");
    if (!before)
        cli_print_findings(&findings, stderr);
    config_findings_fini(&findings);
    int code = before ? 0 : CLI_FAILED;
    config_free(&before);
    return code;
}

static int check(const struct question *question)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct snapshot *snapshot = snapshot_new(question->path, config_modules, NULL, &findings);
    cli_print_findings(&findings, stderr);
    int code = snapshot ? 0 : CLI_FAILED;
    if (snapshot && question->print)
        config_print(snapshot->config, stdout);
    else if (snapshot && question->live)
        code = live_check(snapshot->config) ? 0 : CLI_FAILED;
    else if (snapshot && question->against)
        code = compare(snapshot->config, question->against);
    else if (snapshot)
        print_summary(question->path, snapshot->config, findings.warnings);
    snapshot_unref(&snapshot);
    config_findings_fini(&findings);
    return code;
}

static int run(int argc, char **argv)
{
    struct question question = {.path = NULL};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0)
            question.print = true;
        else if (strcmp(argv[i], "--live") == 0)
            question.live = true;
        else if (strcmp(argv[i], "--against") == 0 && i + 1 < argc)
            question.against = argv[++i];
        else if (argv[i][0] == '-' || question.path)
            return cli_usage(&check_command, strcmp(argv[i], "--against") == 0 ? NULL : argv[i]);
        else
            question.path = argv[i];
    }
    int asked = question.print + question.live + (question.against != NULL);
    return question.path && asked <= 1 ? check(&question) : cli_usage(&check_command, NULL);
}

const struct cli_command check_command = {
    .name = "check",
    .usage = "FILE [--print | --against OLD | --live]",
    .sentence = "compile a configuration and say everything that is wrong with it, what differs from "
                "another, or whether a gateway serves it now",
    .run = run,
};
