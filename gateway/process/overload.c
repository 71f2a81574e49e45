/*
 * The watching and deciding of process/overload.h: a timer compares what is used with what there is, and what
 * follows is said once, when a stage begins or ends. Called by server.c; closes nothing itself. Clients that
 * come between two looks are bounded by the crowd itself.
 */
#include "process/overload.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "process/limits.h"
#include "process/memory.h"

#include <event2/event.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    LOOK_US = 250 * 1000,
    LOOK_OFTEN_US = 25 * 1000, /* when half is in use */
    PATIENCE_US = 1000 * 1000, /* until it is believed that a stage is over */
    RELIEF_US = 250 * 1000,    /* between two calls for it: what it closes is closed by then */
    TRIM_US = 1000 * 1000,     /* giving memory back makes all threads wait */
    PERMILLE = 1000
};

static const struct {
    unsigned enter, leave; /* thousandths */
    enum crowd_gate gate;
    const char *doing;
} stages[] = {
    [OVERLOAD_NONE] = {0, 0, CROWD_OPEN, "nothing is closed or refused any more"},
    [OVERLOAD_SHEDS] = {800, 700, CROWD_OPEN, "idle connections are closed"},
    [OVERLOAD_REFUSES] = {900, 800, CROWD_REFUSES, "idle connections are closed, new ones refused with 503"},
    [OVERLOAD_PAUSES] = {960, 900, CROWD_SHUT, "idle connections are closed, no new ones accepted"},
};

static const struct {
    const char *noun, *advice;
    uint64_t unit;
} kinds[] = {
    [OVERLOAD_CLIENTS] = {"client connections",
                          "allow more open files: LimitNOFILE= of the systemd unit, --ulimit nofile= of the "
                          "container, or ulimit -Hn",
                          1},
    [OVERLOAD_SOCKETS] = {"connections to clients and upstreams",
                          "allow more open files: LimitNOFILE= of the systemd unit, --ulimit nofile= of the "
                          "container, or ulimit -Hn",
                          1},
    [OVERLOAD_MEMORY] = {"MiB of memory", "give it more: process.memory_max, or the container's limit",
                         1024 * 1024},
};

struct overload {
    struct overload_settings settings;
    struct event *look;
    int statm;
    enum overload_stage stage;
    enum overload_kind cause;
    struct overload_gauge gauges[OVERLOAD_KINDS];
    uint64_t better_since_us; /* 0: it is as bad as the stage says */
    uint64_t relieved_us, trimmed_us;
};

/* --- deciding --- */

enum overload_stage overload_next(enum overload_stage now, unsigned permille)
{
    for (enum overload_stage stage = OVERLOAD_PAUSES; stage > now; stage--)
        if (permille >= stages[stage].enter)
            return stage;
    while (now > OVERLOAD_NONE && permille < stages[now].leave)
        now--;
    return now;
}

enum overload_kind overload_shortest(const struct overload_gauge gauges[OVERLOAD_KINDS],
                                     unsigned *permille_out)
{
    enum overload_kind shortest = OVERLOAD_CLIENTS;
    uint64_t highest = 0;
    for (enum overload_kind kind = 0; kind < OVERLOAD_KINDS; kind++) {
        const struct overload_gauge *gauge = &gauges[kind];
        uint64_t permille = gauge->most ? gauge->used * PERMILLE / gauge->most : 0;
        if (permille <= highest)
            continue;
        highest = permille;
        shortest = kind;
    }
    *permille_out = highest < 2 * PERMILLE ? (unsigned)highest : 2 * PERMILLE;
    return shortest;
}

/* --- looking --- */

static void look_after(struct overload *overload, suseconds_t us)
{
    struct timeval wait = {.tv_usec = us};
    CHECK(event_add(overload->look, &wait) == 0);
}

static void measure(struct overload *overload)
{
    uint64_t sums[COUNTER_COUNT];
    counters_sum(sums);
    uint64_t open = sums[COUNTER_sockets_opened] - sums[COUNTER_sockets_closed];
    uint64_t passing = crowd_refused(overload->settings.crowd); /* they are told and gone */
    overload->gauges[OVERLOAD_CLIENTS].used = crowd_total(overload->settings.crowd);
    overload->gauges[OVERLOAD_SOCKETS].used = open > passing ? open - passing : 0;
    if (overload->gauges[OVERLOAD_MEMORY].most > 0)
        overload->gauges[OVERLOAD_MEMORY].used = memory_resident(overload->statm);
}

