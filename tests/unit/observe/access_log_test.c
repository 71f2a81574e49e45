/*
 * The access log with its thread: every record arrives once, whole and soon; rotation; destinations that are
 * slow, full, gone or come back. Each test has a directory of its own and standard error in a file there.
 */
#include "observe/access_log.h"

#include "base/clock.h"
#include "json_check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { CONTENT_MAX = 16 * 1024 * 1024, PATIENCE_US = 5000000 };

static char directory[64], path[96], rotated[96], error[ACCESS_LOG_ERROR_MAX];
static char *content; /* of the file read last */
static size_t content_len;
static int real_stderr;
static struct counters counters[2];

static int init(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/access_log_test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/access.log", directory);
    snprintf(rotated, sizeof rotated, "%s/access.log.1", directory);
    char errors[96];
    snprintf(errors, sizeof errors, "%s/stderr", directory);
    real_stderr = dup(STDERR_FILENO);
    int fd = open(errors, O_RDWR | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDERR_FILENO);
    close(fd);
    content = malloc(CONTENT_MAX);
    counters_init(&counters[0]);
    counters_init(&counters[1]);
    return content == NULL;
}

static int fini(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    int failed = system(command);
    free(content);
    counters_fini(&counters[0]);
    counters_fini(&counters[1]);
    return failed;
}

static void read_file(const char *name)
{
    int fd = open(name, O_RDONLY);
    content_len = 0;
    for (ssize_t n = 1; fd >= 0 && n > 0; content_len += (size_t)n)
        n = read(fd, content + content_len, CONTENT_MAX - 1 - content_len);
    content[content_len] = '\0';
    if (fd >= 0)
        close(fd);
}

static size_t count_lines(void)
{
    size_t lines = 0;
    for (size_t i = 0; i < content_len; i++)
        lines += content[i] == '\n';
    return lines;
}

/* Waits until the file has that many lines; gives the microseconds it took. */
static uint64_t wait_for_lines(const char *name, size_t lines)
{
    uint64_t begin = clock_monotonic_us();
    for (read_file(name); count_lines() < lines; read_file(name)) {
        assert_true(clock_monotonic_us() - begin < PATIENCE_US);
        usleep(1000);
    }
    assert_int_equal(count_lines(), lines);
    return clock_monotonic_us() - begin;
}

static void wait_for_complaint(const char *text)
{
    char errors[96];
    snprintf(errors, sizeof errors, "%s/stderr", directory);
    uint64_t begin = clock_monotonic_us();
    for (read_file(errors); strstr(content, text) == NULL; read_file(errors)) {
        assert_true(clock_monotonic_us() - begin < PATIENCE_US);
        usleep(1000);
    }
}

static struct access_log *open_log(const char *destination, enum config_log_format format)
{
    struct config_log settings = {.access = slice_of(destination), .format = format};
    int fd = access_log_destination(&settings, error);
    return error[0] ? NULL : access_log_open(&settings, fd, error);
}

static bool reopen(struct access_log *log, const char *destination)
{
    struct config_log settings = {.access = slice_of(destination)};
    int fd = access_log_destination(&settings, error);
    if (fd >= 0)
        access_log_reopen(log, fd);
    return fd >= 0;
}

/* Opens the log on a descriptor that is stdout just for that moment. */
static struct access_log *open_stdout_log(int fd)
{
    fflush(stdout);
    int real = dup(STDOUT_FILENO);
    dup2(fd, STDOUT_FILENO);
    struct access_log *log = open_log("stdout", CONFIG_LOG_JSON);
    dup2(real, STDOUT_FILENO);
    close(real);
    assert_non_null(log);
    return log;
}

static struct record numbered(uint64_t number)
{
    return (struct record){.begun_wall_us = 1795227000000000,
                           .method = SLICE("GET"),
                           .target = SLICE("/"),
                           .bytes_in = number,
                           .status = 200,
                           .version_minor = 1};
}

static void write_one(struct access_log_lane *lane, uint64_t number)
{
    struct record record = numbered(number);
    access_log_write(lane, &record);
    access_log_turn(lane);
}

/* Every line valid JSON; of each lane (a bit of bytes_in) ascending numbers. Gives the lines of both. */
static size_t check_lines(void)
{
    uint64_t next[2] = {0, 0};
    size_t lines = 0;
    for (char *line = content, *end; line < content + content_len; line = end + 1, lines++) {
        end = memchr(line, '\n', (size_t)(content + content_len - line));
        assert_non_null(end);
        assert_true(json_line_is_valid(line, (size_t)(end + 1 - line)));
        char *member = memmem(line, (size_t)(end - line), "\"bytes_in\":", 11);
        assert_non_null(member);
        uint64_t number = strtoull(member + 11, NULL, 10), *expected = &next[number & 1];
        assert_true(number >> 1 >= *expected);
        *expected = (number >> 1) + 1;
    }
    return lines;
}

static void off_writes_nothing(void **state)
{
    (void)state;
    struct access_log *log = open_log("off", CONFIG_LOG_JSON);
    assert_non_null(log);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    write_one(lane, 1);
    access_log_close(&log);
    assert_null(log);
    access_log_close(&log);
    assert_int_equal(counters[0].value[COUNTER_log_dropped], 0);
}

