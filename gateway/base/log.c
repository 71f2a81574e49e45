/*
 * The line writer of base/log.h: formats on the stack, escapes, writes. Holds no state but the level and the
 * count of lost lines, takes no lock and allocates nothing, so it works in any thread and when memory is
 * short. Knows nothing of what is logged.
 */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXT_MAX = 2048,
    PREFIX_MAX = 128,
    ESCAPE_LEN = 4,
    LINE_MAX_LEN = PIPE_BUF, /* what a pipe that polls writable takes without waiting */
    PATIENCE_MS = 100        /* with a reader that may only be slow */
};

static _Atomic int most_level = LOG_LEVEL_INFO;
static _Atomic unsigned lost; /* lines since standard error last took one */

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&most_level, (int)level, memory_order_relaxed);
}

static size_t print_time(char *line)
{
    uint64_t now_us = clock_wall_us();
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t len = strftime(line, PREFIX_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(line + len, PREFIX_MAX - len, ".%03uZ ", (unsigned)(now_us / 1000 % 1000));
    return len + (size_t)more;
}

static size_t print_prefix(char *line, enum log_level level, const char *component)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    size_t len = print_time(line);
    int more = snprintf(line + len, PREFIX_MAX - len, "%s %.64s: ", names[level], component);
    return len + (size_t)more;
}

/* The length of the well-formed UTF-8 sequence (RFC 3629 section 4) at `at`, 0 when there is none. */
static size_t utf8_len(const unsigned char *at, size_t left)
{
    unsigned char lead = at[0], low = 0x80, high = 0xbf;
    size_t len = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (len == 0 || len > left)
        return 0;
    if (lead == 0xe0 || lead == 0xf0)
        low = lead == 0xe0 ? 0xa0 : 0x90; /* overlong */
    if (lead == 0xed || lead == 0xf4)
        high = lead == 0xed ? 0x9f : 0x8f; /* surrogates; beyond U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* Bytes that may stand as they are: printable ASCII and well-formed UTF-8, but not U+0080 to U+009F, which
 * terminals obey. */
static size_t plain_len(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f;
    size_t len = utf8_len(at, left);
    return len == 2 && at[0] == 0xc2 && at[1] < 0xa0 ? 0 : len;
}

/* As much of the text as there is room for. */
static size_t escape(char *out, size_t room, const char *text, size_t text_len)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;
    for (size_t i = 0; i < text_len && len + ESCAPE_LEN <= room;) {
        unsigned char c = (unsigned char)text[i];
        size_t plain = plain_len((const unsigned char *)text + i, text_len - i);
        if (plain > 0) {
            memcpy(out + len, text + i, plain);
            len += plain;
            i += plain;
            continue;
        }
        memcpy(out + len, (char[]){'\\', 'x', digits[c >> 4], digits[c & 15]}, ESCAPE_LEN);
        len += ESCAPE_LEN;
        i++;
    }
    return len;
}

/* Whether a line can be written at once. A reader that is stuck must not hold whoever logs, a thread that
 * serves least of all; only the first line that finds no room waits a moment. */
static bool is_ready(void)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    bool is_stuck = atomic_load_explicit(&lost, memory_order_relaxed) > 0;
    return poll(&fd, 1, is_stuck ? 0 : PATIENCE_MS) > 0;
}

static void put(const char *line, size_t len)
{
    if (!is_ready()) {
        atomic_fetch_add(&lost, 1);
        return;
    }
    if (write(STDERR_FILENO, line, len) < 0) {
        /* there is nobody left to tell */
    }
    unsigned missing = atomic_exchange(&lost, 0);
    if (missing > 0)
        log_warn("log", "standard error took nothing for a while, lines lost=%u", missing);
}

/* Writes the line that begins with `len` bytes. */
static void write_line(char *line, size_t len, const char *format, va_list arguments)
{
    char text[TEXT_MAX];
    if (vsnprintf(text, sizeof text, format, arguments) < 0)
        text[0] = '\0';
    len += escape(line + len, LINE_MAX_LEN - 1 - len, text, strlen(text));
    line[len++] = '\n';
    put(line, len);
}

void log_write(enum log_level level, const char *component, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&most_level, memory_order_relaxed))
        return;
    int saved_errno = errno;
    char line[LINE_MAX_LEN];
    va_list arguments;
    va_start(arguments, format);
    write_line(line, print_prefix(line, level, component), format, arguments);
    va_end(arguments);
    errno = saved_errno;
}

void log_report(const char *format, ...)
{
    int saved_errno = errno;
    char line[LINE_MAX_LEN];
    va_list arguments;
    va_start(arguments, format);
    write_line(line, print_time(line), format, arguments);
    va_end(arguments);
    errno = saved_errno;
}
