/*
 * Users and groups behind process/privileges.h. Looked up in the supervisor, because a user database may be a
 * file that only root reads; the worker gets numbers.
 */
#include "process/privileges.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Whom the worker runs as when nobody is named; 65534 is the same for kernels and for most systems. */
static const char DEFAULT_USER[] = "nobody";
enum { DEFAULT_ID = 65534 };

static void *compile(const struct config *config, const void *previous, struct config_findings *findings)
{
    (void)previous;
    const struct config_text *user = &config->process.user, *group = &config->process.group;
    if (geteuid() != 0)
        return NULL;
    if (user->text.len > 0 && getpwnam(user->text.at) == NULL)
        config_error(findings, user->origin, "there is no user \"%.*s\"", SLICE_ARGS(user->text));
    if (group->text.len > 0 && getgrnam(group->text.at) == NULL)
        config_error(findings, group->origin, "there is no group \"%.*s\"", SLICE_ARGS(group->text));
    return NULL;
}

static void free_part(void *part)
{
    (void)part;
}

const struct config_module privileges_module = {.name = "privileges", .compile = compile, .free = free_part};

struct privileges privileges_of(const struct config_process *settings)
{
    struct privileges found = {.change = geteuid() == 0, .uid = DEFAULT_ID, .gid = DEFAULT_ID};
    const char *name = settings->user.text.len > 0 ? settings->user.text.at : DEFAULT_USER;
    if (!found.change)
        return found;
    int count = PRIVILEGES_GROUPS_MAX;
    const struct passwd *user = getpwnam(name);
    if (user) {
        found.uid = user->pw_uid;
        found.gid = user->pw_gid;
    }
    const struct group *group = settings->group.text.len > 0 ? getgrnam(settings->group.text.at) : NULL;
    if (group)
        found.gid = group->gr_gid;
    if (getgrouplist(name, found.gid, found.groups, &count) >= 0)
        found.group_count = (uint32_t)count;
    found.change = found.uid != 0;
    return found;
}

bool privileges_take(const struct privileges *privileges)
{
    if (!privileges->change)
        return true;
    if (setgroups(privileges->group_count, privileges->groups) == 0 && setgid(privileges->gid) == 0 &&
        setuid(privileges->uid) == 0) {
        CHECK(setuid(0) != 0);
        return true;
    }
    log_error("worker", "cannot become user %u, group %u: %s; process: { user: root } goes on as root",
              (unsigned)privileges->uid, (unsigned)privileges->gid, strerror(errno));
    return false;
}
