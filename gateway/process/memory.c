/*
 * The reading behind process/memory.h, from /proc and from the file system of control groups. Called by
 * overload.c; decides nothing. Inside a container the own group is often mounted as the outermost one, which
 * is why that one is always asked.
 */
#include "process/memory.h"

#include "base/read_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STATM_MAX = 128, LIMIT_TEXT_MAX = 1024, GROUPS_TEXT_MAX = 16 * 1024 };

static const char GROUPS[] = "/sys/fs/cgroup";

int memory_open(void)
{
    return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

/* proc_pid_statm(5): size, resident, and more, in pages. */
uint64_t memory_resident(int statm)
{
    char text[STATM_MAX];
    ssize_t len = statm < 0 ? 0 : pread(statm, text, sizeof text - 1, 0);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    char *resident;
    strtoull(text, &resident, 10);
    return strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* "max" and what cannot be read are no limit. */
static uint64_t limit_of(struct arena *arena, struct slice group)
{
    struct slice text;
    const char *path = arena_printf(arena, "%s%.*s/memory.max", GROUPS, SLICE_ARGS(group)).at;
    return read_file(arena, path, LIMIT_TEXT_MAX, &text) ? 0 : strtoull(text.at, NULL, 10);
}

/* The group in the hierarchy of version 2: the line "0::PATH" of cgroups(7). */
static struct slice own_group(struct arena *arena)
{
    struct slice text;
    if (read_file(arena, "/proc/self/cgroup", GROUPS_TEXT_MAX, &text))
        return slice_make(NULL, 0);
    const char *line = slice_starts_with(text, SLICE("0::")) ? text.at : strstr(text.at, "\n0::");
    if (line == NULL)
        return slice_make(NULL, 0);
    line = strstr(line, "0::") + 3;
    return slice_make(line, strcspn(line, "\n"));
}

uint64_t memory_allowed(void)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct slice group = own_group(&arena);
    uint64_t least = 0;
    for (;;) {
        uint64_t limit = limit_of(&arena, group);
        least = limit && (least == 0 || limit < least) ? limit : least;
        if (group.len == 0)
            break;
        while (group.len > 0 && group.at[--group.len] != '/')
            continue;
    }
    arena_fini(&arena);
    return least;
}
