/*
 * How the sections of config/settings_access.def are printed. Their readers stand in
 * config/compile_networks.c.
 */
#include "config/printer.h"

void config_print_places(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_access *access = object;
    const struct config_places *places = strcmp(row->key, "allow") == 0 ? &access->allow : &access->deny;
    if (places->count == 0)
        return;
    printer_key(printer, row->key, false);
    for (uint32_t i = 0; i < places->count; i++)
        printer_element(printer, places->at[i].text.text, places->at[i].text.origin);
}

void config_print_access(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_access *access = ((const struct config_scope *)object)->access;
    if (access == NULL)
        return;
    if (access->allow.count + access->deny.count == 0) {
        printer_value(printer, row->key, SLICE("off"), access->origin);
        return;
    }
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_access, access, access->origins);
    printer->indent -= 2;
}

void config_print_users(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_basic_auth *auth = object;
    if (auth->file.text.len > 0) {
        printer_text(printer, row, &auth->file);
        return;
    }
    printer_key(printer, row->key, false);
    printer->indent += 2;
    for (uint32_t i = 0; i < auth->user_count; i++) {
        const struct config_user *user = &auth->users[i];
        struct slice name = printer_quote(&printer->texts, user->name.text, false);
        printer_value(printer, arena_copy(&printer->texts, name),
                      printer_shown(printer, user->hash.text, user->hash.origin), user->hash.origin);
    }
    printer->indent -= 2;
}

void config_print_realm(struct printer *printer, const struct setting *row, const void *object)
{
    printer_text(printer, row, &((const struct config_basic_auth *)object)->realm);
}

void config_print_basic_auth(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_basic_auth *auth = ((const struct config_scope *)object)->basic_auth;
    if (auth == NULL)
        return;
    if (auth->user_count == 0) {
        printer_value(printer, row->key, SLICE("off"), auth->origin);
        return;
    }
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_basic_auth, auth, auth->origins);
    printer->indent -= 2;
}

void config_print_auth_upstream(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_forward_auth *auth = object;
    printer_value(printer, row->key, printer_quote(&printer->texts, auth->upstream->name, false),
                  auth->origin);
}

void config_print_auth_path(struct printer *printer, const struct setting *row, const void *object)
{
    printer_text(printer, row, &((const struct config_forward_auth *)object)->path);
}

void config_print_auth_copy(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_forward_auth *auth = object;
    printer_key(printer, row->key, auth->copy_count == 0);
    for (uint32_t i = 0; i < auth->copy_count; i++)
        printer_element(printer, auth->copy[i].text, auth->copy[i].origin);
}

void config_print_forward_auth(struct printer *printer, const struct setting *row, const void *object)
{
    const struct config_forward_auth *auth = ((const struct config_scope *)object)->forward_auth;
    if (auth == NULL)
        return;
    if (auth->upstream == NULL) {
        printer_value(printer, row->key, SLICE("off"), auth->origin);
        return;
    }
    printer_key(printer, row->key, false);
    printer->indent += 2;
    printer_rows(printer, SECTION_forward_auth, auth, auth->origins);
    printer->indent -= 2;
}
