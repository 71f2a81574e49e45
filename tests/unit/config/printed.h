/*
 * For tests of what a configuration prints: whole ones, and the settings of the only route of one that is
 * written.
 */
#ifndef PORTICO_TESTS_UNIT_CONFIG_PRINTED_H
#define PORTICO_TESTS_UNIT_CONFIG_PRINTED_H

#include "said.h"

#include "config/print.h"

#include <stdlib.h>

static char *printed_text;
static size_t printed_len;

/* What is to be printed to. */
static inline FILE *printed_open(void)
{
    FILE *out = open_memstream(&printed_text, &printed_len);
    assert_non_null(out);
    return out;
}

/* What has been; to be freed. */
static inline char *printed_close(FILE *out)
{
    fclose(out);
    return printed_text;
}

/* The whole configuration; to be freed. */
static inline char *print(const struct config *config)
{
    FILE *out = printed_open();
    config_print(config, out);
    return printed_close(out);
}

/* The only route of a configuration without errors; to be freed. */
static inline char *print_route(const char *yaml, int indent)
{
    const struct said_case row = {yaml, ""};
    struct config *config = said_load(&row);
    FILE *out = printed_open();
    config_print_route_settings(&config->sites[0].routes[0], out, indent);
    config_free(&config);
    return printed_close(out);
}

#endif
