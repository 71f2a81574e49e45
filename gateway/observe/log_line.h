/*
 * One access record as one line of text, JSON (fields and order from tables/log_fields.def) or combined
 * (Apache's and nginx's). Pure: writes into the caller's memory, reads no clock, allocates nothing. Whatever
 * bytes a record holds, the line has exactly one line feed, its last byte; JSON lines are valid JSON in valid
 * UTF-8, combined lines are ASCII.
 */
#ifndef PORTICO_OBSERVE_LOG_LINE_H
#define PORTICO_OBSERVE_LOG_LINE_H

#include "observe/record.h"

/* A text takes at most LOG_TEXT_MAX bytes as printed; one that is cut ends with an ellipsis beyond them. No
 * line is longer than LOG_LINE_MAX. */
enum { LOG_TEXT_MAX = 2048, LOG_LINE_MAX = 32 * 1024 };

/* The printed forms of the last second seen, so that a date is made once a second. All zero is a good start.
 */
struct log_second {
    uint64_t second;   /* since 1970 */
    char rfc3339[20];  /* "2026-11-21T02:10:00" */
    char combined[27]; /* "21/Nov/2026:02:10:00 +0000" */
};

/* Prints the record as JSON, line feed included, and gives the length. `line_out` has room for LOG_LINE_MAX
 * bytes. */
size_t log_line_json(const struct record *record, struct log_second *second, char *line_out);

/* The same in combined format; the date is that of the exchange's beginning. */
size_t log_line_combined(const struct record *record, struct log_second *second, char *line_out);

#endif
