/*
 * The process and the stand-ins of cli/load_trial.h. The child serves as `try` does; it learns over one pipe
 * where the stand-ins are and says over another that it serves. What it logs is kept apart from the test's
 * own words and shown when it has failed.
 */
#include "cli/load_trial.h"

#include "cli/lift.h"
#include "cli/running.h"
#include "cli/serve.h"
#include "cli/standin.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG_SHOWN_MAX = 64 * 1024, PATIENCE_MS = 3000 };

/* An upstream and who stands in for it. */
struct stand {
    char *name;
    unsigned port;
    struct standins *standin; /* NULL while it is gone */
};

struct load_trial {
    pid_t pid;
    int log;                /* what the child has logged */
    int ports[2], ready[2]; /* pipes: to the child, from it */
    bool serves;
    struct stand *stands;
    unsigned stand_count;
};

static bool complain(const char *what)
{
    fprintf(stderr, "portico: --try: %s: %s\n", what, strerror(errno));
    return false;
}

static struct stand *find(const struct load_trial *trial, struct slice upstream)
{
    for (unsigned i = 0; i < trial->stand_count; i++)
        if (slice_equal(slice_of(trial->stands[i].name), upstream))
            return &trial->stands[i];
    return NULL;
}

/* --- the child --- */

static bool read_ports(struct load_trial *trial)
{
    if (trial->ports[0] < 0)
        return true; /* known since the first time */
    for (unsigned i = 0; i < trial->stand_count; i++)
        if (read(trial->ports[0], &trial->stands[i].port, sizeof(unsigned)) != (ssize_t)sizeof(unsigned))
            return false;
    close(trial->ports[0]);
    trial->ports[0] = -1;
    return true;
}

static bool arrange_upstream(const struct load_trial *trial, struct config *config,
                             struct config_upstream *upstream)
{
    const struct stand *stand = find(trial, upstream->name);
    if (stand == NULL) {
        fprintf(stderr, "portico: there is no stand-in for %.*s, which is new\n", SLICE_ARGS(upstream->name));
        return false;
    }
    struct slice text = arena_printf(&config->arena, "127.0.0.1:%u", stand->port);
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        upstream->servers[i].text = text;
        CHECK(endpoint_name_parse(text, &upstream->servers[i].name));
    }
    return true;
}

static bool arrange(void *arg, struct snapshot *snapshot)
{
    struct load_trial *trial = arg;
    struct config *config = snapshot->config;
    lift_listeners(config, NULL, NULL);
    if (!slice_equal(config->log.access, SLICE("off")))
        config->log.access = SLICE("stdout"); /* which is nowhere: a test is no traffic, but logging costs */
    if (!read_ports(trial))
        return false;
    for (uint32_t i = 0; i < config->upstream_count; i++)
        if (!arrange_upstream(trial, config, &config->upstreams[i]))
            return false;
    return true;
}

static void say_ready(void *arg, const struct snapshot *snapshot)
{
    const struct load_trial *trial = arg;
    (void)snapshot;
    if (write(trial->ready[1], "!", 1) == 1)
        close(trial->ready[1]);
}

/* A process group of its own: Control-C is for the test, which then stops it. */
static _Noreturn void serve(struct load_trial *trial, const char *path, char **argv)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(trial->log, STDERR_FILENO);
    close(trial->ports[1]);
    close(trial->ready[0]);
    struct serve_hooks hooks = {.arrange = arrange, .ready = say_ready, .arg = trial};
    exit(cli_serve(path, &hooks, argv));
}

/* --- the test --- */

static void show_log(const struct load_trial *trial)
{
    static char text[LOG_SHOWN_MAX];
    ssize_t len = pread(trial->log, text, sizeof text, 0);
    if (len > 0)
        fwrite(text, 1, (size_t)len, stderr);
}

static bool open_stand(struct stand *stand)
{
    struct standins *standins = standins_new();
    unsigned port = standins_take(standins, slice_of(stand->name), stand->port);
    if (port == 0) {
        int error = errno;
        standins_stop(&standins);
        errno = error;
        return false;
    }
    stand->port = port;
    stand->standin = standins;
    return true;
}

