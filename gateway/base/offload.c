/*
 * The queues and threads behind base/offload.h. Called by policies through their loop, and by the server that
 * makes it; knows nothing of what the jobs do.
 */
#include "base/offload.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { OFFLOAD_THREADS_MAX = 16, LOW_EVERY = 4 };

struct queue {
    struct offload_job *first, **last;
    unsigned count;
};

struct offload {
    unsigned threads_max, waiting_max;
    struct {
        pthread_mutex_t lock;
        pthread_cond_t filled;
        struct queue queues[OFFLOAD_RANKS];
        pthread_t threads[OFFLOAD_THREADS_MAX];
        unsigned thread_count, idle_count;
        unsigned begun;
        bool stopping;
    } shared;
};

struct offload *offload_new(unsigned threads, unsigned waiting_max)
{
    struct offload *offload = calloc(1, sizeof *offload);
    CHECK(offload != NULL && threads > 0);
    offload->threads_max = threads < OFFLOAD_THREADS_MAX ? threads : OFFLOAD_THREADS_MAX;
    offload->waiting_max = waiting_max;
    pthread_mutex_init(&offload->shared.lock, NULL);
    pthread_cond_init(&offload->shared.filled, NULL);
    for (unsigned rank = 0; rank < OFFLOAD_RANKS; rank++)
        offload->shared.queues[rank].last = &offload->shared.queues[rank].first;
    return offload;
}

static struct offload_job *pop(struct queue *queue)
{
    struct offload_job *job = queue->first;
    queue->first = job->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue->count--;
    return job;
}

/* The next job, or NULL; under the lock. */
static struct offload_job *next_job(struct offload *offload)
{
    struct queue *high = &offload->shared.queues[OFFLOAD_HIGH], *low = &offload->shared.queues[OFFLOAD_LOW];
    if (high->count + low->count == 0)
        return NULL;
    bool lows_turn = ++offload->shared.begun % LOW_EVERY == 0;
    return pop(low->count > 0 && (lows_turn || high->count == 0) ? low : high);
}

static void *work(void *arg)
{
    struct offload *offload = arg;
    pthread_mutex_lock(&offload->shared.lock);
    for (;;) {
        struct offload_job *job = next_job(offload);
        bool stopping = offload->shared.stopping;
        if (job == NULL && stopping)
            break;
        if (job == NULL) {
            offload->shared.idle_count++;
            pthread_cond_wait(&offload->shared.filled, &offload->shared.lock);
            offload->shared.idle_count--;
            continue;
        }
        pthread_mutex_unlock(&offload->shared.lock);
        job->run(job, stopping);
        pthread_mutex_lock(&offload->shared.lock);
    }
    pthread_mutex_unlock(&offload->shared.lock);
    return NULL;
}

/* One more thread, with every signal blocked: these are the control thread's. Under the lock; the first must
 * start, the others are a gain. */
static void start_thread(struct offload *offload)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t *thread = &offload->shared.threads[offload->shared.thread_count];
    bool started = pthread_create(thread, NULL, work, offload) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    offload->shared.thread_count += started;
}

bool offload_submit(struct offload *offload, struct offload_job *job, enum offload_rank rank)
{
    pthread_mutex_lock(&offload->shared.lock);
    struct queue *queue = &offload->shared.queues[rank];
    unsigned waiting = offload->shared.queues[OFFLOAD_HIGH].count + offload->shared.queues[OFFLOAD_LOW].count;
    if (waiting >= offload->shared.idle_count && offload->shared.thread_count < offload->threads_max)
        start_thread(offload);
    bool taken = queue->count < offload->waiting_max && offload->shared.thread_count > 0;
    if (taken) {
        job->next = NULL;
        *queue->last = job;
        queue->last = &job->next;
        queue->count++;
        pthread_cond_signal(&offload->shared.filled);
    }
    pthread_mutex_unlock(&offload->shared.lock);
    return taken;
}

void offload_free(struct offload **offload_at)
{
    struct offload *offload = *offload_at;
    *offload_at = NULL;
    if (offload == NULL)
        return;
    pthread_mutex_lock(&offload->shared.lock);
    offload->shared.stopping = true;
    pthread_cond_broadcast(&offload->shared.filled);
    pthread_mutex_unlock(&offload->shared.lock);
    for (unsigned i = 0; i < offload->shared.thread_count; i++)
        pthread_join(offload->shared.threads[i], NULL);
    pthread_mutex_destroy(&offload->shared.lock);
    pthread_cond_destroy(&offload->shared.filled);
    free(offload);
}
