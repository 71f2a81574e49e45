/*
 * From argv to a subcommand: the first argument names a row of the table, the rest is the command's. Knows
 * nothing of configurations and requests.
 */
#include "cli/cli.h"

#include <string.h>

#ifndef PORTICO_VERSION
#define PORTICO_VERSION "0.1.0"
#endif

static int run_help(int argc, char **argv);

static int run_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("portico " PORTICO_VERSION);
    return 0;
}

static const struct cli_command help_command = {"help", "", "print this list", run_help};
static const struct cli_command version_command = {"version", "", "print the version", run_version};

static const struct cli_command *const commands[] = {
    &run_command,  &check_command,    &explain_command,   &try_command,     &reload_command,
    &stop_command, &loadtest_command, &reference_command, &version_command, &help_command,
    NULL,
};

static void print_command(const struct cli_command *command, FILE *out)
{
    fprintf(out, "  portico %s%s%s\n      %s\n", command->name, command->usage[0] ? " " : "", command->usage,
            command->sentence);
}

static void print_help(FILE *out)
{
    fputs("portico: a reverse-proxy gateway\n\n", out);
    for (unsigned i = 0; commands[i]; i++)
        print_command(commands[i], out);
}

static int run_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    print_help(stdout);
    return 0;
}

/* The row of a command; the usual spellings of help and version are commands too. */
static const struct cli_command *find_command(const char *name)
{
    if (name[0] == '-')
        name = strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0 ? "version"
               : strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0  ? "help"
                                                                         : name;
    for (unsigned i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct cli_command *command = argc > 1 ? find_command(argv[1]) : NULL;
    if (command)
        return command->run(argc - 1, argv + 1);
    if (argc > 1)
        fprintf(stderr, "portico: no command is called \"%s\"\n\n", argv[1]);
    print_help(stderr);
    return CLI_USAGE;
}
