/*
 * Whom the worker runs as: looked up by the supervisor, taken on by the worker before it reads anything.
 */
#ifndef PORTICO_PROCESS_PRIVILEGES_H
#define PORTICO_PROCESS_PRIVILEGES_H

#include "config/snapshot.h"

#include <sys/types.h>

/* Most supplementary groups of a user. */
enum { PRIVILEGES_GROUPS_MAX = 64 };

/* A user with its groups. */
struct privileges {
    bool change; /* otherwise everything stays as it is */
    uid_t uid;
    gid_t gid;
    gid_t groups[PRIVILEGES_GROUPS_MAX];
    uint32_t group_count;
};

/* Reports a process.user or process.group that does not exist, when started as root. Has no part. */
extern const struct config_module privileges_module;

/* Whom the configuration asks for: nobody unless it says otherwise, and no change without root. What
 * privileges_module has passed exists; a user that has gone since leaves everything to nobody's ids. */
struct privileges privileges_of(const struct config_process *settings);

/* Takes them on, for good. False after logging why not. */
MUST_USE bool privileges_take(const struct privileges *privileges);

#endif
