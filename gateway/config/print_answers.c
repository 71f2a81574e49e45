/*
 * How redirect, respond, maintenance, strip_prefix and rewrite are printed. Their readers stand in
 * config/compile_answers.c and config/compile_rewrite.c.
 */
#include "config/printer.h"

static void print_section(struct printer *printer, const struct setting *row, enum section_id section,
                          const void *object, const struct config_origin *origins)
{
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, section, object, origins);
    printer->indent -= 2;
}

static void print_text(struct printer *printer, const struct setting *row, const struct config_text *text)
{
    if (text->origin.line > 0)
        printer_text(printer, row, text);
}

void config_print_redirect(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_route_redirect *redirect = ((const struct config_route *)object)->scope.redirect;
    if (redirect)
        print_section(printer, row, SECTION_redirect, redirect, redirect->origins);
}

void config_print_redirect_to(struct printer *printer, const struct setting *row, const void *object)
{
    printer_text(printer, row, &((const struct config_route_redirect *)object)->to);
}

void config_print_respond(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_respond *respond = ((const struct config_route *)object)->scope.respond;
    if (respond)
        print_section(printer, row, SECTION_respond, respond, respond->origins);
}

void config_print_respond_body(struct printer *printer, const struct setting *row, const void *object)
{
    print_text(printer, row, &((const struct config_respond *)object)->body);
}

void config_print_respond_type(struct printer *printer, const struct setting *row, const void *object)
{
    print_text(printer, row, &((const struct config_respond *)object)->type);
}

/* What lies ready while it is off is left out: whatever switches it on prints all of it. */
void config_print_maintenance(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_maintenance *maintenance = ((const struct config_scope *)object)->maintenance;
    if (maintenance && maintenance->on)
        print_section(printer, row, SECTION_maintenance, maintenance, maintenance->origins);
    else if (maintenance)
        printer_value(printer, row->key, SLICE("false"), maintenance->origin);
}

void config_print_maintenance_body(struct printer *printer, const struct setting *row, const void *object)
{
    print_text(printer, row, &((const struct config_maintenance *)object)->body);
}

void config_print_maintenance_file(struct printer *printer, const struct setting *row, const void *object)
{
    print_text(printer, row, &((const struct config_maintenance *)object)->file);
}

void config_print_maintenance_type(struct printer *printer, const struct setting *row, const void *object)
{
    print_text(printer, row, &((const struct config_maintenance *)object)->type);
}

void config_print_maintenance_allow(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_maintenance *maintenance = object;
    printer_key(printer, row->key, maintenance->allow_count == 0);
    for (uint32_t i = 0; i < maintenance->allow_count; i++)
        printer_element(printer, maintenance->allow_texts[i].text, maintenance->allow_texts[i].origin);
}

void config_print_strip_prefix(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_rewrite *rewrite = ((const struct config_route *)object)->scope.rewrite;
    if (rewrite && rewrite->strips && rewrite->prefix.text.len > 0)
        printer_value(
            printer, row->key,
            printer_shown(printer, printer_path(printer, rewrite->prefix.text), rewrite->prefix.origin),
            rewrite->origin);
}

void config_print_rewrite(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_rewrite *rewrite = ((const struct config_route *)object)->scope.rewrite;
    if (rewrite && !rewrite->strips)
        print_section(printer, row, SECTION_rewrite, rewrite, NULL);
}

void config_print_rewrite_regex(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_rewrite *rewrite = object;
    if (!rewrite->is_route_regex)
        print_text(printer, row, &rewrite->regex);
}

void config_print_rewrite_to(struct printer *printer, const struct setting *row, const void *object)
{
    printer_text(printer, row, &((const struct config_rewrite *)object)->to);
}
