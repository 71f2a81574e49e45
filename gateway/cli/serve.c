/*
 * The common part of `run` and `try`, see cli/serve.h.
 */
#include "cli/serve.h"

#include "base/log.h"
#include "cli/cli.h"
#include "cli/modules.h"
#include "config/override.h"
#include "process/server.h"

/* What the server's hooks get. */
struct serving {
    const char *path;
    const struct serve_hooks *hooks;
    struct snapshot *snapshot;
};

static void log_findings(const struct config_findings *findings)
{
    for (const struct config_finding *finding = findings->first; finding; finding = finding->next)
        log_write(finding->is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "config", "%s:%u:%u: %.*s",
                  finding->origin.file, finding->origin.line, finding->origin.column,
                  SLICE_ARGS(finding->text));
}

/* SIGHUP: the same file, whatever it says now. */
static struct snapshot *load_again(void *arg, const struct snapshot *in_force)
{
    const struct serving *serving = arg;
    struct config_findings findings;
    config_findings_init(&findings);
    struct snapshot *snapshot = snapshot_new(serving->path, config_modules, in_force, &findings);
    log_findings(&findings);
    config_findings_fini(&findings);
    const char *unused = config_override_unused();
    if (snapshot && unused)
        log_warn("config", "--override %s: %s has no such address any more", unused, serving->path);
    const struct serve_hooks *hooks = serving->hooks;
    if (snapshot && hooks->arrange && !hooks->arrange(hooks->arg, snapshot->config))
        snapshot_unref(&snapshot);
    return snapshot;
}

static void on_ready(void *arg)
{
    const struct serving *serving = arg;
    if (serving->hooks->ready)
        serving->hooks->ready(serving->hooks->arg, serving->snapshot);
}

static int serve(const char *path, struct snapshot *snapshot, const struct serve_hooks *hooks)
{
    if (hooks->arrange && !hooks->arrange(hooks->arg, snapshot->config))
        return CLI_FAILED;
    struct serving serving = {path, hooks, snapshot};
    struct server_settings settings = {
        .snapshot = snapshot, .load = load_again, .ready = on_ready, .arg = &serving};
    return server_run(&settings);
}

int cli_serve(const char *path, const struct serve_hooks *hooks)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct snapshot *snapshot = snapshot_new(path, config_modules, NULL, &findings);
    cli_print_findings(&findings, stderr);
    config_findings_fini(&findings);
    const char *unused = config_override_unused();
    int code = CLI_FAILED;
    if (snapshot && unused)
        fprintf(stderr, "portico: --override %s: %s has no such address\n", unused, path);
    else if (snapshot)
        code = serve(path, snapshot, hooks);
    snapshot_unref(&snapshot);
    return code;
}
