/*
 * What every floor of one worker thread shares: its event loop, its tasks, timers, blocks and clock. Owned
 * and turned by process/thread.c; everything else holds a pointer. Nothing in here may be touched by another
 * thread, but that letters may be posted to the mailbox.
 */
#ifndef PORTICO_BASE_LOOP_H
#define PORTICO_BASE_LOOP_H

#include "base/block.h"
#include "base/clock.h"
#include "base/freelist.h"
#include "base/pipe.h"
#include "base/task.h"
#include "base/timer.h"

struct counters;
struct mailbox;
struct offload;

/* One thread's loop. */
struct loop {
    struct event_base *base;
    struct task_queue tasks;
    struct block_pool blocks;
    struct pipe_pool pipes;
    struct block *text;        /* what conns compose heads in, one behind the other; NULL at first */
    struct freelist tx_queues; /* for net/conn.c */
    struct clock clock;
    struct timer_wheel *timers;
    struct list handshakes; /* for net/conn_tls.c: what waits for its turn */
    struct counters *counters;
    struct offload *offload; /* the process's, for work that takes long; ends before the mailbox does */
    struct mailbox *mailbox; /* where other threads reach this one; open until all threads have ended */
};

#endif
