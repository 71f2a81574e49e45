/*
 * loadtest/sse_reader: events by any of the three line ends; comments, blank lines, other fields and fields
 * whose names only begin alike are none.
 */
#include "loadtest/sse_reader.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static unsigned events_of(const char *text)
{
    struct sse_reader reader = {0};
    unsigned events = 0;
    for (; *text; text++)
        events += sse_reader_take(&reader, *text);
    return events;
}

static void test_events(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned events;
    } streams[] = {
        {"", 0},
        {"data: 1\n\n", 1},
        {"data: 1\r\n\r\ndata: 2\r\n\r\n", 2},
        {"data: 1\r\rdata: 2\r\r", 2},
        {"data: 1\n", 0},
        {"data: 1\r\n", 0},
        {"data: 1\r\n\n", 1},
        {"data: a\ndata: b\n\n", 1},
        {"event: tick\nid: 7\ndata: 1\nretry: 5\n\n", 1},
        {"data\n\ndata:\n\n", 2},
        {": a comment\n\n: data: 1\n\n", 0},
        {"event: tick\n\n", 0},
        {"database: 1\n\ndat: 1\n\n data: 1\n\nxdata: 1\n\n", 0},
        {"data: 1\n\n\n\ndata: 2\n\n", 2},
        {"data: data:\n\n", 1},
        {"event: x\n\ndata: 1\n\n", 1},
    };
    for (unsigned i = 0; i < sizeof streams / sizeof streams[0]; i++)
        if (events_of(streams[i].text) != streams[i].events)
            fail_msg("%u: %s", i, streams[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_events)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
