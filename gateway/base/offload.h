/*
 * Work that takes too long for a loop's thread (hashing a password), done by a few threads beside the loops:
 * a bounded number of jobs in the order of their coming, those of low rank behind the others. The threads are
 * started when there is work for them. A job posts its answer to the mailbox of whoever asked.
 */
#ifndef PORTICO_BASE_OFFLOAD_H
#define PORTICO_BASE_OFFLOAD_H

#include "base/check.h"

#include <stdbool.h>

struct offload;

/* Which jobs go first. Of four that are begun, one is of low rank when there is one. */
enum offload_rank { OFFLOAD_HIGH, OFFLOAD_LOW, OFFLOAD_RANKS };

/* Something to do. `run` is called once, on one of the threads, and owns the job; `stopping`: nobody waits
 * for the work any more, what is held is to be given back. */
struct offload_job {
    struct offload_job *next;
    void (*run)(struct offload_job *job, bool stopping);
};

/* At most so many threads, and so many jobs of each rank that wait for one. */
struct offload *offload_new(unsigned threads, unsigned waiting_max);

/* Runs what still waits as `stopping`, waits for the threads, frees it and stores NULL; before that, no
 * mailbox that jobs post to may be closed. Accepts NULL. */
void offload_free(struct offload **offload);

/* Hands a job over; false when too many of its rank wait. Any thread. */
MUST_USE bool offload_submit(struct offload *offload, struct offload_job *job, enum offload_rank rank);

#endif