static void a_record_arrives_soon(void **state)
{
    (void)state;
    struct access_log *log = open_log(path, CONFIG_LOG_COMBINED);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    unsigned soon = 0;
    for (unsigned i = 1; i <= 10; i++) {
        write_one(lane, i);
        soon += wait_for_lines(path, i) < 100000;
        usleep(i == 5 ? 1500000 : 13000); /* longer than the writer stays awake; not a part of its period */
    }
    assert_true(soon >= 6); /* all, on a machine that does nothing else */
    const char *expected = "- - - [21/Nov/2026:02:10:00 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\"\n";
    assert_memory_equal(content, expected, strlen(expected));
    access_log_close(&log);
}

static void closing_writes_everything_and_opening_appends(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        struct access_log *log = open_log(path, CONFIG_LOG_JSON);
        struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
        for (unsigned i = 0; i < 1000; i++) {
            struct record record = numbered(i);
            access_log_write(lane, &record);
        }
        access_log_close(&log); /* without a turn */
    }
    read_file(path);
    assert_int_equal(count_lines(), 3000);
    assert_int_equal(counters[0].value[COUNTER_log_dropped], 0);
}

enum { LANE_RECORDS = 12000, BURST = 500, SHOWN = 7 };

struct worker {
    struct access_log_lane *lane;
    uint64_t number; /* 0 or 1 */
};

static _Atomic uint64_t bursts; /* of both */
static uint64_t line_len;       /* at least */

/* Until the bursts are in the file, but what has not been shown to the writer: no lane is asked to hold more
 * than one, however slow the disk is. */
static void keep_pace(void)
{
    struct stat status;
    uint64_t begun = atomic_fetch_add(&bursts, 1) + 1, end_us = clock_monotonic_us() + PATIENCE_US;
    uint64_t expected = (begun * BURST - 2 * SHOWN) * line_len;
    while ((stat(path, &status) != 0 || (uint64_t)status.st_size < expected) && clock_monotonic_us() < end_us)
        usleep(1000);
}

static void *work(void *opaque)
{
    const struct worker *worker = opaque;
    for (uint64_t i = 0; i < LANE_RECORDS; i++) {
        struct record record = numbered(i << 1 | worker->number);
        access_log_write(worker->lane, &record);
        if (i % SHOWN == 0)
            access_log_turn(worker->lane);
        if (i % BURST == BURST - 1)
            keep_pace();
    }
    access_log_turn(worker->lane);
    return NULL;
}

static void two_lanes_at_once_lose_nothing(void **state)
{
    (void)state;
    struct access_log *log = open_log(rotated, CONFIG_LOG_JSON);
    write_one(access_log_lane_new(log, &counters[0]), 0);
    access_log_close(&log);
    read_file(rotated);
    line_len = content_len;
    log = open_log(path, CONFIG_LOG_JSON);
    struct worker workers[2];
    pthread_t threads[2];
    bursts = 0;
    for (unsigned i = 0; i < 2; i++) {
        workers[i] = (struct worker){access_log_lane_new(log, &counters[i]), i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    access_log_close(&log);
    read_file(path);
    uint64_t dropped = counters[0].value[COUNTER_log_dropped] + counters[1].value[COUNTER_log_dropped];
    assert_int_equal(check_lines() + dropped, 2 * LANE_RECORDS);
    assert_int_equal(dropped, 0);
}

static void rotation_loses_nothing(void **state)
{
    (void)state;
    struct access_log *log = open_log(path, CONFIG_LOG_JSON);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    write_one(lane, 0);
    wait_for_lines(path, 1);
    assert_int_equal(rename(path, rotated), 0);
    write_one(lane, 2);
    wait_for_lines(rotated, 2);
    usleep(20000);
    assert_true(reopen(log, path));
    assert_true(reopen(log, path));
    write_one(lane, 4);
    wait_for_lines(path, 1);
    wait_for_lines(rotated, 2);
    access_log_close(&log);
}

static void a_failed_reopen_keeps_the_file(void **state)
{
    (void)state;
    struct access_log *log = open_log(path, CONFIG_LOG_JSON);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    assert_int_equal(rename(path, rotated), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(reopen(log, path));
    assert_non_null(strstr(error, "cannot open"));
    assert_non_null(strstr(error, strerror(EISDIR)));
    write_one(lane, 0);
    wait_for_lines(rotated, 1);
    access_log_close(&log);
}

static void what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    assert_null(open_log("/nowhere/access.log", CONFIG_LOG_JSON));
    assert_string_equal(error, "cannot open /nowhere/access.log: No such file or directory");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(open_log(path, CONFIG_LOG_JSON)); /* nobody reads it; must not wait */
    fflush(stdout);
    int real = dup(STDOUT_FILENO);
    close(STDOUT_FILENO);
    struct access_log *log = open_log("stdout", CONFIG_LOG_JSON);
    dup2(real, STDOUT_FILENO);
    close(real);
    assert_null(log);
    assert_string_equal(error, "cannot open stdout: Bad file descriptor");
}

static void *read_pipe(void *opaque)
{
    int fd = *(int *)opaque;
    content_len = 0;
    for (ssize_t n; (n = read(fd, content + content_len, CONTENT_MAX - 1 - content_len)) > 0;)
        content_len += (size_t)n;
    content[content_len] = '\0';
    return NULL;
}

/* Nobody reads: the lane fills up, the rest is counted, nobody waits. Then somebody reads: all that was kept
 * is there. */
static void a_blocked_pipe_drops_and_tells(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct access_log *log = open_stdout_log(ends[1]);
    close(ends[1]);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    static char text[3000];
    memset(text, 'x', sizeof text);
    uint64_t begin = clock_monotonic_us();
    for (uint64_t i = 0; i < 10000; i++) {
        struct record record = numbered(i << 1);
        if (i % 7 == 0) /* longer than PIPE_BUF, so that lines break off */
            record.user_agent = record.referer = record.host = slice_make(text, sizeof text);
        access_log_write(lane, &record);
        access_log_turn(lane);
    }
    assert_true(clock_monotonic_us() - begin < 1000000);
    uint64_t dropped = counters[0].value[COUNTER_log_dropped];
    assert_true(dropped > 1000);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_pipe, &ends[0]), 0);
    usleep(300000);
    write_one(lane, 10000 << 1);
    assert_int_equal(counters[0].value[COUNTER_log_dropped], dropped);
    access_log_close(&log);
    pthread_join(reader, NULL);
    close(ends[0]);
    assert_int_equal(check_lines(), 10001 - dropped);
    char told[64];
    snprintf(told, sizeof told, "writing works again name=stdout records_dropped=%llu\n",
             (unsigned long long)dropped);
    wait_for_complaint(told);
    assert_int_equal(count_lines(), 1);
}

