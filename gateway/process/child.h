/*
 * The worker as the supervisor sees it: a process of the same program with a link to it.
 */
#ifndef PORTICO_PROCESS_CHILD_H
#define PORTICO_PROCESS_CHILD_H

#include "process/crash.h"
#include "process/generation.h"

#include <sys/types.h>

/* Environment variable that makes a process a worker: the number of its end of the link. */
#define CHILD_LINK_VARIABLE "PORTICO_LINK"

/* A worker; pid 0: there is none. */
struct child {
    pid_t pid;
    int link;
    struct crash_scene *scene;
};

/* Starts a process with these arguments, the program's name first, and a link. False after logging why not.
 */
MUST_USE bool child_start(struct child *child, char **argv);

/* Sends it the first configuration and all that it needs before; log_destination -1: the log is off. For
 * `patience_ms` it may wait for names to resolve. */
MUST_USE bool child_begin(struct child *child, const struct generation *generation, int log_destination,
                          uint32_t patience_ms);

/* Sends it a generation; of the sockets what is not -1. */
MUST_USE bool child_serve(const struct child *child, const struct generation *generation);

/* Sends it the certificates' files. */
MUST_USE bool child_renew_tls(const struct child *child, const struct archive *files);

/* Sends it another destination of the access log. */
MUST_USE bool child_reopen_log(const struct child *child, int log_destination);

/* Says how it died, from waitpid()'s status, and what it did then. */
void child_report(const struct child *child, int status);

/* Closes the link and forgets it; the process has ended. */
void child_forget(struct child *child);

#endif
