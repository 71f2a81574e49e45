/*
 * The limits that the kernel sets to a process.
 */
#ifndef PORTICO_PROCESS_LIMITS_H
#define PORTICO_PROCESS_LIMITS_H

/* As many open files as the process may have. */
void limits_raise(void);

#endif
