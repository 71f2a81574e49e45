/*
 * base/task: the order of a drain, waking while it runs, cancelling, and that the dead are freed last.
 */
#include "base/task.h"

#include "base/check.h"
#include "../dies.h"

#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

/* What happened, one letter each. */
static char story[64];
static size_t story_len;

static void tell(char letter)
{
    assert_true(story_len < sizeof story - 1);
    story[story_len++] = letter;
    story[story_len] = '\0';
}

struct actor {
    struct task_queue *queue;
    struct task task;
    struct grave grave;
    char letter;
    struct actor *wakes, *cancels, *buries;
};

static void on_grave(struct grave *grave)
{
    struct actor *actor = (struct actor *)(void *)((char *)grave - offsetof(struct actor, grave));
    tell((char)(actor->letter - 32));
}

static void on_run(struct task *task)
{
    struct actor *actor = (struct actor *)(void *)((char *)task - offsetof(struct actor, task));
    tell(actor->letter);
    struct actor *wakes = actor->wakes, *buries = actor->buries;
    actor->wakes = actor->buries = NULL;
    if (wakes)
        task_wake(&wakes->task);
    if (actor->cancels)
        task_cancel(&actor->cancels->task);
    if (buries)
        task_bury(actor->queue, &buries->grave, on_grave);
}

struct stage {
    struct task_queue queue;
    struct actor a, b, c, z; /* z is late */
};

static void set_up(struct stage *stage)
{
    memset(stage, 0, sizeof *stage);
    story_len = 0;
    story[0] = '\0';
    task_queue_init(&stage->queue);
    struct actor *actors[] = {&stage->a, &stage->b, &stage->c, &stage->z};
    for (size_t i = 0; i < 4; i++) {
        task_init(&actors[i]->task, &stage->queue, on_run, i == 3);
        actors[i]->queue = &stage->queue;
        actors[i]->letter = "abcz"[i];
    }
}

static void tasks_run_once_in_the_order_of_waking(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    task_wake(&stage.b.task);
    task_wake(&stage.a.task);
    task_wake(&stage.b.task);
    task_drain(&stage.queue);
    assert_string_equal(story, "ba");
    task_drain(&stage.queue);
    assert_string_equal(story, "ba");
}

static void late_tasks_run_when_nothing_else_is_ready(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    stage.z.wakes = &stage.c;
    stage.a.wakes = &stage.b;
    task_wake(&stage.z.task);
    task_wake(&stage.a.task);
    task_drain(&stage.queue);
    assert_string_equal(story, "abzc");
}

static void a_task_may_wake_itself(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    stage.a.wakes = &stage.a;
    task_wake(&stage.a.task);
    task_wake(&stage.b.task);
    task_drain(&stage.queue);
    assert_string_equal(story, "aba");
}

static void a_cancelled_task_does_not_run(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    stage.a.cancels = &stage.b;
    task_wake(&stage.a.task);
    task_wake(&stage.b.task);
    task_wake(&stage.c.task);
    task_drain(&stage.queue);
    assert_string_equal(story, "ac");
    task_cancel(&stage.b.task);
    task_cancel(&stage.z.task);
    task_wake(&stage.z.task);
    task_cancel(&stage.z.task);
    task_drain(&stage.queue);
    assert_string_equal(story, "ac");
    struct task never_prepared = {0};
    task_cancel(&never_prepared);
}

static void the_dead_are_freed_after_everything(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    stage.a.buries = &stage.a;
    stage.z.buries = &stage.c;
    task_wake(&stage.z.task);
    task_wake(&stage.a.task);
    task_wake(&stage.b.task);
    task_drain(&stage.queue);
    assert_int_equal(story_len, 5);
    assert_memory_equal(story, "abz", 3);
    assert_non_null(strchr(story, 'A'));
    assert_non_null(strchr(story, 'C'));
}

static void on_end(struct task *task)
{
    struct actor *actor = (struct actor *)(void *)((char *)task - offsetof(struct actor, task));
    tell((char)(actor->letter - 32));
}

/* An object that has a task needs no grave: woken or not, the task runs once more, behind all others. */
static void a_task_ends_after_everything(void **state)
{
    (void)state;
    struct stage stage;
    set_up(&stage);
    task_wake(&stage.a.task);
    task_end(&stage.queue, &stage.a.task, on_end);
    task_end(&stage.queue, &stage.c.task, on_end);
    task_wake(&stage.c.task); /* nobody does, but it would change nothing */
    stage.b.wakes = &stage.z;
    task_wake(&stage.b.task);
    task_drain(&stage.queue);
    assert_string_equal(story, "bzAC");
    task_drain(&stage.queue);
    assert_string_equal(story, "bzAC");
}

static void end_twice(void)
{
    struct stage stage;
    set_up(&stage);
    task_end(&stage.queue, &stage.a.task, on_end);
    task_end(&stage.queue, &stage.a.task, on_end);
}

static void bury_twice(void)
{
    struct stage stage;
    set_up(&stage);
    task_bury(&stage.queue, &stage.a.grave, on_grave);
    task_bury(&stage.queue, &stage.a.grave, on_grave);
}

static void nothing_dies_twice(void **state)
{
    (void)state;
    assert_true(dies(bury_twice));
    assert_true(dies(end_twice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_run_once_in_the_order_of_waking),
        cmocka_unit_test(late_tasks_run_when_nothing_else_is_ready),
        cmocka_unit_test(a_task_may_wake_itself),
        cmocka_unit_test(a_task_ends_after_everything),
        cmocka_unit_test(a_cancelled_task_does_not_run),
        cmocka_unit_test(the_dead_are_freed_after_everything),
        cmocka_unit_test(nothing_dies_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
