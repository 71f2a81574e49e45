/*
 * The lines of config/printer.h. Driven by the setting tables: a new scalar appears by itself. Text is quoted
 * so that YAML and ${} read it back as it is.
 */
#include "config/printer.h"

/* Bytes that need no quotes, provided the first is none of the signs. */
static bool is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (i == 0 || !strchr("_-./", c)))
            return false;
    }
    return text.len > 0 && memchr(text.at, '\0', text.len) == NULL;
}

struct slice printer_quote(struct arena *arena, struct slice text, bool is_written)
{
    if (is_word(text))
        return text;
    char *quoted = arena_alloc(arena, 4 * text.len + 3), *end = quoted;
    *end++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\')
            *end++ = '\\';
        if (c == '$' && !is_written && i + 1 < text.len && text.at[i + 1] == '{')
            *end++ = '$';
        if (c < 0x20 || c == 0x7f)
            end += sprintf(end, "\\x%02x", c);
        else
            *end++ = (char)c;
    }
    *end++ = '"';
    return slice_make(quoted, (size_t)(end - quoted));
}

struct slice printer_shown(struct printer *printer, struct slice text, struct config_origin origin)
{
    if (origin.redacted)
        return printer_quote(&printer->texts, slice_of(origin.redacted), true);
    return printer_quote(&printer->texts, text, false);
}

struct slice printer_path(struct printer *printer, struct slice path)
{
    char *encoded = arena_alloc(&printer->texts, 3 * path.len + 1), *end = encoded;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.at[i];
        if (c <= 0x20 || c >= 0x7f || strchr("%?#", c))
            end += sprintf(end, "%%%02X", c);
        else
            *end++ = (char)c;
    }
    return slice_make(encoded, (size_t)(end - encoded));
}

void printer_indent(struct printer *printer)
{
    fprintf(printer->out, "%*s%s", printer->is_item ? printer->indent - 2 : printer->indent, "",
            printer->is_item ? "- " : "");
    printer->is_item = false;
}

void printer_origin(struct printer *printer, struct config_origin origin)
{
    if (origin.line > 0)
        fprintf(printer->out, "  # %s:%u\n", origin.file, origin.line);
    else
        fprintf(printer->out, "  # default\n");
}

void printer_value(struct printer *printer, const char *key, struct slice value, struct config_origin origin)
{
    printer_indent(printer);
    fprintf(printer->out, "%s: %.*s", key, SLICE_ARGS(value));
    printer_origin(printer, origin);
}

void printer_element(struct printer *printer, struct slice text, struct config_origin origin)
{
    struct slice value = printer_shown(printer, text, origin);
    fprintf(printer->out, "%*s- %.*s", printer->indent + 2, "", SLICE_ARGS(value));
    printer_origin(printer, origin);
}

void printer_key(struct printer *printer, const char *key, bool is_empty)
{
    printer_indent(printer);
    fprintf(printer->out, "%s:%s\n", key, is_empty ? " []" : "");
}

static void print_scalar(struct printer *printer, const struct setting *row, const void *object,
                         const struct config_origin *origins)
{
    struct config_origin origin = origins[schema_slot(row)];
    struct slice text = schema_print_scalar(&printer->texts, row, object);
    printer_value(printer, row->key, printer_shown(printer, text, origin), origin);
}

void printer_rows(struct printer *printer, enum section_id section, const void *object,
                  const struct config_origin *origins)
{
    size_t count;
    const struct setting *rows = schema_rows(section, &count);
    for (size_t i = 0; i < count; i++) {
        const struct setting *row = &rows[i];
        if (row->type == SETTING_KEY) {
            row->print(printer, row, object);
        } else if (row->type == SETTING_PART) {
            printer_key(printer, row->key, false);
            printer->indent += 2;
            printer_rows(printer, row->part, (const char *)object + row->offset,
                         schema_part_origins(row, object));
            printer->indent -= 2;
        } else {
            print_scalar(printer, row, object, origins);
        }
    }
}

void printer_keys(struct printer *printer, enum section_id section, const void *object)
{
    size_t count;
    const struct setting *rows = schema_rows(section, &count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].type == SETTING_KEY)
            rows[i].print(printer, &rows[i], object);
}

void printer_text(struct printer *printer, const struct setting *row, const struct config_text *text)
{
    printer_value(printer, row->key, printer_shown(printer, text->text, text->origin), text->origin);
}
