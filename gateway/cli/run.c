/*
 * portico run: serves a configuration in the foreground until it is told to stop.
 */
#include "cli/cli.h"
#include "cli/serve.h"
#include "config/override.h"

static int run(int argc, char **argv)
{
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--override") == 0) {
            if (++i == argc || !config_override_add(argv[i]))
                return cli_usage(&run_command, NULL);
        } else if (argv[i][0] == '-' || path) {
            return cli_usage(&run_command, argv[i]);
        } else {
            path = argv[i];
        }
    }
    return path ? cli_serve(path, &(struct serve_hooks){0}, argv - 1) : cli_usage(&run_command, NULL);
}

const struct cli_command run_command = {
    .name = "run",
    .usage = "FILE [--override OLD=NEW]...",
    .sentence = "serve; SIGTERM drains and stops, SIGHUP reloads, SIGUSR1 reopens the access log, "
                "SIGUSR2 upgrades the program",
    .run = run,
};
