/*
 * The fault table, from tables/faults.def. Read by whoever answers, logs or counts; decides nothing.
 */
#include "base/fault.h"

#include "base/check.h"

#include <stddef.h>

enum { CLOSES = 1, RETRIES = 2, UNSEEN = 4, CROWDED = 8 };

static const struct fault_row rows[FAULT_COUNT] = {
    [FAULT_NONE] = {.name = "ok", .sentence = "all is well", .proxy_error = ""},
#define FAULT(row_name, row_status, row_flags, row_blame, row_error, row_sentence) \
    [FAULT_##row_name] = {.name = #row_name,                                       \
                          .sentence = row_sentence,                                \
                          .proxy_error = row_error,                                \
                          .status = row_status,                                    \
                          .blame = BLAME_##row_blame,                              \
                          .closes = ((row_flags)&CLOSES) != 0,                     \
                          .retries = ((row_flags)&RETRIES) != 0,                   \
                          .unseen = ((row_flags)&UNSEEN) != 0,                     \
                          .crowded = ((row_flags)&CROWDED) != 0},
#include "tables/faults.def"
#undef FAULT
};

const struct fault_row *fault_row(enum fault fault)
{
    CHECK((unsigned)fault < FAULT_COUNT);
    return &rows[fault];
}
