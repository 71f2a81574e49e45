/*
 * A configuration as YAML, as it takes effect: every setting with its value and where it comes from,
 * inherited ones at each route. Values from ${env:} and ${file:} are printed as they were written. What is
 * printed can be loaded again.
 */
#ifndef PORTICO_CONFIG_PRINT_H
#define PORTICO_CONFIG_PRINT_H

#include "config/config.h"

#include <stdio.h>

/* Prints the whole configuration. */
void config_print(const struct config *config, FILE *out);

/* Prints the settings of a route, inherited ones included, one "key: value  # origin" a line behind `indent`
 * blanks. */
void config_print_route_settings(const struct config_route *route, FILE *out, int indent);

#endif