static void a_reader_that_left_is_survived(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct access_log *log = open_stdout_log(ends[1]);
    close(ends[1]);
    close(ends[0]);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    for (uint64_t i = 0; i < 5000; i++)
        write_one(lane, i);
    wait_for_complaint("cannot write: Broken pipe");
    uint64_t begin = clock_monotonic_us();
    access_log_close(&log);
    assert_true(clock_monotonic_us() - begin < 3000000);
    wait_for_complaint("closed with records lost records_dropped=5000\n");
}

static void a_full_disk_is_survived(void **state)
{
    (void)state;
    struct access_log *log = open_log("/dev/full", CONFIG_LOG_JSON);
    assert_non_null(log);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    write_one(lane, 0);
    wait_for_complaint("cannot write: No space left on device");
    access_log_close(&log);
    wait_for_complaint("closed with records lost records_dropped=1\n");
}

/* A FIFO whose reader leaves and comes back, with a line broken off in between: the line is finished first.
 */
static void a_reader_that_comes_back_gets_the_rest(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    struct access_log *log = open_log(path, CONFIG_LOG_JSON);
    assert_non_null(log);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    write_one(lane, 0);
    usleep(200000);
    assert_true(read(fd, content, CONTENT_MAX) > 0);
    close(fd);
    write_one(lane, 2);
    wait_for_complaint("cannot write: Broken pipe");
    fd = open(path, O_RDONLY);
    write_one(lane, 4);
    access_log_close(&log);
    read_pipe(&fd);
    close(fd);
    assert_int_equal(check_lines(), 2);
}

/* A pipe breaks a line off; the file after a rotation begins with that line, whole. */
static void rotation_repeats_a_line_that_broke_off(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(mkfifo(path, 0600), 0);
    ends[0] = open(path, O_RDONLY | O_NONBLOCK);
    assert_int_equal(fcntl(ends[0], F_SETPIPE_SZ, 4096), 4096);
    struct access_log *log = open_log(path, CONFIG_LOG_JSON);
    struct access_log_lane *lane = access_log_lane_new(log, &counters[0]);
    static char text[3000];
    memset(text, 'x', sizeof text);
    struct record record = numbered(0);
    record.user_agent = record.referer = record.host = slice_make(text, sizeof text);
    access_log_write(lane, &record);
    access_log_turn(lane);
    usleep(200000); /* the pipe has one page now, the writer waits with the second */
    assert_int_equal(unlink(path), 0);
    assert_true(reopen(log, path));
    wait_for_lines(path, 1);
    assert_int_equal(check_lines(), 1);
    access_log_close(&log);
    close(ends[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, init, fini)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(off_writes_nothing),
        TEST(a_record_arrives_soon),
        TEST(closing_writes_everything_and_opening_appends),
        TEST(two_lanes_at_once_lose_nothing),
        TEST(rotation_loses_nothing),
        TEST(a_failed_reopen_keeps_the_file),
        TEST(what_cannot_be_opened_is_told),
        TEST(a_blocked_pipe_drops_and_tells),
        TEST(a_reader_that_left_is_survived),
        TEST(a_full_disk_is_survived),
        TEST(a_reader_that_comes_back_gets_the_rest),
        TEST(rotation_repeats_a_line_that_broke_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
