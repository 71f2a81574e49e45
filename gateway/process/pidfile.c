/*
 * The file of process/pidfile.h. Called by supervisor.c, and by the commands that look for a running gateway.
 */
#include "process/pidfile.h"

#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_off(const struct config_process *settings)
{
    return slice_equal(settings->pidfile, SLICE("off"));
}

static bool write_number(const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    bool written = fprintf(file, "%d\n", (int)getpid()) > 0;
    return fclose(file) == 0 && written;
}

void pidfile_write(const struct config_process *settings)
{
    char next[PATH_MAX];
    if (is_off(settings))
        return;
    int len = snprintf(next, sizeof next, "%s.new", settings->pidfile.at);
    if (len >= (int)sizeof next || !write_number(next) || rename(next, settings->pidfile.at) != 0)
        log_error("supervisor", "cannot write the pidfile %s: %s", settings->pidfile.at, strerror(errno));
}

void pidfile_remove(const struct config_process *settings)
{
    if (!is_off(settings) && pidfile_read(settings->pidfile.at) == getpid())
        unlink(settings->pidfile.at);
}

pid_t pidfile_read(const char *path)
{
    int pid = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    bool is_number = fscanf(file, "%d", &pid) == 1 && pid > 0;
    fclose(file);
    return is_number ? pid : 0;
}
