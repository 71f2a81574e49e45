/*
 * The list of what is wrong or doubtful in a configuration: kept in the order of places, the main file first,
 * then file by file as they were read, each finding once. A file that is wrong everywhere is told so
 * FINDINGS_MAX times; the rest is only counted. Knows nothing of YAML.
 */
#include "config/config.h"

#include "base/log.h"

#include <stdio.h>

enum { FINDINGS_MAX = 100 };

void config_findings_init(struct config_findings *findings)
{
    *findings = (struct config_findings){0};
    arena_init(&findings->arena, NULL, 0);
}

void config_findings_fini(struct config_findings *findings)
{
    arena_fini(&findings->arena);
    *findings = (struct config_findings){0};
}

static bool same_file(const struct config_finding *finding, struct config_origin origin)
{
    return strcmp(finding->origin.file, origin.file) == 0;
}

static bool stands_before(struct config_origin a, struct config_origin b)
{
    return a.line != b.line ? a.line < b.line : a.column <= b.column;
}

/* The link to hang a finding of this place on: behind all of its file that stand before it. */
static struct config_finding **find_place(struct config_findings *findings, struct config_origin origin)
{
    struct config_finding **link = &findings->first;
    bool is_main = findings->main_file && strcmp(findings->main_file, origin.file) == 0;
    while (*link && !same_file(*link, origin) && !is_main)
        link = &(*link)->next;
    while (*link && same_file(*link, origin) && stands_before((*link)->origin, origin))
        link = &(*link)->next;
    return link;
}

static bool is_listed(const struct config_findings *findings, struct config_origin origin, struct slice text)
{
    for (const struct config_finding *finding = findings->first; finding; finding = finding->next)
        if (finding->origin.line == origin.line && finding->origin.column == origin.column &&
            same_file(finding, origin) && slice_equal(finding->text, text))
            return true;
    return false;
}

/* Files are not trusted with the terminal: control characters become '?'. */
static struct slice printable(struct arena *arena, struct slice text)
{
    char *copy = arena_copy(arena, text);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f)
            copy[i] = '?';
    return slice_make(copy, text.len);
}

static void add(struct config_findings *findings, struct config_origin origin, bool is_error,
                struct slice text)
{
    text = printable(&findings->arena, text);
    origin.file = arena_copy(&findings->arena, slice_of(origin.file ? origin.file : "configuration"));
    origin.redacted = NULL;
    if (is_listed(findings, origin, text))
        return;
    unsigned listed = findings->errors + findings->warnings;
    findings->errors += is_error;
    findings->warnings += !is_error;
    if (listed >= FINDINGS_MAX)
        return;
    struct config_finding *finding = arena_zalloc(&findings->arena, sizeof *finding);
    struct config_finding **link = find_place(findings, origin);
    *finding = (struct config_finding){.next = *link, .origin = origin, .is_error = is_error, .text = text};
    *link = finding;
    if (!finding->next)
        findings->last = finding;
}

void config_findings_log(const struct config_findings *findings)
{
    for (const struct config_finding *finding = findings->first; finding; finding = finding->next) {
        enum log_level level = finding->is_error ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
        const struct config_origin *origin = &finding->origin;
        if (origin->line > 0)
            log_write(level, "config", "%s:%u:%u: %.*s", origin->file, origin->line, origin->column,
                      SLICE_ARGS(finding->text));
        else
            log_write(level, "config", "%s: %.*s", origin->file, SLICE_ARGS(finding->text));
    }
}

void config_error(struct config_findings *findings, struct config_origin origin, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings, origin, true, arena_vprintf(&findings->arena, format, arguments));
    va_end(arguments);
}

void config_warning(struct config_findings *findings, struct config_origin origin, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings, origin, false, arena_vprintf(&findings->arena, format, arguments));
    va_end(arguments);
}
