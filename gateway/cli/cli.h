/*
 * The subcommands of the program: main.c finds the one that argv names in its table and runs it. Each stands
 * in a file of its own in this folder and prints for people: results on stdout, what went wrong on stderr.
 */
#ifndef PORTICO_CLI_CLI_H
#define PORTICO_CLI_CLI_H

#include "config/config.h"

#include <stdio.h>

/* A subcommand. */
struct cli_command {
    const char *name;
    const char *usage;                  /* its arguments: "FILE [--print]" */
    const char *sentence;               /* for the list of commands */
    int (*run)(int argc, char **argv);  /* argv[0] is the name, argv[-1] the program; gives the exit code */
    void (*explain_options)(FILE *out); /* for --help; NULL when `usage` says it all */
};

/* The exit codes: what was asked for failed; it was asked for wrongly. */
enum { CLI_FAILED = 1, CLI_USAGE = 2 };

/* Prints how the command is used, on one line. */
void cli_print_usage(const struct cli_command *command, FILE *out);

/* Says on stderr how the command is used, and before that which word it cannot take, unless NULL; gives
 * CLI_USAGE. */
int cli_usage(const struct cli_command *command, const char *word);

/* Prints findings, "file:line:column: error: ...", one a line, and how many were left out. */
void cli_print_findings(const struct config_findings *findings, FILE *out);

/* The commands, one file each. */
extern const struct cli_command run_command, check_command, explain_command, try_command, reference_command,
    reload_command, stop_command, loadtest_command;

#endif
