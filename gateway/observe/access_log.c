/*
 * The access log: the lanes of the workers and the thread that empties them, see observe/access_log.h. Called
 * by the exchange at its end, by each thread at the end of its turn, and by the control thread on SIGUSR1.
 * Must not know how a line looks (log_line), how pages change hands (lane) or how a pipe is written
 * (log_file).
 */
#include "observe/access_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "observe/lane.h"
#include "observe/log_file.h"
#include "observe/log_line.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    VISIT_WRITES = 16,      /* before it is the next lane's turn */
    PERIOD_MS = 50,         /* between two looks at the lanes */
    QUIET_PERIODS = 20,     /* without a record before the writer sleeps until it is woken */
    GIVE_UP_US = 1000000,   /* without progress when closing */
    ABANDON_SECONDS = 10,   /* for a write(2) that does not come back when closing */
    COMPLAINT_US = 10000000 /* between two complaints about the same thing */
};

struct access_log_lane {
    struct lane lane;
    struct access_log *log;
    struct counters *counters;
    struct log_second second;
    struct access_log_lane *next;
};

/* What only the writer thread touches. */
struct writer {
    struct log_file file;
    struct access_log_lane *broken_off; /* its line stands half written in the file, so it is first */
    unsigned quiet;                     /* periods without a record */
    bool more;                          /* some lane was left with lines */
    bool busy;                          /* the destination has been waited for */
    int error;                          /* errno of the last write, 0 when it went well */
    bool complained;                    /* about that error */
    bool owes;                          /* a complaint, not due yet */
    uint64_t dropped_told;
    uint64_t complaint_us;
    uint64_t progress_us;
    bool closing;
};

struct access_log {
    bool off;
    bool json;
    char *path; /* NULL: stdout */
    pthread_t thread;
    struct writer writer;
    _Atomic bool asleep;                   /* the writer waits without a limit */
    _Atomic bool nudged;                   /* somebody has woken it; it clears this when it looks */
    struct access_log_lane *_Atomic lanes; /* grows at its head, under the lock */
    struct {
        pthread_mutex_t lock;
        pthread_cond_t wake;
        int next_fd; /* to go over to; -1 for none */
        bool closing;
        bool ended; /* the writer has had its last look */
    } shared;
};

/* Workers ---------------------------------------------------------------------------------------------- */

static void nudge(struct access_log *log)
{
    if (atomic_load_explicit(&log->nudged, memory_order_relaxed) || atomic_exchange(&log->nudged, true))
        return;
    pthread_mutex_lock(&log->shared.lock);
    pthread_cond_signal(&log->shared.wake);
    pthread_mutex_unlock(&log->shared.lock);
}

struct access_log_lane *access_log_lane_new(struct access_log *log, struct counters *counters)
{
    struct access_log_lane *lane = aligned_alloc(_Alignof(struct access_log_lane), sizeof *lane);
    CHECK(lane != NULL);
    *lane = (struct access_log_lane){.log = log, .counters = counters};
    if (!log->off)
        lane_init(&lane->lane, ACCESS_LOG_PAGE);
    pthread_mutex_lock(&log->shared.lock);
    lane->next = atomic_load(&log->lanes);
    atomic_store(&log->lanes, lane);
    pthread_mutex_unlock(&log->shared.lock);
    return lane;
}

static void drop(struct access_log_lane *lane)
{
    counters_add(lane->counters, COUNTER_log_dropped, 1);
    _Atomic uint64_t *dropped = &lane->lane.from_worker.dropped;
    uint64_t before = atomic_load_explicit(dropped, memory_order_relaxed);
    atomic_store_explicit(dropped, before + 1, memory_order_relaxed);
}

void access_log_write(struct access_log_lane *lane, const struct record *record)
{
    if (lane->log->off)
        return;
    char *line = lane_room(&lane->lane, LOG_LINE_MAX);
    if (line == NULL) {
        drop(lane);
        return;
    }
    size_t len = lane->log->json ? log_line_json(record, &lane->second, line)
                                 : log_line_combined(record, &lane->second, line);
    lane_filled(&lane->lane, len);
}

void access_log_turn(struct access_log_lane *lane)
{
    struct access_log *log = lane->log;
    if (lane_publish(&lane->lane) && (atomic_load(&log->asleep) || lane_is_pressed(&lane->lane)))
        nudge(log);
}

/* Writer ----------------------------------------------------------------------------------------------- */

static bool has_lines(struct access_log *log)
{
    for (struct access_log_lane *lane = atomic_load(&log->lanes); lane; lane = lane->next)
        if (lane_peek(&lane->lane).len > 0)
            return true;
    return false;
}

/* False when the destination takes nothing now. */
static bool write_some(struct writer *writer, struct access_log_lane *lane, struct slice lines)
{
    size_t done;
    enum log_file_end end = log_file_write(&writer->file, lines, &done);
    writer->busy = end == LOG_FILE_BUSY;
    if (end == LOG_FILE_FAILS)
        writer->error = errno;
    if (end != LOG_FILE_TOOK)
        return false;
    lane_done(&lane->lane, done);
    writer->error = 0;
    writer->quiet = 0;
    writer->progress_us = clock_monotonic_us();
    writer->broken_off = writer->file.partial ? lane : NULL;
    return true;
}

