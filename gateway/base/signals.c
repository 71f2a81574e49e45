/*
 * The masks of base/signals.h. Called around the starts of threads. A blocked SIGSEGV would end the process
 * without its handler, and nobody would know where.
 */
#include "base/signals.h"

#include <pthread.h>
#include <stddef.h>

static const int OWN[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

void signals_block(sigset_t *before_out)
{
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++)
        sigdelset(&blocked, OWN[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, before_out);
}

void signals_restore(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}
