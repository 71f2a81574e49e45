/*
 * How other threads reach a thread with a loop: letters are queued under a lock and delivered on the worker's
 * own loop. Never used in the path of a request that finds all it needs on its own thread.
 */
#ifndef PORTICO_BASE_MAILBOX_H
#define PORTICO_BASE_MAILBOX_H

#include <pthread.h>

struct event;
struct event_base;

/* Something for a worker to do; `deliver` runs on the worker and owns the letter. */
struct letter {
    struct letter *next;
    void (*deliver)(struct letter *letter, void *receiver);
};

/* A worker's mailbox. */
struct mailbox {
    struct {
        pthread_mutex_t lock;
        struct letter *first, **last;
    } shared;
    int event_fd;
    struct event *event;
    void *receiver;
};

/* Opens the mailbox on the receiver's loop; letters are delivered with `receiver`. */
void mailbox_open(struct mailbox *mailbox, struct event_base *base, void *receiver);

/* Closes it; letters still in it are delivered first, on the calling thread. */
void mailbox_close(struct mailbox *mailbox);

/* Delivers what is there now; on the receiver's thread. */
void mailbox_deliver(struct mailbox *mailbox);

/* Puts a letter in; any thread. The mailbox owns it from now on. */
void mailbox_post(struct mailbox *mailbox, struct letter *letter);

#endif
