/*
 * Raising and checking of process/limits.h. Called once by each process, before it opens anything, and by the
 * supervisor for each configuration.
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

enum {
    FEW_CLIENTS = 1000, /* of a gateway whose configuration names no number */
    OWN_FILES = 64,     /* of the process: logs, loops, mailboxes, names being resolved */
    PER_CLIENT = 2      /* its connection and one to an upstream */
};

void limits_check(const struct config *config, uint32_t threads)
{
    struct rlimit limit;
    uint64_t clients = (uint64_t)config->client.connections_max * threads;
    uint64_t needed = OWN_FILES + (uint64_t)threads * config->listener_count +
                      PER_CLIENT * (clients ? clients : FEW_CLIENTS);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max >= needed)
        return;
    uint64_t room = limit.rlim_max > OWN_FILES ? (limit.rlim_max - OWN_FILES) / PER_CLIENT : 0;
    log_warn(
        "process",
        "%llu open files are allowed, room for about %llu clients; allow %llu: LimitNOFILE= of the systemd "
        "unit, --ulimit nofile= of the container, or ulimit -Hn",
        (unsigned long long)limit.rlim_max, (unsigned long long)room, (unsigned long long)needed);
}
