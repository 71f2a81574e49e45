/*
 * The serving process: takes a configuration into service, runs the worker threads, resolves names and obeys
 * signals on the control thread, and ends when it is told to. SIGTERM and SIGQUIT drain, a second one stops
 * at once, SIGUSR1 reopens the access log, SIGHUP loads the configuration again: whole or not at all, and
 * without touching what is under way.
 */
#ifndef PORTICO_PROCESS_SERVER_H
#define PORTICO_PROCESS_SERVER_H

#include "config/snapshot.h"

/* What a server is started with. */
struct server_settings {
    struct snapshot *snapshot; /* a reference is taken */
    /* Loads the configuration again; NULL, having logged every error, when the old one must stay. */
    struct snapshot *(*load)(void *arg, const struct snapshot *in_force);
    void (*ready)(void *arg); /* called once every listener accepts; may be NULL */
    void *arg;
};

/* Serves until told to stop; gives the process's exit code. Errors are logged. */
int server_run(const struct server_settings *settings);

#endif
