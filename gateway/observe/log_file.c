/*
 * Writing of whole lines, see observe/log_file.h. Called by the writer thread of the access log; must not
 * know lanes or records.
 */
#include "observe/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

int log_file_open(const char *path)
{
    if (path == NULL)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    /* O_NONBLOCK is for FIFOs: one that nobody reads must not hold the start. */
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
}

void log_file_use(struct log_file *file, int fd)
{
    struct stat st;
    if (file->fd >= 0)
        close(file->fd);
    *file = (struct log_file){.fd = fd, .is_regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)};
}

/* Whether a write of at most PIPE_BUF bytes will not block: a pipe that polls writable has room for that
 * much. */
static bool is_ready(const struct log_file *file)
{
    struct pollfd poll_fd = {.fd = file->fd, .events = POLLOUT};
    return file->is_regular || poll(&poll_fd, 1, LOG_FILE_WAIT_MS) > 0;
}

/* How much to give in one write: to a pipe, whole lines as long as they fit, so that those of other processes
 * on the same pipe cannot fall between. */
static size_t portion(const struct log_file *file, struct slice bytes)
{
    if (file->is_regular || bytes.len <= PIPE_BUF)
        return bytes.len;
    const char *last = memrchr(bytes.at, '\n', PIPE_BUF);
    return last ? (size_t)(last - bytes.at) + 1 : PIPE_BUF;
}

enum log_file_end log_file_write(struct log_file *file, struct slice lines, size_t *done_out)
{
    if (!is_ready(file))
        return LOG_FILE_BUSY;
    struct slice bytes = slice_after(lines, file->partial);
    ssize_t written = write(file->fd, bytes.at, portion(file, bytes));
    if (written < 0 && errno != EINTR)
        return LOG_FILE_FAILS;
    size_t out = file->partial + (written > 0 ? (size_t)written : 0);
    const char *last = out ? memrchr(lines.at, '\n', out) : NULL;
    *done_out = last ? (size_t)(last - lines.at) + 1 : 0;
    file->partial = out - *done_out;
    return LOG_FILE_TOOK;
}
