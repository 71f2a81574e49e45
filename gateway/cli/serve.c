/*
 * The common part of `run` and `try`, see cli/serve.h.
 */
#include "cli/serve.h"

#include "base/log.h"
#include "cli/cli.h"
#include "cli/modules.h"
#include "config/override.h"
#include "process/solo.h"
#include "process/supervisor.h"
#include "process/worker.h"

/* What loading needs. */
struct serving {
    const char *path;
    const struct serve_hooks *hooks;
    bool is_worker; /* whatever is wrong, the supervisor has said it */
};

/* At the start to people, later to the log. */
static void tell_findings(const struct serving *serving, const struct config_findings *findings,
                          bool at_start)
{
    if (at_start && !serving->is_worker)
        cli_print_findings(findings, stderr);
    else if (!serving->is_worker || findings->errors > 0)
        config_findings_log(findings);
}

/* An override that has no address is a mistake at the start; later the file may have changed. */
static bool tell_unused_override(const struct serving *serving, bool at_start)
{
    const char *unused = config_override_unused();
    if (unused == NULL || serving->is_worker)
        return true;
    if (at_start)
        fprintf(stderr, "portico: --override %s: %s has no such address\n", unused, serving->path);
    else
        log_warn("config", "--override %s: %s has no such address any more", unused, serving->path);
    return !at_start;
}

static struct snapshot *load(void *arg, const struct snapshot *in_force)
{
    const struct serving *serving = arg;
    const struct serve_hooks *hooks = serving->hooks;
    struct config_findings findings;
    config_findings_init(&findings);
    struct snapshot *snapshot = snapshot_new(serving->path, config_modules, in_force, &findings);
    tell_findings(serving, &findings, in_force == NULL);
    config_findings_fini(&findings);
    bool good = snapshot && tell_unused_override(serving, in_force == NULL);
    if (good && hooks->arrange)
        good = hooks->arrange(hooks->arg, snapshot);
    if (!good)
        snapshot_unref(&snapshot);
    return snapshot;
}

int cli_serve(const char *path, const struct serve_hooks *hooks, char **argv)
{
    int link = worker_link();
    struct serving serving = {.path = path, .hooks = hooks, .is_worker = link >= 0};
    struct generation_source source = {.load = load, .arg = &serving};
    if (hooks->ready)
        return solo_run(&source, hooks->ready, hooks->arg);
    return serving.is_worker ? worker_run(link, &source) : supervisor_run(&source, argv);
}
