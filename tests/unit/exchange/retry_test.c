/*
 * retry_may of exchange/internal.h, as a truth table: one repeatable attempt, then everything that forbids to
 * repeat it, one thing at a time.
 */
#include "exchange/internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

/* How far the outbound stream has come. */
enum progress {
    UNDIALLED, /* there is none */
    DIALLED,   /* it has not stood, or has carried nothing */
    REUSED,    /* it has carried an exchange before, but nothing of this one */
    SENT,      /* something of the request was sent on a new connection */
    STALE      /* and on one that has carried an exchange before */
};

/* An attempt that has ended. */
struct attempt {
    enum fault fault;
    enum method method;
    unsigned attempts, endpoints, interims;
    uint32_t content, kept; /* bytes of the request that have come, and that are still here */
    enum progress progress;
};

static bool may(const struct attempt *attempt)
{
    struct stream in = {.rx_head.method = attempt->method}, out = {0};
    struct cluster cluster = {.endpoints.count = attempt->endpoints};
    struct exchange x = {.in = &in, .cluster = &cluster};
    in.rx.total = attempt->content;
    in.rx.queued = attempt->kept;
    x.out = attempt->progress == UNDIALLED ? NULL : &out;
    out.reused = attempt->progress == REUSED || attempt->progress == STALE;
    out.tx_started = attempt->progress == SENT || attempt->progress == STALE;
    x.interims = attempt->interims;
    x.record.attempts = attempt->attempts;
    return retry_may(&x, attempt->fault);
}

#define CLOSED  FAULT_upstream_closed
#define RESET   FAULT_upstream_reset
#define REFUSED FAULT_connect_refused

/* fault, method, attempts, endpoints, interim heads, content, what is kept of it, progress */
static const struct {
    const char *name;
    struct attempt attempt;
    bool may;
} attempts[] = {
    {"stale", {CLOSED, METHOD_GET, 1, 1, 0, 0, 0, STALE}, true},
    {"stale, reset", {RESET, METHOD_GET, 1, 1, 0, 0, 0, STALE}, true},
    {"stale, second time", {CLOSED, METHOD_GET, 2, 1, 0, 0, 0, STALE}, true},
    {"stale, third time", {CLOSED, METHOD_GET, 3, 1, 0, 0, 0, STALE}, false},
    {"stale, even later", {CLOSED, METHOD_GET, 4, 1, 0, 0, 0, STALE}, false},
    {"a new connection", {CLOSED, METHOD_GET, 1, 1, 0, 0, 0, SENT}, false},
    {"a new connection, other endpoints", {CLOSED, METHOD_GET, 1, 5, 0, 0, 0, SENT}, false},
    {"after an interim head", {CLOSED, METHOD_GET, 1, 1, 1, 0, 0, STALE}, false},
    {"with content that is all here", {CLOSED, METHOD_PUT, 1, 1, 0, 9, 9, STALE}, true},
    {"with content that has left", {CLOSED, METHOD_PUT, 1, 1, 0, 9, 8, STALE}, false},
    {"with content that has left whole", {CLOSED, METHOD_PUT, 1, 1, 0, 9, 0, STALE}, false},
    {"HEAD", {CLOSED, METHOD_HEAD, 1, 1, 0, 0, 0, STALE}, true},
    {"PUT", {CLOSED, METHOD_PUT, 1, 1, 0, 0, 0, STALE}, true},
    {"DELETE", {CLOSED, METHOD_DELETE, 1, 1, 0, 0, 0, STALE}, true},
    {"OPTIONS", {CLOSED, METHOD_OPTIONS, 1, 1, 0, 0, 0, STALE}, true},
    {"TRACE", {CLOSED, METHOD_TRACE, 1, 1, 0, 0, 0, STALE}, true},
    {"POST", {CLOSED, METHOD_POST, 1, 1, 0, 0, 0, STALE}, false},
    {"PATCH", {CLOSED, METHOD_PATCH, 1, 1, 0, 0, 0, STALE}, false},
    {"CONNECT", {CLOSED, METHOD_CONNECT, 1, 1, 0, 0, 0, STALE}, false},
    {"any other method", {CLOSED, METHOD_OTHER, 1, 1, 0, 0, 0, STALE}, false},
    {"refused", {REFUSED, METHOD_POST, 1, 3, 0, 0, 0, UNDIALLED}, true},
    {"refused, idempotent", {REFUSED, METHOD_GET, 1, 3, 0, 0, 0, UNDIALLED}, true},
    {"refused while dialled", {REFUSED, METHOD_POST, 1, 3, 0, 0, 0, DIALLED}, true},
    {"unreachable", {FAULT_connect_failed, METHOD_POST, 1, 3, 0, 0, 0, UNDIALLED}, true},
    {"not connected in time", {FAULT_connect_timeout, METHOD_POST, 1, 3, 0, 0, 0, UNDIALLED}, true},
    {"refused by the second of three", {REFUSED, METHOD_POST, 2, 3, 0, 0, 0, UNDIALLED}, true},
    {"refused by the last", {REFUSED, METHOD_POST, 3, 3, 0, 0, 0, UNDIALLED}, false},
    {"refused by the third of many", {REFUSED, METHOD_POST, 3, 9, 0, 0, 0, UNDIALLED}, false},
    {"refused by the only one", {REFUSED, METHOD_POST, 1, 1, 0, 0, 0, UNDIALLED}, false},
    {"refused by both", {REFUSED, METHOD_POST, 2, 2, 0, 0, 0, UNDIALLED}, false},
    {"refused, no endpoint left", {REFUSED, METHOD_POST, 1, 0, 0, 0, 0, UNDIALLED}, false},
    {"refused, with content here", {REFUSED, METHOD_POST, 1, 3, 0, 5, 5, UNDIALLED}, true},
    {"refused, with content gone", {REFUSED, METHOD_POST, 1, 3, 0, 5, 4, UNDIALLED}, false},
    {"refused, after an interim head", {REFUSED, METHOD_POST, 1, 3, 1, 0, 0, UNDIALLED}, false},
    {"died before anything was sent", {CLOSED, METHOD_POST, 1, 2, 0, 0, 0, REUSED}, true},
    {"died before anything was sent, one endpoint", {CLOSED, METHOD_GET, 1, 1, 0, 0, 0, REUSED}, false},
};

static void truth(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        if (may(&attempts[i].attempt) != attempts[i].may)
            fail_msg("%s", attempts[i].name);
}

/* Whatever else holds, the fault must say so. */
static void only_faults_that_say_so(void **state)
{
    (void)state;
    for (int fault = FAULT_NONE; fault < FAULT_COUNT; fault++) {
        struct attempt stale = {(enum fault)fault, METHOD_GET, 1, 1, 0, 0, 0, STALE};
        struct attempt unsent = {(enum fault)fault, METHOD_POST, 1, 3, 0, 0, 0, UNDIALLED};
        bool retries = fault_row((enum fault)fault)->retries;
        if (may(&stale) != retries || may(&unsent) != retries)
            fail_msg("%s", fault_row((enum fault)fault)->name);
    }
    assert_true(fault_row(CLOSED)->retries && fault_row(RESET)->retries && fault_row(REFUSED)->retries);
    assert_false(fault_row(FAULT_upstream_truncated)->retries);
    assert_false(fault_row(FAULT_first_byte_timeout)->retries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truth),
        cmocka_unit_test(only_faults_that_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
