/*
 * Where the events of an event stream end (the HTML standard, section 9.2.6): a blank line behind at least
 * one line of data; comments are none. Looks at a byte at a time and keeps none.
 */
#ifndef PORTICO_LOADTEST_SSE_READER_H
#define PORTICO_LOADTEST_SSE_READER_H

#include <stdbool.h>
#include <stdint.h>

/* Where the reading stands. All zero is the beginning. */
struct sse_reader {
    uint8_t matched; /* bytes of the line that are those of "data:" */
    bool differs;    /* then came another */
    bool in_line;    /* some byte of the line has been seen */
    bool after_cr;   /* a line feed would be the rest of the line's end */
    bool has_data;   /* the event under way has a line of data */
};

/* Takes the next byte; true when an event ends with it. */
bool sse_reader_take(struct sse_reader *reader, char c);

#endif
