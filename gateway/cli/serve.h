/*
 * What the commands that serve share: from a file to a serving process.
 */
#ifndef PORTICO_CLI_SERVE_H
#define PORTICO_CLI_SERVE_H

#include "config/snapshot.h"

/* What a command does besides serving; all NULL: nothing. */
struct serve_hooks {
    /* Changes addresses of listeners and servers, and where requests are logged, before anything starts;
     * texts belong into the configuration's arena. False, having said why, when there is no point in
     * starting. Called again for every configuration that is loaded later, which may still be refused. */
    bool (*arrange)(void *arg, struct snapshot *snapshot);
    /* Every listener accepts. A command that waits for it serves in its own process, without a supervisor. */
    void (*ready)(void *arg, const struct snapshot *snapshot);
    void *arg;
};

/* Loads the file and serves from it until told to stop. `argv` is the whole command line, the program first;
 * a worker is started with it. Findings go to stderr. Gives the exit code. */
int cli_serve(const char *path, const struct serve_hooks *hooks, char **argv);

#endif
