/*
 * The actions of cli/load_actions.h. Made by loadtest.c, done by the test's control thread at their time.
 */
#include "cli/load_actions.h"

#include "cli/running.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- reloads --- */

static void reload(void *arg, char text_out[LOAD_MARK_TEXT])
{
    const struct load_actions *actions = arg;
    bool sent = syscall(SYS_pidfd_send_signal, actions->handle, SIGHUP, NULL, 0) == 0;
    snprintf(text_out, LOAD_MARK_TEXT, "%s%s", sent ? "reload" : "no reload: ", sent ? "" : strerror(errno));
}

static int handle_of(pid_t pid)
{
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0)
        fprintf(stderr, "portico: --reload-every: process %d: %s\n", (int)pid, strerror(errno));
    return handle;
}

static bool add_reload(struct load_actions *actions)
{
    const struct load_options *options = actions->options;
    actions->handle = actions->trial ? handle_of(load_trial_pid(actions->trial))
                      : options->pid ? handle_of((pid_t)options->pid)
                                     : running_find(options->config);
    actions->at[actions->count++] =
        (struct load_action){options->reload_every_us, options->reload_every_us, reload, actions};
    return actions->handle >= 0;
}

/* --- an upstream that goes and comes back --- */

static void kill_upstream(void *arg, char text_out[LOAD_MARK_TEXT])
{
    const struct load_actions *actions = arg;
    load_trial_kill(actions->trial, actions->options->kill_upstream);
    snprintf(text_out, LOAD_MARK_TEXT, "%.*s is gone", SLICE_ARGS(actions->options->kill_upstream));
}

static void revive_upstream(void *arg, char text_out[LOAD_MARK_TEXT])
{
    const struct load_actions *actions = arg;
    struct slice name = actions->options->kill_upstream;
    bool good = load_trial_revive(actions->trial, name);
    snprintf(text_out, LOAD_MARK_TEXT, "%.*s is %s%s", SLICE_ARGS(name),
             good ? "back" : "not back: ", good ? "" : strerror(errno));
}

static bool add_kill(struct load_actions *actions)
{
    struct slice name = actions->options->kill_upstream;
    uint64_t third_us = actions->options->duration_us / 3;
    actions->at[actions->count++] = (struct load_action){third_us, 0, kill_upstream, actions};
    actions->at[actions->count++] = (struct load_action){2 * third_us, 0, revive_upstream, actions};
    if (load_trial_has(actions->trial, name))
        return true;
    fprintf(stderr, "portico: --kill-upstream %.*s: %s has no such upstream\n", SLICE_ARGS(name),
            actions->options->config);
    return false;
}

bool load_actions_make(struct load_actions *actions, const struct load_options *options,
                       struct load_trial *trial)
{
    *actions = (struct load_actions){.options = options, .trial = trial, .handle = -1};
    return (options->reload_every_us == 0 || add_reload(actions)) &&
           (options->kill_upstream.len == 0 || add_kill(actions));
}

void load_actions_fini(struct load_actions *actions)
{
    if (actions->handle >= 0)
        close(actions->handle);
    actions->handle = -1;
}
