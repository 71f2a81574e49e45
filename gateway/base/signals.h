/*
 * Which thread gets which signal: those that are sent to the process are the control thread's alone, those
 * that a thread brings upon itself (a wrong pointer, a forbidden system call) stay its own.
 */
#ifndef PORTICO_BASE_SIGNALS_H
#define PORTICO_BASE_SIGNALS_H

#include <signal.h>

/* Blocks what is sent to the process, in the calling thread and those that it starts until
 * signals_restore(). */
void signals_block(sigset_t *before_out);

/* Back to what was before. */
void signals_restore(const sigset_t *before);

#endif
