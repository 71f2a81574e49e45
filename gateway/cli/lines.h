/*
 * The lines that `try` prints to be pasted into a shell, derived from the configuration in force: a curl for
 * each route, one that shows HTTP/2, one for the redirect to https, one for events, one WebSocket. Each has
 * been checked with the router: what a line says is where it leads.
 */
#ifndef PORTICO_CLI_LINES_H
#define PORTICO_CLI_LINES_H

#include "config/snapshot.h"

#include <stdio.h>

/* Prints the lines. */
void lines_print(const struct snapshot *snapshot, FILE *out);

#endif
