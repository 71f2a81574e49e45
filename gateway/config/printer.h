/*
 * Lines of YAML with their origins, for the functions that print KEY rows (config/print.c and
 * config/print_scopes.c). Texts live as long as the printer.
 */
#ifndef PORTICO_CONFIG_PRINTER_H
#define PORTICO_CONFIG_PRINTER_H

#include "config/internal.h"

#include <stdio.h>

/* The output and where its cursor stands. */
struct printer {
    FILE *out;
    int indent;
    bool is_item; /* the next line begins an element of a list */
    struct arena texts;
};

/* The text as a YAML scalar. `is_written`: ${} inside stay references. */
struct slice printer_quote(struct arena *arena, struct slice text, bool is_written);

/* The same, or what the file says when the text came from ${env:} or ${file:}. */
struct slice printer_shown(struct printer *printer, struct slice text, struct config_origin origin);

/* A canonical path as a file writes it: what is no plain character is percent-encoded again. */
struct slice printer_path(struct printer *printer, struct slice path);

/* The blanks at the front of a line, and the dash of an element. */
void printer_indent(struct printer *printer);

/* The comment at the end of a line, and the line's end. */
void printer_origin(struct printer *printer, struct config_origin origin);

/* "key: value  # origin"; the value is printed as it is. */
void printer_value(struct printer *printer, const char *key, struct slice value, struct config_origin origin);

/* The same for a text. */
void printer_text(struct printer *printer, const struct setting *row, const struct config_text *text);

/* "- text  # origin" */
void printer_element(struct printer *printer, struct slice text, struct config_origin origin);

/* "key:", or "key: []" of an empty list. */
void printer_key(struct printer *printer, const char *key, bool is_empty);

/* Every row of a section, with the origins of its scalars. */
void printer_rows(struct printer *printer, enum section_id section, const void *object,
                  const struct config_origin *origins);

/* The KEY rows of a section alone. */
void printer_keys(struct printer *printer, enum section_id section, const void *object);

#endif
