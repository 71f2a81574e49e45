/*
 * The ready lists and the graveyard of base/task.h. Called by every floor that wakes, and drained by the
 * thread's loop; knows nothing of what the tasks do.
 */
#include "base/task.h"

#include "base/check.h"
#include "base/prefetch.h"

enum { TASK_NEAR = 128 }; /* bytes from a task on that its run touches, as a rule */

void task_queue_init(struct task_queue *queue)
{
    ring_init(&queue->ready);
    ring_init(&queue->late);
    ring_init(&queue->ended);
    queue->graves = NULL;
}

void task_init(struct task *task, struct task_queue *queue, void (*run)(struct task *task), bool late)
{
    *task = (struct task){.line = late ? &queue->late : &queue->ready, .run = run};
}

void task_cancel(struct task *task)
{
    if (list_linked(&task->node))
        ring_remove(&task->node);
}

void task_end(struct task_queue *queue, struct task *task, void (*run)(struct task *task))
{
    CHECK(task->line != &queue->ended);
    task_cancel(task);
    *task = (struct task){.line = &queue->ended, .run = run};
    task_wake(task);
}

void task_bury(struct task_queue *queue, struct grave *grave, void (*free_fn)(struct grave *grave))
{
    CHECK(grave->free == NULL);
    grave->free = free_fn;
    grave->next = queue->graves;
    queue->graves = grave;
}

/* What lies around the task behind it comes while this one runs. */
static struct list_node *take_first(struct list_node *ring)
{
    struct list_node *node = ring_pop(ring);
    prefetch(ring->next, TASK_NEAR);
    return node;
}

static struct list_node *next_ready(struct task_queue *queue)
{
    struct list_node *node = take_first(&queue->ready);
    if (node == NULL)
        node = take_first(&queue->late);
    return node ? node : ring_pop(&queue->ended);
}

void task_drain(struct task_queue *queue)
{
    struct list_node *node;
    while ((node = next_ready(queue)) != NULL) {
        struct task *task = CONTAINER_OF(node, task, node);
        task->run(task);
    }
    while (queue->graves) {
        struct grave *grave = queue->graves;
        queue->graves = grave->next;
        grave->free(grave);
    }
}
