/*
 * base/fault: the table is complete and its rows make sense together; which row is right is decided in
 * tables/faults.def.
 */
#include "base/fault.h"

#include "../dies.h"

#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static void success_has_a_row(void **state)
{
    (void)state;
    assert_string_equal(fault_row(FAULT_NONE)->name, "ok");
    assert_int_equal(fault_row(FAULT_NONE)->status, 0);
    assert_false(fault_row(FAULT_NONE)->closes || fault_row(FAULT_NONE)->retries);
}

static void check_row(const struct fault_row *row)
{
    bool answered = row->status != 0;
    size_t len = strlen(row->sentence);
    if (len == 0 || row->sentence[len - 1] == '.' || strpbrk(row->sentence, "\"\\\n"))
        fail_msg("%s: the sentence does not fit into a log line", row->name);
    if (answered && (row->status < 400 || row->status > 599))
        fail_msg("%s: status %d", row->name, row->status);
    if (answered && row->proxy_error[0] == '\0')
        fail_msg("%s: an answer without a Proxy-Status error", row->name);
    if (row->blame == BLAME_UPSTREAM && row->status < 500)
        fail_msg("%s: the client is told it was its fault", row->name);
    if (row->blame == BLAME_CLIENT && row->status >= 500 && row->status != 501 && row->status != 505)
        fail_msg("%s: the client is told it was ours", row->name);
    if (row->crowded && row->status != 503)
        fail_msg("%s: no room, but no 503", row->name);
    if (row->retries && row->blame != BLAME_UPSTREAM)
        fail_msg("%s: retried, but not the upstream's doing", row->name);
}

static void rows_make_sense(void **state)
{
    (void)state;
    for (unsigned fault = 1; fault < FAULT_COUNT; fault++)
        check_row(fault_row((enum fault)fault));
}

static void names_differ(void **state)
{
    (void)state;
    for (unsigned a = 0; a < FAULT_COUNT; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(fault_row((enum fault)a)->name, fault_row((enum fault)b)->name);
}

/* RFC 9112 section 9.3, A50: what follows a malformed head or framing is nobody's request. */
static void malformed_requests_close(void **state)
{
    (void)state;
    static const enum fault closing[] = {
        FAULT_bad_request_line, FAULT_bad_target,     FAULT_bad_field_name,  FAULT_bad_content_length,
        FAULT_framing_conflict, FAULT_bad_chunk,      FAULT_bad_line_ending, FAULT_bad_transfer_encoding,
        FAULT_head_too_large,   FAULT_body_too_large, FAULT_ambiguous_path,  FAULT_path_above_root,
    };
    for (size_t i = 0; i < sizeof closing / sizeof closing[0]; i++)
        assert_true(fault_row(closing[i])->closes);
}

static void ask_beyond_the_table(void)
{
    (void)fault_row(FAULT_COUNT);
}

static void there_is_nothing_beyond_the_table(void **state)
{
    (void)state;
    assert_true(dies(ask_beyond_the_table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_has_a_row),
        cmocka_unit_test(rows_make_sense),
        cmocka_unit_test(names_differ),
        cmocka_unit_test(malformed_requests_close),
        cmocka_unit_test(there_is_nothing_beyond_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
