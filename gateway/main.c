/*
 * From argv to a subcommand: the first argument names a row of the table, the rest is the command's. Knows
 * nothing of configurations and requests.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#ifndef PORTICO_VERSION
#define PORTICO_VERSION "0.1.0"
#endif

static int run_help(int argc, char **argv);
static int run_version(int argc, char **argv);

static const struct cli_command help_command = {
    .name = "help",
    .usage = "[COMMAND]",
    .sentence = "print this list, or what one of them takes",
    .run = run_help,
};

static const struct cli_command version_command = {
    .name = "version",
    .usage = "",
    .sentence = "print the version",
    .run = run_version,
};

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

static int refuse_command(const char *name)
{
    if (name)
        fprintf(stderr, "portico: no command is called \"%s\"\n\n", name);
    print_help(stderr);
    return CLI_USAGE;
}

static int explain_command_line(const struct cli_command *command)
{
    cli_print_usage(command, stdout);
    printf("      %s\n", command->sentence);
    if (command->explain_options)
        command->explain_options(stdout);
    return 0;
}

static int run_help(int argc, char **argv)
{
    const struct cli_command *command = argc > 1 ? find_command(argv[1]) : NULL;
    if (argc > 2 || (argc > 1 && argv[1][0] == '-'))
        return cli_usage(&help_command, argv[argc - 1]);
    if (command)
        return explain_command_line(command);
    if (argc > 1)
        return refuse_command(argv[1]);
    print_help(stdout);
    return 0;
}

static int run_version(int argc, char **argv)
{
    if (argc > 1)
        return cli_usage(&version_command, argv[1]);
    puts("portico " PORTICO_VERSION);
    return 0;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* Whoever starts us may have closed the standard streams; the next descriptors must not take their places, or
 * what is logged goes to whatever they are. */
static void hold_standard_streams(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd >= 0)
        close(fd);
}

/* What was asked for was to be printed: on a full disk it has not been done. */
static int finish(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "portico: stdout: %s\n", errno ? strerror(errno) : "not everything could be written");
    return code ? code : CLI_FAILED;
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    const struct cli_command *command = argc > 1 ? find_command(argv[1]) : NULL;
    if (command == NULL)
        return refuse_command(argv[1]);
    if (asks_for_help(argc - 1, argv + 1))
        return finish(explain_command_line(command));
    return finish(command->run(argc - 1, argv + 1));
}
