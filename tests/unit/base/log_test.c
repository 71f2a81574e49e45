/*
 * base/log: one line per call whatever the text holds (A41), levels, cutting, and whole lines from many
 * threads. Standard error is a pipe while a test writes.
 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static int saved_stderr, ends[2];

static void capture(void)
{
    assert_int_equal(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
}

/* What was written since capture(), terminated. */
static size_t captured(char *text_out, size_t size)
{
    size_t len = 0;
    ssize_t got = 0;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    while ((got = read(ends[0], text_out + len, size - 1 - len)) > 0)
        len += (size_t)got;
    close(ends[0]);
    text_out[len] = '\0';
    return len;
}

static void the_form_of_a_line(void **state)
{
    (void)state;
    char line[256];
    capture();
    errno = ENOENT;
    log_warn("resolver", "no answer name=%s tries=%d", "api", 3);
    assert_int_equal(errno, ENOENT);
    captured(line, sizeof line);
    static const char stamp[] = "0000-00-00T00:00:00.000Z";
    for (size_t i = 0; i < sizeof stamp - 1; i++)
        assert_true(stamp[i] == '0' ? line[i] >= '0' && line[i] <= '9' : line[i] == stamp[i]);
    assert_string_equal(line + sizeof stamp - 1, " warn resolver: no answer name=api tries=3\n");
}

static void levels(void **state)
{
    (void)state;
    static const struct {
        enum log_level level;
        const char *written;
    } cases[] = {
        {LOG_LEVEL_ERROR, "e"},
        {LOG_LEVEL_WARN, "ew"},
        {LOG_LEVEL_INFO, "ewi"},
        {LOG_LEVEL_DEBUG, "ewid"},
    };
    for (size_t i = 0; i < 4; i++) {
        char text[512], letters[8] = "";
        log_set_level(cases[i].level);
        capture();
        log_error("t", "=e");
        log_warn("t", "=w");
        log_info("t", "=i");
        log_debug("t", "=d");
        captured(text, sizeof text);
        for (const char *at = strchr(text, '='); at; at = strchr(at + 1, '='))
            strncat(letters, at + 1, 1);
        assert_string_equal(letters, cases[i].written);
    }
    log_set_level(LOG_LEVEL_INFO);
}

static void texts_cannot_forge(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *written;
    } cases[] = {
        {"plain", "GET /a?b=c \"d\" \\ ~", "GET /a?b=c \"d\" \\ ~"},
        {"A41 a second line", "a\nb", "a\\x0ab"},
        {"A41 CR LF", "a\r\nb", "a\\x0d\\x0ab"},
        {"A41 terminal escape", "\033[2J", "\\x1b[2J"},
        {"A41 tab, backspace, DEL", "\t\b\x7f", "\\x09\\x08\\x7f"},
        {"A41 C1 control as UTF-8",
         "\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J"},
        {"A41 C1 control as a byte",
         "\x9b"
         "2J",
         "\\x9b2J"},
        {"UTF-8", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x9a\xaa", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x9a\xaa"},
        {"first after C1", "\xc2\xa0", "\xc2\xa0"},
        {"last code point", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"A41 beyond the last", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"A41 overlong slash", "\xc0\xaf", "\\xc0\\xaf"},
        {"A41 overlong of three", "\xe0\x80\x8a", "\\xe0\\x80\\x8a"},
        {"A41 overlong of four", "\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a"},
        {"A41 surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"},
        {"A41 cut sequence", "a\xe2\x82", "a\\xe2\\x82"},
        {"A41 cut by a letter", "\xe2\x82z", "\\xe2\\x82z"},
        {"A41 lone continuation", "\x80\xbf", "\\x80\\xbf"},
        {"A41 no UTF-8 at all", "\xfe\xff", "\\xfe\\xff"},
        {"empty", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[512], wanted[256];
        capture();
        log_info("t", "%s", cases[i].text);
        captured(line, sizeof line);
        snprintf(wanted, sizeof wanted, " info t: %s\n", cases[i].written);
        if (strcmp(line + strlen("0000-00-00T00:00:00.000Z"), wanted) != 0)
            fail_msg("%s: %s", cases[i].name, line);
    }
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    static const char *const units[] = {"a", "\x01", "\xc3\xbc", "\xff"};
    for (size_t k = 0; k < 4; k++) {
        static char text[20001], line[20001];
        size_t width = strlen(units[k]);
        for (size_t i = 0; i < sizeof text - 1; i++)
            text[i] = units[k][i % width];
        capture();
        log_info("a-component-name-that-is-longer-than-any-name-that-anybody-would-give-to-a-component", "%s",
                 text);
        size_t len = captured(line, sizeof line);
        assert_in_range(len, 2048, PIPE_BUF);
        assert_ptr_equal(strchr(line, '\n'), line + len - 1);
    }
}

static void *write_lines(void *arg)
{
    for (unsigned i = 0; i < 100; i++)
        log_info("thread", "%s %s %s end", (const char *)arg, (const char *)arg, (const char *)arg);
    return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    static const char *const names[] = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc",
                                        "dddddddddddddddd"};
    static char text[65536];
    pthread_t threads[4];
    capture();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)names[i]), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    captured(text, sizeof text);
    unsigned lines = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char wanted[128];
        char letter = line[strlen("0000-00-00T00:00:00.000Z info thread: ")];
        assert_in_range(letter, 'a', 'd');
        const char *name = names[letter - 'a'];
        snprintf(wanted, sizeof wanted, "%s %s %s end", name, name, name);
        assert_string_equal(line + strlen("0000-00-00T00:00:00.000Z info thread: "), wanted);
        lines++;
    }
    assert_int_equal(lines, 400);
}

/* The reader is stuck: nobody who logs waits for it, and it hears later what it has missed. */
static void a_full_pipe_holds_nobody(void **state)
{
    (void)state;
    static char text[262144];
    capture();
    alarm(30);
    for (unsigned i = 0; i < 5000; i++)
        log_info("t", "a line that is long enough to fill a pipe when it is written again and again");
    ssize_t got = read(ends[0], text, sizeof text - 1);
    assert_true(got > 4096 && text[got - 1] == '\n');
    log_info("t", "after");
    alarm(0);
    captured(text, sizeof text);
    assert_non_null(strstr(text, " info t: after\n"));
    const char *told = strstr(text, " warn log: standard error took nothing for a while, lines lost=");
    assert_non_null(told);
    assert_in_range(strtoul(strchr(told, '=') + 1, NULL, 10), 1000, 4990);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_of_a_line),          cmocka_unit_test(levels),
        cmocka_unit_test(texts_cannot_forge),          cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(lines_of_threads_do_not_mix), cmocka_unit_test(a_full_pipe_holds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
