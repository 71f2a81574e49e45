/*
 * What the commands that serve share: from a file to a serving process.
 */
#ifndef PORTICO_CLI_SERVE_H
#define PORTICO_CLI_SERVE_H

#include "config/snapshot.h"

/* What a command does besides serving; both functions may be NULL. */
struct serve_hooks {
    /* Changes addresses of listeners and servers before anything starts, nothing else; texts belong into the
     * configuration's arena. False, having said why, when there is no point in starting. */
    bool (*arrange)(void *arg, struct config *config);
    void (*ready)(void *arg, const struct snapshot *snapshot); /* every listener accepts */
    void *arg;
};

/* Loads the file and serves from it until told to stop. Findings go to stderr. Gives the exit code. */
int cli_serve(const char *path, const struct serve_hooks *hooks);

#endif
