/*
 * portico reload: the gateway that serves a configuration loads it again. What comes of it stands in the log
 * of the gateway.
 */
#include "cli/cli.h"
#include "cli/running.h"

#include <signal.h>
#include <unistd.h>

static int run(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] == '-')
        return cli_usage(&reload_command, argc == 1 ? NULL : argv[argc == 2 || argv[1][0] == '-' ? 1 : 2]);
    int handle = running_find(argv[1]);
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
