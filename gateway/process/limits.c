/*
 * Raising and checking of process/limits.h. Called once by each process, before it opens anything, and by the
 * supervisor for each configuration.
 */
#include "process/limits.h"

#include "base/log.h"
#include "base/pipe.h"

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

enum {
    FEW_CLIENTS = 1000,             /* of a gateway whose configuration names no number */
    OWN_FILES = 64,                 /* of the process: logs, loops, mailboxes, names being resolved */
    PER_THREAD = 4 + 2 * PIPES_MAX, /* its loop, its timers, its letters, its names; its pipes */
    PER_CLIENT = 2                  /* its connection and one to an upstream */
};

static uint64_t own_files(const struct config *config, uint32_t threads)
{
    return OWN_FILES + (uint64_t)threads * (config->listener_count + PER_THREAD);
}

uint64_t limits_sockets(const struct config *config, uint32_t threads)
{
    struct rlimit limit;
    uint64_t own = own_files(config, threads);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT32_MAX;
    return limit.rlim_cur / 2 > own ? limit.rlim_cur - own : limit.rlim_cur / 2;
}

void limits_check(const struct config *config, uint32_t threads)
{
    struct rlimit limit;
    uint64_t clients = config->client.connections_max, own = own_files(config, threads);
    uint64_t needed = own + PER_CLIENT * (clients ? clients : FEW_CLIENTS);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= needed)
        return;
    uint64_t room = limit.rlim_max > own ? (limit.rlim_max - own) / PER_CLIENT : 0;
    log_warn(
        "process",
        "%llu open files are allowed, room for about %llu clients; allow %llu: LimitNOFILE= of the systemd "
        "unit, --ulimit nofile= of the container, or ulimit -Hn",
        (unsigned long long)limit.rlim_max, (unsigned long long)room, (unsigned long long)needed);
}
