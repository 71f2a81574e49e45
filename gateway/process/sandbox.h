/*
 * What a worker gives up for good before it reads the first byte from anybody: capabilities, privileges that
 * programs could give it, writing to the file system, and all system calls but those of tables/syscalls.def.
 */
#ifndef PORTICO_PROCESS_SANDBOX_H
#define PORTICO_PROCESS_SANDBOX_H

#include "base/check.h"
#include "config/config.h"

#include <stdbool.h>

/* Enters it, the calling thread and all that it starts. CONFIG_SANDBOX_LOG lets system calls pass and has the
 * kernel's audit log name them. False after logging why not. A build with a sanitizer has none: true. */
MUST_USE bool sandbox_enter(enum config_sandbox mode);

/* The name of a system call, to be freed. */
char *sandbox_syscall_name(int number);

#endif