/* Writes what the lane holds, in a bounded number of writes. False when the destination takes no more. */
static bool visit_lane(struct writer *writer, struct access_log_lane *lane)
{
    struct slice lines = lane_peek(&lane->lane);
    for (unsigned writes = 0; lines.len > 0; writes++) {
        if (writes >= VISIT_WRITES && writer->broken_off == NULL)
            break;
        if (!write_some(writer, lane, lines))
            return false;
        lines = lane_peek(&lane->lane);
    }
    writer->more = writer->more || lines.len > 0;
    return true;
}

static void visit_lanes(struct access_log *log)
{
    struct writer *writer = &log->writer;
    writer->busy = writer->more = false;
    writer->quiet++;
    if (writer->broken_off && !visit_lane(writer, writer->broken_off))
        return;
    for (struct access_log_lane *lane = atomic_load(&log->lanes); lane; lane = lane->next)
        if (!visit_lane(writer, lane))
            return;
}

/* Whether the wait must end, or must not begin. While writing fails, only the period ends it: pages that are
 * more than half full are no news then. */
static bool is_wanted(struct access_log *log)
{
    bool nudged = atomic_load(&log->nudged) && log->writer.error == 0;
    return nudged || log->shared.next_fd >= 0 || (log->shared.closing && !log->writer.closing);
}

/* Sleeps until it is wanted. A worker that publishes sees `asleep`, or its records are seen here. */
static void sleep_long(struct access_log *log)
{
    atomic_store(&log->asleep, true);
    while (!has_lines(log) && !is_wanted(log))
        pthread_cond_wait(&log->shared.wake, &log->shared.lock);
    atomic_store(&log->asleep, false);
}

static void sleep_period(struct access_log *log)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PERIOD_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (!is_wanted(log) && pthread_cond_timedwait(&log->shared.wake, &log->shared.lock, &until) == 0) {
    }
}

/* Waits for the next look at the lanes, and takes over what the control thread has asked for. */
static void wait_for_lines(struct access_log *log)
{
    struct writer *writer = &log->writer;
    pthread_mutex_lock(&log->shared.lock);
    bool at_once = writer->busy || (writer->more && writer->error == 0);
    if (!at_once && writer->quiet > QUIET_PERIODS && writer->error == 0 && !writer->owes)
        sleep_long(log);
    else if (!at_once)
        sleep_period(log);
    if (writer->error == 0)
        atomic_store(&log->nudged, false);
    if (log->shared.closing && !writer->closing) {
        writer->closing = true;
        writer->progress_us = clock_monotonic_us();
    }
    int next_fd = log->shared.next_fd;
    log->shared.next_fd = -1;
    pthread_mutex_unlock(&log->shared.lock);
    if (next_fd >= 0)
        log_file_use(&writer->file, next_fd);
}

static uint64_t dropped_records(struct access_log *log)
{
    uint64_t dropped = 0;
    for (struct access_log_lane *lane = atomic_load(&log->lanes); lane; lane = lane->next)
        dropped += atomic_load_explicit(&lane->lane.from_worker.dropped, memory_order_relaxed);
    return dropped;
}

/* Tells of trouble when it begins and when it is over, the same trouble not too often. */
static void complain(struct access_log *log)
{
    struct writer *writer = &log->writer;
    const char *name = log->path ? log->path : "stdout";
    uint64_t dropped = dropped_records(log) - writer->dropped_told;
    bool begins = writer->error != 0 && writer->error != EAGAIN && !writer->complained;
    bool is_over = writer->error == 0 && !writer->busy && (writer->complained || dropped > 0);
    uint64_t now = clock_monotonic_us();
    bool due = writer->complaint_us == 0 || now - writer->complaint_us >= COMPLAINT_US;
    writer->owes = (begins || is_over) && !due;
    if ((!begins && !is_over) || !due)
        return;
    writer->complaint_us = now;
    writer->complained = begins;
    if (begins) {
        log_error("access_log", "cannot write: %s; records wait as long as there is room name=%s",
                  strerror(writer->error), name);
        return;
    }
    writer->dropped_told += dropped;
    log_error("access_log", "writing works again name=%s records_dropped=%llu", name,
              (unsigned long long)dropped);
}

static void *write_lines(void *opaque)
{
    struct access_log *log = opaque;
    struct writer *writer = &log->writer;
    bool last_look = false;
    while (!last_look) {
        wait_for_lines(log);
        visit_lanes(log);
        complain(log);
        bool given_up = clock_monotonic_us() - writer->progress_us > GIVE_UP_US;
        last_look = writer->closing && (given_up || !has_lines(log));
    }
    pthread_mutex_lock(&log->shared.lock);
    log->shared.ended = true;
    pthread_cond_signal(&log->shared.wake);
    pthread_mutex_unlock(&log->shared.lock);
    return NULL;
}

