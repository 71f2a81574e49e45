/*
 * Raising of process/limits.h. Called once by each process, before it opens anything.
 */
#include "process/limits.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

void limits_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("process", "cannot raise the limit of open files to %llu: %s",
                 (unsigned long long)limit.rlim_max, strerror(errno));
}
