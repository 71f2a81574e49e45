/*
 * Where something of a configuration was written, for messages. Plain data.
 */
#ifndef PORTICO_CONFIG_ORIGIN_H
#define PORTICO_CONFIG_ORIGIN_H

#include "base/slice.h"

/* Where a value was written; line 0 means that it is a default. */
struct config_origin {
    const char *file;
    unsigned line, column; /* 1-based */
    const char *redacted;  /* as written, when the value came from ${env:} or ${file:} and must not be shown;
                              else NULL */
};

/* A text that is kept as it was written. */
struct config_text {
    struct slice text;
    struct config_origin origin;
};

#endif