/* Opening and closing ---------------------------------------------------------------------------------- */

static bool is_off(const struct config_log *settings)
{
    return slice_equal(settings->access, SLICE("off"));
}

static const char *path_of(const struct config_log *settings)
{
    return slice_equal(settings->access, SLICE("stdout")) ? NULL : settings->access.at;
}

int access_log_destination(const struct config_log *settings, char error_out[ACCESS_LOG_ERROR_MAX])
{
    const char *path = path_of(settings);
    error_out[0] = '\0';
    if (is_off(settings))
        return -1;
    int fd = log_file_open(path);
    if (fd < 0)
        snprintf(error_out, ACCESS_LOG_ERROR_MAX, "cannot open %.180s: %m", path ? path : "stdout");
    return fd;
}

/* Signals are for the control thread. */
static int start_writer(struct access_log *log)
{
    sigset_t before;
    signals_block(&before);
    int error = pthread_create(&log->thread, NULL, write_lines, log);
    signals_restore(&before);
    if (error == 0)
        pthread_setname_np(log->thread, "access_log");
    return error;
}

static void init_shared(struct access_log *log)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&log->shared.lock, NULL);
    pthread_cond_init(&log->shared.wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    log->shared.next_fd = -1;
}

static void free_log(struct access_log *log)
{
    for (struct access_log_lane *lane = atomic_load(&log->lanes), *next; lane; lane = next) {
        next = lane->next;
        lane_fini(&lane->lane);
        free(lane);
    }
    if (log->writer.file.fd >= 0)
        close(log->writer.file.fd);
    if (log->shared.next_fd >= 0)
        close(log->shared.next_fd);
    pthread_cond_destroy(&log->shared.wake);
    pthread_mutex_destroy(&log->shared.lock);
    free(log->path);
    free(log);
}

struct access_log *access_log_open(const struct config_log *settings, int destination,
                                   char error_out[ACCESS_LOG_ERROR_MAX])
{
    struct access_log *log = calloc(1, sizeof *log);
    CHECK(log != NULL);
    init_shared(log);
    log->json = settings->format == CONFIG_LOG_JSON;
    log->off = is_off(settings);
    log->writer.file.fd = -1;
    if (log->off)
        return log;
    const char *path = path_of(settings);
    log->path = path ? strdup(path) : NULL;
    CHECK(path == NULL || log->path != NULL);
    log_file_use(&log->writer.file, destination);
    int error = start_writer(log);
    if (error == 0)
        return log;
    snprintf(error_out, ACCESS_LOG_ERROR_MAX, "cannot start the access log's thread: %s", strerror(error));
    free_log(log);
    return NULL;
}

void access_log_reopen(struct access_log *log, int destination)
{
    pthread_mutex_lock(&log->shared.lock);
    int superseded = log->shared.next_fd;
    log->shared.next_fd = destination;
    pthread_cond_signal(&log->shared.wake);
    pthread_mutex_unlock(&log->shared.lock);
    if (superseded >= 0)
        close(superseded);
}

/* False when the writer does not come back from a write(2): it may keep the log then, the process ends
 * anyway. */
static bool stop_writer(struct access_log *log)
{
    for (struct access_log_lane *lane = atomic_load(&log->lanes); lane; lane = lane->next)
        lane_publish(&lane->lane);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ABANDON_SECONDS;
    pthread_mutex_lock(&log->shared.lock);
    log->shared.closing = true;
    pthread_cond_signal(&log->shared.wake);
    while (!log->shared.ended && pthread_cond_timedwait(&log->shared.wake, &log->shared.lock, &until) == 0)
        continue;
    bool ended = log->shared.ended;
    pthread_mutex_unlock(&log->shared.lock);
    if (ended) {
        pthread_join(log->thread, NULL);
        return true;
    }
    pthread_detach(log->thread);
    log_error("access_log", "the destination does not answer, its last records are lost");
    return false;
}

static uint64_t waiting_records(struct access_log *log)
{
    uint64_t waiting = 0;
    for (struct access_log_lane *lane = atomic_load(&log->lanes); lane; lane = lane->next)
        for (struct slice lines; (lines = lane_peek(&lane->lane)).len > 0; waiting++)
            lane_done(&lane->lane, (size_t)((char *)rawmemchr(lines.at, '\n') - lines.at) + 1);
    return waiting;
}

void access_log_close(struct access_log **log_ptr)
{
    struct access_log *log = *log_ptr;
    *log_ptr = NULL;
    if (log == NULL || (!log->off && !stop_writer(log)))
        return;
    uint64_t lost = log->off ? 0 : waiting_records(log) + dropped_records(log) - log->writer.dropped_told;
    if (lost > 0)
        log_error("access_log", "closed with records lost records_dropped=%llu", (unsigned long long)lost);
    free_log(log);
}
