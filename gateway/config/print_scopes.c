/*
 * How the KEY rows of the section `inherited` are printed: what a scope says to the policies. Their readers
 * stand in config/compile_scopes.c.
 */
#include "config/printer.h"

void config_print_on_reload(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_on_reload *rule = ((const struct config_scope *)object)->on_reload;
    char within[VALUE_TEXT_MAX];
    if (rule == NULL)
        return;
    size_t len = value_print(VALUE_DURATION, rule->within_us, within);
    struct slice text = arena_printf(&printer->texts, "drain %.*s", (int)len, within);
    printer_value(printer, row->key, rule->drains ? text : SLICE("keep"), rule->origin);
}

void config_print_methods(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_methods *methods = ((const struct config_scope *)object)->methods;
    if (methods == NULL)
        return;
    printer_key(printer, row->key, methods->count == 0);
    for (uint32_t i = 0; i < methods->count; i++)
        printer_element(printer, methods->names[i], methods->origin);
}

/* Printed whole, so that it is the same wherever it is loaded again. */
void config_print_security_headers(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_security_headers *headers = ((const struct config_scope *)object)->security_headers;
    if (headers == NULL)
        return;
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_security_headers, headers, NULL);
    printer->indent -= 2;
}

void config_print_security_base(struct printer *printer, const struct setting *row, const void *object)
{
    printer_value(printer, row->key, SLICE("off"), ((const struct config_security_headers *)object)->origin);
}

void config_print_security_header(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_security_headers *headers = object;
    static const char *const keys[] = {
#define SECURITY_HEADER(key, id, recommended, strict, sentence) [CONFIG_SECURITY_##key] = #key,
#include "tables/security_headers.def"
#undef SECURITY_HEADER
    };
    for (unsigned i = 0; i < CONFIG_SECURITY_COUNT; i++)
        if (headers->values[i].text.len > 0 && strcmp(keys[i], row->key) == 0)
            printer_text(printer, row, &headers->values[i]);
}
