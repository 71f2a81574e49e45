/*
 * portico reference: prints conf/REFERENCE.md. Everything it says comes from the setting tables, so the page
 * and the program cannot disagree.
 */
#include "config/reference.h"

#include "cli/cli.h"

static int run(int argc, char **argv)
{
    if (argc > 1)
        return cli_usage(&reference_command, argv[1]);
    config_reference(stdout);
    return 0;
}

const struct cli_command reference_command = {
    .name = "reference",
    .usage = "",
    .sentence = "print the reference of all configuration keys",
    .run = run,
};
