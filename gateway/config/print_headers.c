/*
 * How `headers` is printed: merged, so that it says the same when it is loaded where nothing is inherited,
 * and when it is loaded where this was. Its reader is config/compile_headers.c.
 */
#include "config/printer.h"

void config_print_headers(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_headers *headers = ((const struct config_scope *)object)->headers;
    if (headers == NULL)
        return;
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_headers, headers, NULL);
    printer->indent -= 2;
}

/* Passed on to the rows of the section. */
void config_print_header_changes(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_headers *headers = object;
    bool of_request = strcmp(row->key, "request") == 0;
    const struct config_header_changes *changes = of_request ? &headers->request : &headers->response;
    if (changes->count == 0)
        return;
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_header_changes, changes, NULL);
    printer->indent -= 2;
}

static bool is_said_by(const struct setting *row, const struct config_header_change *change)
{
    static const char *const keys[] = {"set", "add", "replace", "remove", "keep"};
    return strcmp(keys[change->action], row->key) == 0;
}

static bool is_first_of_name(const struct config_header_changes *changes, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++)
        if (slice_equal_nocase(changes->changes[j].name.text, changes->changes[i].name.text))
            return false;
    return true;
}

/* All values that are added to a name, as a list. */
static void print_added(struct printer *printer, const struct config_header_changes *changes, uint32_t first)
{
    const struct config_text *name = &changes->changes[first].name;
    struct slice key = printer_shown(printer, name->text, name->origin);
    printer_key(printer, arena_copy(&printer->texts, key), false);
    for (uint32_t i = first; i < changes->count; i++)
        if (slice_equal_nocase(changes->changes[i].name.text, name->text))
            printer_element(printer, changes->changes[i].value.text, changes->changes[i].value.origin);
}

static void print_change(struct printer *printer, const struct config_header_changes *changes, uint32_t i)
{
    const struct config_header_change *change = &changes->changes[i];
    struct slice name = printer_shown(printer, change->name.text, change->name.origin);
    if (change->action == CONFIG_HEADER_ADD)
        print_added(printer, changes, i);
    else
        printer_value(printer, arena_copy(&printer->texts, name),
                      printer_shown(printer, change->value.text, change->value.origin), change->value.origin);
}

void config_print_header_values(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_header_changes *changes = object;
    bool begun = false;
    for (uint32_t i = 0; i < changes->count; i++) {
        if (!is_said_by(row, &changes->changes[i]) || !is_first_of_name(changes, i))
            continue;
        if (!begun)
            printer_key(printer, row->key, false);
        begun = true;
        printer->indent += 2;
        print_change(printer, changes, i);
        printer->indent -= 2;
    }
}

void config_print_header_names(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_header_changes *changes = object;
    bool begun = false;
    for (uint32_t i = 0; i < changes->count; i++) {
        if (!is_said_by(row, &changes->changes[i]))
            continue;
        if (!begun)
            printer_key(printer, row->key, false);
        begun = true;
        printer_element(printer, changes->changes[i].name.text, changes->changes[i].name.origin);
    }
}

void config_print_cookies(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_cookies *cookies = &((const struct config_headers *)object)->cookies;
    if (cookies->origins == NULL)
        return;
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_cookies, cookies, cookies->origins);
    printer->indent -= 2;
}
