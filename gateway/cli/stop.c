/*
 * portico stop: the gateway that serves a configuration finishes what is under way and ends; with --now it
 * does not finish.
 */
#include "cli/cli.h"
#include "cli/running.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { STOP_WAIT_MS = 24 * 60 * 60 * 1000 };

static bool stop(int handle, bool now)
{
    if (!running_signal(handle, SIGTERM) || (now && !running_signal(handle, SIGINT)))
        return false;
    return running_wait(handle, STOP_WAIT_MS);
}

static int run(int argc, char **argv)
{
    const char *path = NULL;
    bool now = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--now") == 0)
            now = true;
        else if (argv[i][0] == '-' || path)
            return cli_usage(&stop_command, argv[i]);
        else
            path = argv[i];
    }
    if (path == NULL)
        return cli_usage(&stop_command, NULL);
    int handle = running_find(path);
    bool stopped = handle >= 0 && stop(handle, now);
    if (handle >= 0)
        close(handle);
    return stopped ? 0 : CLI_FAILED;
}

const struct cli_command stop_command = {
    .name = "stop",
    .usage = "FILE [--now]",
    .sentence = "stop the gateway that serves a configuration (process.pidfile) and wait for its end",
    .run = run,
};
