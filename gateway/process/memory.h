/*
 * How much memory this process holds, and how much the control group that it runs in may have.
 */
#ifndef PORTICO_PROCESS_MEMORY_H
#define PORTICO_PROCESS_MEMORY_H

#include <stdint.h>

/* What memory_resident() reads, opened; -1 where there is no /proc. To be closed. */
int memory_open(void);

/* Bytes that are resident now; 0: not known. One system call. */
uint64_t memory_resident(int statm);

/* The least that memory.max says for the process's control group (version 2) and for those around it, as far
 * as they can be seen from here; 0: nothing. */
uint64_t memory_allowed(void);

#endif
