/*
 * The records of base/archive.h: a head, the name, the bytes, each after the other. Reading goes through them
 * from the start: there are as many as a configuration has files. Knows nothing of what is in them.
 */
#include "base/archive.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* In front of each record. */
struct head {
    size_t kind, name_len, len;
};

static struct archive *recording;
static const struct archive *replaying;

void archive_fini(struct archive *archive)
{
    if (archive->bytes)
        explicit_bzero(archive->bytes, archive->capacity);
    free(archive->bytes);
    *archive = (struct archive){0};
}

void archive_record(struct archive *archive)
{
    recording = archive;
}

void archive_replay(const struct archive *archive)
{
    replaying = archive;
}

/* --- writing --- */

/* realloc() would leave a copy behind that nobody wipes. */
static void make_room(struct archive *archive, size_t more)
{
    if (archive->capacity - archive->len >= more)
        return;
    struct archive larger = {.len = archive->len, .capacity = 2 * (archive->capacity + more)};
    larger.bytes = malloc(larger.capacity);
    CHECK(larger.bytes != NULL);
    if (archive->len > 0)
        memcpy(larger.bytes, archive->bytes, archive->len);
    archive_fini(archive);
    *archive = larger;
}

static void append(struct archive *archive, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(archive->bytes + archive->len, bytes, len);
    archive->len += len;
}

static void add(struct archive *archive, enum archive_kind kind, struct slice name, struct slice bytes)
{
    struct head head = {kind, name.len, bytes.len};
    make_room(archive, sizeof head + name.len + bytes.len);
    append(archive, &head, sizeof head);
    append(archive, name.at, name.len);
    append(archive, bytes.at, bytes.len);
}

void archive_keep(enum archive_kind kind, const char *name, struct slice bytes)
{
    if (recording)
        add(recording, kind, slice_of(name), bytes);
}

/* --- reading --- */

struct record {
    enum archive_kind kind;
    struct slice name, bytes;
};

/* The record at `at`, which becomes the place of the next one; false behind the last. */
static bool next(const struct archive *archive, size_t *at, struct record *record_out)
{
    struct head head;
    if (archive->len - *at < sizeof head)
        return false;
    memcpy(&head, archive->bytes + *at, sizeof head);
    size_t left = archive->len - *at - sizeof head;
    CHECK(head.name_len <= left && head.len <= left - head.name_len);
    const char *name = archive->bytes + *at + sizeof head;
    *record_out = (struct record){(enum archive_kind)head.kind, slice_make(name, head.name_len),
                                  slice_make(name + head.name_len, head.len)};
    *at += sizeof head + head.name_len + head.len;
    return true;
}

static bool find(const struct archive *archive, enum archive_kind kind, struct slice name,
                 struct slice *bytes_out)
{
    struct record record;
    for (size_t at = 0; next(archive, &at, &record);) {
        if (record.kind != kind || !slice_equal(record.name, name))
            continue;
        *bytes_out = record.bytes;
        return true;
    }
    return false;
}

bool archive_find(enum archive_kind kind, const char *name, struct slice *bytes_out)
{
    return replaying && find(replaying, kind, slice_of(name), bytes_out);
}

bool archive_agrees(const struct archive *archive, const struct archive *newer)
{
    struct record record;
    struct slice bytes;
    for (size_t at = 0; next(newer, &at, &record);)
        if (!find(archive, record.kind, record.name, &bytes) || !slice_equal(bytes, record.bytes))
            return false;
    return true;
}

void archive_update(struct archive *archive, const struct archive *newer)
{
    struct archive updated = {0};
    struct record record;
    struct slice ignored;
    for (size_t at = 0; next(newer, &at, &record);)
        add(&updated, record.kind, record.name, record.bytes);
    for (size_t at = 0; next(archive, &at, &record);)
        if (!find(newer, record.kind, record.name, &ignored))
            add(&updated, record.kind, record.name, record.bytes);
    archive_fini(archive);
    *archive = updated;
}

/* --- as a file in memory --- */

int archive_to_memory(const struct archive *archive)
{
    int fd = memfd_create("portico-archive", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < archive->len) {
        ssize_t written = write(fd, archive->bytes + done, archive->len - done);
        if (written <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)written;
    }
    return fd;
}

bool archive_from_memory(struct archive *archive, int fd)
{
    struct stat status;
    bool is_open = fstat(fd, &status) == 0;
    size_t len = is_open ? (size_t)status.st_size : 0;
    make_room(archive, len);
    ssize_t part = 1;
    while (archive->len < len && part > 0) {
        part = pread(fd, archive->bytes + archive->len, len - archive->len, (off_t)archive->len);
        archive->len += part > 0 ? (size_t)part : 0;
    }
    close(fd);
    return is_open && archive->len == len;
}
