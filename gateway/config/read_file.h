/*
 * Whole small files into an arena: configuration files and the secrets they name. Never blocks on what is no
 * regular file (FIFOs, terminals, directories), never reads more than asked for.
 */
#ifndef PORTICO_CONFIG_READ_FILE_H
#define PORTICO_CONFIG_READ_FILE_H

#include "base/arena.h"
#include "base/check.h"

/* Reads the file, at most `limit` bytes. NULL, or a sentence that says why not, in the arena or static. */
MUST_USE const char *read_file(struct arena *arena, const char *path, size_t limit, struct slice *bytes_out);

#endif
