/*
 * How the KEY rows of the section `inherited` are printed: what a scope says to the policies. Their readers
 * stand in config/compile_scopes.c.
 */
#include "config/printer.h"

void config_print_methods(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_methods *methods = ((const struct config_scope *)object)->methods;
    if (methods == NULL)
        return;
    printer_key(printer, row->key, methods->count == 0);
    for (uint32_t i = 0; i < methods->count; i++)
        printer_element(printer, methods->names[i], methods->origin);
}
