/*
 * Whole small files into an arena: configuration files, the secrets they name, certificates and keys. Never
 * blocks on what is no regular file (FIFOs, terminals, directories), never reads more than asked for. What
 * is read here can be kept and read again by a process that may not open the file (base/archive.h).
 */
#ifndef PORTICO_BASE_READ_FILE_H
#define PORTICO_BASE_READ_FILE_H

#include "base/arena.h"
#include "base/check.h"

/* Reads the file, at most `limit` bytes, a multiple of 1 KiB; a zero byte stands behind them. NULL, or a
 * sentence that says why not, in the arena or static. */
MUST_USE const char *read_file(struct arena *arena, const char *path, size_t limit, struct slice *bytes_out);

/* The files that a pattern of the shell matches. */
struct file_names {
    const char **at; /* sorted by name */
    size_t count;
};

/* Finds them; none when nothing matches or a folder cannot be read. */
struct file_names find_files(struct arena *arena, const char *pattern);

#endif