/* What has run short when a stage begins is what is over when it ends. */
static void say(const struct overload *overload, enum overload_stage before)
{
    const struct overload_gauge *gauge = &overload->gauges[overload->cause];
    bool worse = overload->stage > before;
    uint64_t unit = kinds[overload->cause].unit;
    log_write(worse ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "overload", "%llu of %llu %s in use: %s%s%s",
              (unsigned long long)(gauge->used / unit), (unsigned long long)(gauge->most / unit),
              kinds[overload->cause].noun, stages[overload->stage].doing, worse ? "; " : "",
              worse ? kinds[overload->cause].advice : "");
}

static void enter(struct overload *overload, enum overload_stage stage, enum overload_kind cause)
{
    enum overload_stage before = overload->stage;
    overload->stage = stage;
    if (stage > before)
        overload->cause = cause;
    crowd_set_gate(overload->settings.crowd, stages[stage].gate);
    say(overload, before);
}

static bool is_due(uint64_t *at_us, uint64_t period_us)
{
    uint64_t now_us = clock_monotonic_us();
    if (*at_us && now_us - *at_us < period_us)
        return false;
    *at_us = now_us;
    return true;
}

static void relieve(struct overload *overload, enum overload_kind cause)
{
    if (is_due(&overload->relieved_us, RELIEF_US))
        overload->settings.relieve(overload->settings.arg);
    if (cause == OVERLOAD_MEMORY && is_due(&overload->trimmed_us, TRIM_US))
        malloc_trim(0); /* what was freed counts until the kernel has it */
}

/* It gets worse at once, and better only when it has been so for a while: the log shall not tell of every
 * wave. */
static bool is_time_for(struct overload *overload, enum overload_stage stage)
{
    if (stage >= overload->stage) {
        overload->better_since_us = 0;
        return stage > overload->stage;
    }
    uint64_t now_us = clock_monotonic_us();
    if (overload->better_since_us == 0)
        overload->better_since_us = now_us;
    if (now_us - overload->better_since_us < PATIENCE_US)
        return false;
    overload->better_since_us = 0;
    return true;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct overload *overload = arg;
    unsigned permille;
    measure(overload);
    enum overload_kind cause = overload_shortest(overload->gauges, &permille);
    enum overload_stage stage = overload_next(overload->stage, permille);
    if (is_time_for(overload, stage))
        enter(overload, stage, cause);
    if (stage != OVERLOAD_NONE)
        relieve(overload, cause);
    look_after(overload, permille < PERMILLE / 2 ? LOOK_US : LOOK_OFTEN_US);
}

/* --- life --- */

struct overload *overload_start(const struct overload_settings *settings)
{
    struct overload *overload = calloc(1, sizeof *overload);
    CHECK(overload != NULL);
    overload->settings = *settings;
    overload->statm = memory_open();
    overload->look = event_new(settings->base, -1, 0, on_look, overload);
    CHECK(overload->look != NULL);
    look_after(overload, LOOK_US);
    return overload;
}

/* Nine tenths of what the kernel allows, which counts more than what is resident here: buffers of sockets. */
static uint64_t memory_most(const struct config *config)
{
    uint64_t set = config->process.memory_max;
    return set ? set : memory_allowed() / 10 * 9;
}

void overload_follow(struct overload *overload, const struct config *config, uint32_t threads)
{
    const struct config_client *client = &config->client;
    uint64_t room = limits_sockets(config, threads);
    uint64_t clients = room - room / 4;
    uint64_t refused = clients * stages[OVERLOAD_REFUSES].enter / PERMILLE + 1;
    struct crowd_bounds bounds = {.total = client->connections_max,
                                  .room = refused < UINT32_MAX ? (uint32_t)refused : UINT32_MAX,
                                  .client = client->connections_per_client};
    overload->gauges[OVERLOAD_CLIENTS].most = clients;
    overload->gauges[OVERLOAD_SOCKETS].most = room;
    overload->gauges[OVERLOAD_MEMORY] = (struct overload_gauge){.most = memory_most(config)};
    crowd_bound(overload->settings.crowd, &bounds);
    if (overload->gauges[OVERLOAD_MEMORY].most && overload->statm < 0)
        log_warn("overload", "memory is not watched: there is no /proc/self/statm");
}

void overload_stop(struct overload **overload_at)
{
    struct overload *overload = *overload_at;
    *overload_at = NULL;
    if (overload == NULL)
        return;
    event_free(overload->look);
    if (overload->statm >= 0)
        close(overload->statm);
    free(overload);
}