static bool open_stands(struct load_trial *trial)
{
    for (unsigned i = 0; i < trial->stand_count; i++) {
        struct stand *stand = &trial->stands[i];
        if (!open_stand(stand))
            return complain("no stand-in");
        if (write(trial->ports[1], &stand->port, sizeof stand->port) != (ssize_t)sizeof stand->port)
            return complain("the gateway has gone");
    }
    return true;
}

static bool wait_until_ready(struct load_trial *trial)
{
    char answer;
    trial->serves = read(trial->ready[0], &answer, 1) == 1;
    if (trial->serves)
        return true;
    fprintf(stderr, "portico: --try: the gateway does not start:\n");
    show_log(trial);
    return false;
}

static struct load_trial *new_trial(const struct config *config)
{
    struct load_trial *trial = calloc(1, sizeof *trial);
    CHECK(trial != NULL);
    trial->stands = calloc(config->upstream_count + 1, sizeof *trial->stands);
    CHECK(trial->stands != NULL);
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        struct slice name = config->upstreams[i].name;
        trial->stands[trial->stand_count++].name = strndup(name.at, name.len);
    }
    trial->log = memfd_create("gateway", MFD_CLOEXEC);
    CHECK(trial->log >= 0 && pipe2(trial->ports, O_CLOEXEC) == 0 && pipe2(trial->ready, O_CLOEXEC) == 0);
    fcntl(trial->log, F_SETFL, O_APPEND);
    return trial;
}

struct load_trial *load_trial_start(const char *path, const struct config *config, char **argv)
{
    struct load_trial *trial = new_trial(config);
    signal(SIGPIPE, SIG_IGN);
    trial->pid = fork();
    CHECK(trial->pid >= 0);
    if (trial->pid == 0)
        serve(trial, path, argv);
    close(trial->ports[0]);
    close(trial->ready[1]);
    trial->ports[0] = trial->ready[1] = -1;
    if (!open_stands(trial) || !wait_until_ready(trial))
        load_trial_stop(&trial);
    return trial;
}

pid_t load_trial_pid(const struct load_trial *trial)
{
    return trial->pid;
}

bool load_trial_has(const struct load_trial *trial, struct slice upstream)
{
    return find(trial, upstream) != NULL;
}

void load_trial_kill(struct load_trial *trial, struct slice upstream)
{
    standins_stop(&find(trial, upstream)->standin);
}

bool load_trial_revive(struct load_trial *trial, struct slice upstream)
{
    struct stand *stand = find(trial, upstream);
    return stand->standin != NULL || open_stand(stand);
}

/* Whether it served to the end. Clients have gone by now, so it has nothing to wait for. */
static bool end_gateway(struct load_trial *trial)
{
    static const int insistence[] = {SIGTERM, SIGTERM, SIGKILL};
    int status = 0, handle = (int)syscall(SYS_pidfd_open, trial->pid, 0);
    bool was_there = waitpid(trial->pid, &status, WNOHANG) == 0, has_ended = !was_there;
    for (unsigned i = 0; i < sizeof insistence / sizeof insistence[0] && !has_ended; i++) {
        kill(trial->pid, insistence[i]);
        has_ended = handle < 0 || running_wait(handle, PATIENCE_MS);
    }
    if (was_there)
        waitpid(trial->pid, &status, 0);
    if (handle >= 0)
        close(handle);
    return was_there && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool load_trial_stop(struct load_trial **trial_at)
{
    struct load_trial *trial = *trial_at;
    *trial_at = NULL;
    if (trial == NULL)
        return true;
    close(trial->ports[1]);
    close(trial->ready[0]);
    bool good = end_gateway(trial);
    if (!good && trial->serves) {
        fprintf(stderr, "portico: --try: the gateway did not serve to the end of the test:\n");
        show_log(trial);
    }
    for (unsigned i = 0; i < trial->stand_count; i++) {
        standins_stop(&trial->stands[i].standin);
        free(trial->stands[i].name);
    }
    close(trial->log);
    free(trial->stands);
    free(trial);
    return good;
}
