/*
 * Reading behind base/read_file.h: from the archive that is replayed, else from disk. The file is looked at
 * before it is opened, because opening some devices acts on them, and again after, because it may have been
 * exchanged in between.
 */
#include "base/read_file.h"

#include "base/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *failure(struct arena *arena, int error)
{
    char text[128];
    return arena_printf(arena, "cannot be read: %s", strerror_r(error, text, sizeof text)).at;
}

static const char *unfit(struct arena *arena, const struct stat *st, size_t limit)
{
    if (!S_ISREG(st->st_mode))
        return "is not a regular file";
    if (st->st_size <= (off_t)limit)
        return NULL;
    size_t kib = limit / 1024;
    bool whole = kib % 1024 == 0;
    return arena_printf(arena, "is larger than %zu%s", whole ? kib / 1024 : kib, whole ? "MiB" : "KiB").at;
}

/* Reads to the end or until the buffer is full; -1 on error. */
static ssize_t read_all(int fd, char *buffer, size_t capacity)
{
    size_t used = 0;
    while (used < capacity) {
        ssize_t n = read(fd, buffer + used, capacity - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

static const char *read_open(struct arena *arena, int fd, size_t limit, struct slice *bytes_out)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return failure(arena, errno);
    const char *problem = unfit(arena, &st, limit);
    if (problem)
        return problem;
    /* files of /proc say that they are empty */
    size_t capacity = st.st_size > 0 ? (size_t)st.st_size + 1 : limit + 1;
    char *buffer = arena_alloc(arena, capacity + 1);
    ssize_t used = read_all(fd, buffer, capacity);
    if (used < 0)
        return failure(arena, errno);
    if ((size_t)used == capacity)
        return "changed while it was read";
    buffer[used] = '\0';
    *bytes_out = slice_make(buffer, (size_t)used);
    return NULL;
}

static const char *read_from_disk(struct arena *arena, const char *path, size_t limit,
                                  struct slice *bytes_out)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return failure(arena, errno);
    const char *problem = unfit(arena, &st, limit);
    if (problem)
        return problem;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return failure(arena, errno);
    problem = read_open(arena, fd, limit, bytes_out);
    close(fd);
    return problem;
}

const char *read_file(struct arena *arena, const char *path, size_t limit, struct slice *bytes_out)
{
    struct slice kept;
    if (archive_find(ARCHIVE_FILE, path, &kept)) {
        *bytes_out = slice_make(arena_copy(arena, kept), kept.len);
        archive_keep(ARCHIVE_FILE, path, kept);
        return NULL;
    }
    const char *problem = read_from_disk(arena, path, limit, bytes_out);
    if (problem == NULL)
        archive_keep(ARCHIVE_FILE, path, *bytes_out);
    return problem;
}

/* --- patterns --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One behind the other, each terminated. */
static struct slice match(struct arena *arena, const char *pattern)
{
    glob_t matches = {0};
    size_t count = glob(pattern, GLOB_NOSORT, NULL, &matches) == 0 ? matches.gl_pathc : 0, len = 0;
    for (size_t i = 0; i < count; i++)
        len += strlen(matches.gl_pathv[i]) + 1;
    char *names = arena_alloc(arena, len + 1), *end = names;
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, matches.gl_pathv[i]) + 1;
    globfree(&matches);
    return slice_make(names, len);
}

struct file_names find_files(struct arena *arena, const char *pattern)
{
    struct slice names;
    struct file_names found = {NULL, 0};
    if (archive_find(ARCHIVE_MATCHES, pattern, &names))
        names = slice_make(arena_copy(arena, names), names.len);
    else
        names = match(arena, pattern);
    archive_keep(ARCHIVE_MATCHES, pattern, names);
    for (size_t i = 0; i < names.len; i++)
        found.count += names.at[i] == '\0';
    found.at = arena_alloc(arena, (found.count + 1) * sizeof *found.at);
    for (size_t i = 0; i < found.count; i++, names = slice_after(names, strlen(names.at) + 1))
        found.at[i] = names.at;
    qsort(found.at, found.count, sizeof *found.at, compare_names);
    return found;
}
