/*
 * portico reload: the gateway that serves a configuration loads it again. What comes of it stands in the log
 * of the gateway.
 */
#include "cli/cli.h"
#include "cli/modules.h"
#include "cli/running.h"

#include <signal.h>
#include <unistd.h>

/* Whether the gateway would take it, as far as that can be seen from outside: ports and names are its own. */
static bool is_good(const char *path)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct snapshot *snapshot = snapshot_new(path, config_modules, NULL, &findings);
    bool good = snapshot != NULL;
    cli_print_findings(&findings, stderr);
    snapshot_unref(&snapshot);
    config_findings_fini(&findings);
    return good;
}

static int run(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-')
        return cli_usage(&reload_command, argc == 1 ? NULL : argv[argc == 2 || argv[1][0] == '-' ? 1 : 2]);
    int handle = is_good(argv[1]) ? running_find(argv[1]) : -1;
    bool sent = handle >= 0 && running_signal(handle, SIGHUP);
    if (handle >= 0)
        close(handle);
    return sent ? 0 : CLI_FAILED;
}

const struct cli_command reload_command = {
    .name = "reload",
    .usage = "FILE",
    .sentence = "check a configuration and have the gateway that serves it (process.pidfile) load it again",
    .run = run,
};
