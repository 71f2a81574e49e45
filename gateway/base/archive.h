/*
 * Files as they were when they were read: one process reads a configuration with everything that it names and
 * keeps the bytes, another one, which may not open these files, reads the same from the bytes. So both make
 * the same of it, whatever happens to the files in between; and so a file that has changed is taken into
 * service without those that somebody is at work on. What is kept may be secret: it is wiped. One archive is
 * written to or read from at a time, by one thread: the one that loads configurations.
 */
#ifndef PORTICO_BASE_ARCHIVE_H
#define PORTICO_BASE_ARCHIVE_H

#include "base/check.h"
#include "base/slice.h"

/* What is kept: files, and what a pattern of file names has matched. */
enum archive_kind { ARCHIVE_FILE, ARCHIVE_MATCHES };

/* Records behind each other, in a form that another process of this program understands. */
struct archive {
    char *bytes;
    size_t len, capacity;
};

/* Wipes what it holds and makes it empty. An archive that is all zero is empty. */
void archive_fini(struct archive *archive);

/* Whether everything that `newer` has is in the archive, byte for byte. */
bool archive_agrees(const struct archive *archive, const struct archive *newer);

/* Puts what `newer` has in the place of what the archive has under the same names. */
void archive_update(struct archive *archive, const struct archive *newer);

/* From now on whatever is read is kept in this archive, too; NULL: nowhere. */
void archive_record(struct archive *archive);

/* From now on what the archive has is read from it, and only the rest from disk; NULL: everything. */
void archive_replay(const struct archive *archive);

/* Called by who reads: keeps something if there is an archive to keep it in. */
void archive_keep(enum archive_kind kind, const char *name, struct slice bytes);

/* Called by who reads: finds something in the archive that is replayed; false when it is not there. */
MUST_USE bool archive_find(enum archive_kind kind, const char *name, struct slice *bytes_out);

/* The archive as a file in memory, for another process; -1 with errno. */
MUST_USE int archive_to_memory(const struct archive *archive);

/* Fills an empty archive from such a file, which it closes; false with errno. */
MUST_USE bool archive_from_memory(struct archive *archive, int fd);

#endif
