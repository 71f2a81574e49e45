/*
 * conf/REFERENCE.md: every key, its type, default and range, from the setting tables and nothing else. Lint
 * compares the file with what this prints.
 */
#ifndef PORTICO_CONFIG_REFERENCE_H
#define PORTICO_CONFIG_REFERENCE_H

#include <stdio.h>

/* Prints the page. */
void config_reference(FILE *out);

#endif
