/*
 * What a thread does when its socket callbacks have returned, or one that brought much: tasks that were woken
 * run, in the order of their waking; then the late ones (writes that coalesce what the others queued); then
 * what was buried is freed. Nothing here calls back into the caller's stack, so every decision is made from
 * the thread's own loop. One queue belongs to one thread.
 */
#ifndef PORTICO_BASE_TASK_H
#define PORTICO_BASE_TASK_H

#include "base/list.h"

struct task_queue;

/* A piece of work that can be woken; a member of the object it works on. */
struct task {
    struct list_node node;
    struct list_node *line; /* the queue's ring that it is woken into */
    void (*run)(struct task *task);
};

/* Something to free at the end of the turn; a member of the object that dies, if that has no task. */
struct grave {
    struct grave *next;
    void (*free)(struct grave *grave);
};

/* A thread's woken tasks and its dead. */
struct task_queue {
    struct list_node ready, late, ended; /* rings */
    struct grave *graves;
};

/* Makes an empty queue. */
void task_queue_init(struct task_queue *queue);

/* Runs everything that is ready until nothing is, then frees what was buried. */
void task_drain(struct task_queue *queue);

/* Prepares a task for a queue; `late` tasks run when no other is ready. */
void task_init(struct task *task, struct task_queue *queue, void (*run)(struct task *task), bool late);

/* Makes the task run once in the coming drain; waking it again before then changes nothing. */
static inline void task_wake(struct task *task)
{
    if (!list_linked(&task->node))
        ring_append(task->line, &task->node);
}

/* Whether any task but the late ones waits for its run. */
static inline bool task_others_ready(const struct task_queue *queue)
{
    return queue->ready.next != &queue->ready;
}

/* The task will not run, even if it was woken. */
void task_cancel(struct task *task);

/* The task will run for the last time, as `run`, which frees the object it is a member of at the end of the
 * turn; nobody may wake or use it again. */
void task_end(struct task_queue *queue, struct task *task, void (*run)(struct task *task));

/* Frees the object through `free` at the end of the turn; nobody may wake or use it again. */
void task_bury(struct task_queue *queue, struct grave *grave, void (*free)(struct grave *grave));

#endif
