/*
 * Where the lines of the access log go: a file, a pipe, a terminal or a socket, written without ever waiting
 * for longer than LOG_FILE_WAIT_MS where the kernel lets one know beforehand. Belongs to the writer thread,
 * which alone reopens, writes and closes it. Lines stay whole: one that was interrupted is resumed where it
 * broke off.
 */
#ifndef PORTICO_OBSERVE_LOG_FILE_H
#define PORTICO_OBSERVE_LOG_FILE_H

#include "base/check.h"
#include "base/slice.h"

/* The longest wait of one attempt. */
enum { LOG_FILE_WAIT_MS = 50 };

/* An open destination. */
struct log_file {
    int fd;
    bool is_regular; /* never full, never asked */
    size_t partial;  /* bytes of the next line that are written */
};

/* What became of an attempt to write. */
enum log_file_end {
    LOG_FILE_TOOK, /* some bytes */
    LOG_FILE_BUSY, /* nothing within LOG_FILE_WAIT_MS */
    LOG_FILE_FAILS /* nothing; errno says why */
};

/* Opens a path for appending, or a copy of stdout for NULL; gives the descriptor, -1 with errno on failure.
 */
MUST_USE int log_file_open(const char *path);

/* Starts on a descriptor from log_file_open(), which it now owns; closes the one before, if any (fd >= 0). */
void log_file_use(struct log_file *file, int fd);

/* Writes some of the lines. `done_out` is the number of bytes in whole lines that are out now; the rest is to
 * be given again, from the start of its first line. */
MUST_USE enum log_file_end log_file_write(struct log_file *file, struct slice lines, size_t *done_out);

#endif
