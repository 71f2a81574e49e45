/*
 * What the subcommands share: how they say that they were called wrongly, and how findings look. Called by
 * the files of this folder only.
 */
#include "cli/cli.h"

void cli_print_usage(const struct cli_command *command, FILE *out)
{
    fprintf(out, "usage: portico %s%s%s\n", command->name, command->usage[0] ? " " : "", command->usage);
}

int cli_usage(const struct cli_command *command, const char *word)
{
    if (word)
        fprintf(stderr,
                word[0] == '-' ? "portico: %s has no option \"%s\"\n" : "portico: %s has no use for \"%s\"\n",
                command->name, word);
    cli_print_usage(command, stderr);
    return CLI_USAGE;
}

static void print_finding(const struct config_finding *finding, FILE *out)
{
    const char *kind = finding->is_error ? "error" : "warning";
    if (finding->origin.line > 0)
        fprintf(out, "%s:%u:%u: %s: %.*s\n", finding->origin.file, finding->origin.line,
                finding->origin.column, kind, SLICE_ARGS(finding->text));
    else
        fprintf(out, "%s: %s: %.*s\n", finding->origin.file, kind, SLICE_ARGS(finding->text));
}

void cli_print_findings(const struct config_findings *findings, FILE *out)
{
    unsigned printed = 0;
    for (const struct config_finding *finding = findings->first; finding; finding = finding->next) {
        print_finding(finding, out);
        printed++;
    }
    if (printed < findings->errors + findings->warnings)
        fprintf(out, "... and %u more\n", findings->errors + findings->warnings - printed);
}
