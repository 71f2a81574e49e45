/*
 * Numbers, durations and sizes as the configuration writes them: "8", "30s", "16KiB". Parsing and printing
 * are inverse: what value_print_* gives, value_parse_* reads. Pure text; who reports what is wrong is
 * config/schema.c.
 */
#ifndef PORTICO_CONFIG_VALUE_H
#define PORTICO_CONFIG_VALUE_H

#include "base/check.h"
#include "base/slice.h"

/* Microseconds and bytes in the units that files write. */
#define MILLISECONDS(n) ((uint64_t)(n)*1000)
#define SECONDS(n)      ((uint64_t)(n)*1000000)
#define MINUTES(n)      ((uint64_t)(n)*60 * 1000000)
#define HOURS(n)        ((uint64_t)(n)*3600 * 1000000)
#define DAYS(n)         ((uint64_t)(n)*86400 * 1000000)
#define KIB(n)          ((uint64_t)(n) << 10)
#define MIB(n)          ((uint64_t)(n) << 20)
#define TIB(n)          ((uint64_t)(n) << 40)

/* Longest text value_print_* gives, terminator included. */
enum { VALUE_TEXT_MAX = 32 };

/* How a text can fail to be a value. */
enum value_problem { VALUE_OK, VALUE_MALFORMED, VALUE_UNIT_MISSING, VALUE_UNIT_UNKNOWN, VALUE_TOO_LARGE };

/* What is written with a unit behind it. */
enum value_kind { VALUE_COUNT, VALUE_DURATION, VALUE_SIZE };

/* Parses decimal digits and, but for a count, a unit of the kind; "0" needs no unit. Gives a plain number,
 * microseconds or bytes. */
MUST_USE enum value_problem value_parse(enum value_kind kind, struct slice text, uint64_t *value_out);

/* Prints the value with the largest unit that divides it; gives the length. */
size_t value_print(enum value_kind kind, uint64_t value, char text_out[VALUE_TEXT_MAX]);

/* The units of a kind as a sentence lists them: "ms, s, m, h or d"; "" for a count. */
const char *value_units(enum value_kind kind);

#endif
