/*
 * How limits are printed, and the names by which scopes use them. Their readers stand in
 * config/compile_limits.c.
 */
#include "config/printer.h"

void config_print_limit_amount(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_limit *limit = object;
    if (limit->window == (strcmp(row->key, "window") == 0))
        printer_text(printer, row, &limit->amount);
}

void config_print_limit_delay(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_limit *limit = object;
    if (limit->delay_text.text.len > 0)
        printer_text(printer, row, &limit->delay_text);
}

void config_print_limit_key(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_limit *limit = object;
    printer_key(printer, row->key, false);
    for (uint32_t i = 0; i < limit->part_count; i++)
        printer_element(printer, limit->parts[i].text.text, limit->parts[i].text.origin);
}

void config_print_limit_count(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_limit *limit = object;
    printer_key(printer, row->key, limit->status_count == 0);
    for (uint32_t i = 0; i < limit->status_count; i++)
        printer_element(printer, limit->statuses[i].text.text, limit->statuses[i].text.origin);
}

void config_print_limits(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config *config = object;
    if (config->limit_count == 0)
        return;
    printer_key(printer, row->key, false);
    for (uint32_t i = 0; i < config->limit_count; i++) {
        const struct config_limit *limit = &config->limits[i];
        struct slice name = printer_quote(&printer->texts, limit->name, false);
        printer->indent += 2;
        printer_key(printer, arena_copy(&printer->texts, name), false);
        printer->indent += 2;
        printer_rows(printer, SECTION_limit, limit, limit->origins);
        printer->indent -= 4;
    }
}

void config_print_scope_limits(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_scope_limits *limits = ((const struct config_scope *)object)->limits;
    if (limits == NULL)
        return;
    printer_key(printer, row->key, limits->count == 0);
    for (uint32_t i = 0; i < limits->count; i++)
        printer_element(printer, limits->names[i].text, limits->names[i].origin);
}
