/*
 * The page behind config/reference.h, section by section in the order of the tables. The only text that is
 * not from the tables is the introduction: what holds for every key.
 */
#include "config/reference.h"

#include "config/schema.h"

static const char introduction[] =
    "# Configuration reference\n\n"
    "Printed by `portico reference` from the setting tables; do not edit it by hand.\n\n"
    "- One YAML file. Unknown and duplicate keys, wrong types and values out of range are errors; `portico "
    "check FILE`\n"
    "  reports all of them at once, each with its line and column, and `--print` shows what takes effect and "
    "why.\n"
    "- Durations and sizes have a unit: `500ms`, `30s`, `15m`, `1h`, `7d`; `512B`, `16KiB`, `2GiB`, `1MB` "
    "(KiB is 1024, KB\n"
    "  is 1000). `0` needs none.\n"
    "- Any value may hold `${env:NAME}` and `${file:path}` (the file's last line break is cut). Such values "
    "are never\n"
    "  printed. A plain `${` is written `$${`. Files that values are read from are watched: when one has "
    "changed, the\n"
    "  configuration in force is made again with it, whole or not at all.\n"
    "- Relative paths are relative to the file they stand in.\n"
    "- Anchors and aliases work; merge keys (`<<`) and tags do not.\n"
    "- \"Reload\" says whether a changed value takes effect on SIGHUP or needs a restart.\n";

static void print_words(const char *text, FILE *out)
{
    struct slice words = slice_of(text), word;
    for (bool more = schema_next_word(&words, &word); more;) {
        fprintf(out, "`%.*s`", SLICE_ARGS(word));
        more = schema_next_word(&words, &word);
        if (more)
            fputs(", ", out);
    }
}

static void print_type(const struct setting *row, FILE *out)
{
    switch (row->type) {
    case SETTING_COUNT: fprintf(out, "number (%s)", row->words); break;
    case SETTING_DURATION: fputs("duration", out); break;
    case SETTING_SIZE: fprintf(out, "size%s%s", row->words[0] ? " " : "", row->words); break;
    case SETTING_SWITCH: fputs("`true` or `false`", out); break;
    case SETTING_CHOICE: print_words(row->words, out); break;
    case SETTING_TARGET:
        print_words(row->words, out);
        fputs(" or a path", out);
        break;
    case SETTING_PART: fputs("section", out); break;
    case SETTING_KEY: fputs(row->words, out); break;
    }
}

static void print_range(const struct setting *row, FILE *out)
{
    char least[VALUE_TEXT_MAX], most[VALUE_TEXT_MAX];
    if (row->type > SETTING_SIZE)
        return;
    enum value_kind kind = row->type == SETTING_COUNT      ? VALUE_COUNT
                           : row->type == SETTING_DURATION ? VALUE_DURATION
                                                           : VALUE_SIZE;
    value_print(kind, row->min, least);
    value_print(kind, row->max, most);
    fprintf(out, "%s to %s", least, most);
}

static void print_row(const struct setting *row, FILE *out)
{
    bool is_value = row->type < SETTING_PART;
    fprintf(out, "| `%s` | ", row->key);
    print_type(row, out);
    fprintf(out, " | %s%s%s | ", is_value ? "`" : "", row->fallback, is_value ? "`" : "");
    print_range(row, out);
    fprintf(out, " | %s | %s |\n", row->reloadable ? "yes" : "restart", row->sentence);
}

static void print_section(enum section_id id, FILE *out)
{
    const struct section *section = &schema_sections[id];
    size_t count;
    const struct setting *rows = schema_rows(id, &count);
    fprintf(out, "\n## %s\n\n%s\n\n```yaml\n%s```\n\n", section->title, section->sentence, section->example);
    fputs("| key | value | default | range | reload | meaning |\n|---|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < count; i++)
        print_row(&rows[i], out);
    if (section->inherits != SECTION_none)
        fprintf(out, "\nAlso the keys of: %s.\n", schema_sections[section->inherits].title);
}

static void print_variables(FILE *out)
{
    fputs(
        "\n## Variables\n\n"
        "What stands for `%{name}` in a value that may hold variables; `%%{` stands for `%{`. What came from "
        "`${env:}` or\n`${file:}` is taken as it is, whatever it holds.\n\n"
        "| variable | stands for |\n|---|---|\n",
        out);
#define VARIABLE(name, sentence) fputs("| `%{" #name "}` | " sentence " |\n", out);
#include "tables/variables.def"
#undef VARIABLE
}

void config_reference(FILE *out)
{
    fputs(introduction, out);
    for (enum section_id id = SECTION_none + 1; id < SECTION_COUNT; id++)
        print_section(id, out);
    print_variables(out);
}
