/*
 * portico check: compiles a configuration as `run` would, says everything that is wrong or doubtful, and with
 * --print what takes effect. Starts nothing, resolves nothing.
 */
#include "cli/cli.h"
#include "cli/modules.h"
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

static int check(const char *path, bool print)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct snapshot *snapshot = snapshot_new(path, config_modules, NULL, &findings);
    cli_print_findings(&findings, stderr);
    if (snapshot && print)
        config_print(snapshot->config, stdout);
    else if (snapshot)
        print_summary(path, snapshot->config, findings.warnings);
    int code = snapshot ? 0 : CLI_FAILED;
    snapshot_unref(&snapshot);
    config_findings_fini(&findings);
    return code;
}

static int run(int argc, char **argv)
{
    const char *path = NULL;
    bool print = false;
    for (int i = 1; i < argc; i++) {
        bool is_flag = argv[i][0] == '-';
        if (strcmp(argv[i], "--print") == 0)
            print = true;
        else if (is_flag || path)
            return cli_usage(&check_command);
        else
            path = argv[i];
    }
    return path ? check(path, print) : cli_usage(&check_command);
}

const struct cli_command check_command = {
    .name = "check",
    .usage = "FILE [--print]",
    .sentence = "compile a configuration and say everything that is wrong with it",
    .run = run,
};
