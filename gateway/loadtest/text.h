/*
 * Numbers of a load test as people read them, the same in the terminal, in sentences and on the page.
 */
#ifndef PORTICO_LOADTEST_TEXT_H
#define PORTICO_LOADTEST_TEXT_H

#include <stdint.h>

/* Longest text, terminator included. */
enum { LOAD_TEXT_MAX = 32 };

/* A number's text, to be used within an expression: no two share one. */
struct load_text {
    char at[LOAD_TEXT_MAX];
};

/* "87us", "12.3ms", "1.25s": three digits say enough. */
struct load_text load_text_duration(uint64_t duration_us);

/* "12,345". */
struct load_text load_text_count(uint64_t count);

/* "1,234.5" */
struct load_text load_text_rate(double per_s);

/* "17.2KiB". */
struct load_text load_text_bytes(uint64_t bytes);

#endif
