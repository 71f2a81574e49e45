/*
 * Reading behind config/read_file.h. The file is looked at before it is opened, because opening some devices
 * acts on them, and again after, because it may have been exchanged in between.
 */
#include "config/read_file.h"

#include "config/value.h"

#include <errno.h>
#include <fcntl.h>
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
    char text[VALUE_TEXT_MAX];
    value_print(VALUE_SIZE, limit, text);
    return arena_printf(arena, "is larger than %s", text).at;
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

const char *read_file(struct arena *arena, const char *path, size_t limit, struct slice *bytes_out)
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
