/*
 * What a worker was doing when it died: it leaves the scene in a page of memory that it shares with the
 * supervisor, which tells about it. Works for signals that the process brings upon itself; one that is killed
 * from outside leaves nothing.
 */
#ifndef PORTICO_PROCESS_CRASH_H
#define PORTICO_PROCESS_CRASH_H

#include "base/check.h"

#include <stdbool.h>

/* The page. Texts are terminated; empty when no step was running. */
struct crash_scene {
    int signal;  /* 0: nobody has died */
    int syscall; /* SIGSYS: the one that was not allowed */
    char step[32];
    char request[64];
};

/* In the supervisor: an empty scene, and the file in memory (to be handed to the worker); NULL with errno. */
MUST_USE struct crash_scene *crash_scene_new(int *fd_out);

/* In the supervisor: forgets it and stores NULL; accepts NULL. */
void crash_scene_free(struct crash_scene **scene);

/* In the worker: from now on a crash is recorded there. Takes the file over; -1 for none. */
void crash_watch(int fd);

#endif
