/*
 * process/overload: which stage follows on which, which resource counts, and that the clients' bound, the
 * gate and the calls for relief follow from them.
 */
#include "process/overload.h"

#include "base/clock.h"
#include "base/counters.h"
#include "process/limits.h"
#include "process/loop.h"
#include "process/memory.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

/* --- deciding --- */

static void a_stage_is_left_lower_than_it_is_entered(void **state)
{
    (void)state;
    static const struct {
        enum overload_stage now;
        unsigned permille;
        enum overload_stage next;
    } rows[] = {
        {OVERLOAD_NONE, 0, OVERLOAD_NONE},         {OVERLOAD_NONE, 799, OVERLOAD_NONE},
        {OVERLOAD_NONE, 800, OVERLOAD_SHEDS},      {OVERLOAD_NONE, 900, OVERLOAD_REFUSES},
        {OVERLOAD_NONE, 960, OVERLOAD_PAUSES},     {OVERLOAD_NONE, 2000, OVERLOAD_PAUSES},
        {OVERLOAD_SHEDS, 899, OVERLOAD_SHEDS},     {OVERLOAD_SHEDS, 700, OVERLOAD_SHEDS},
        {OVERLOAD_SHEDS, 699, OVERLOAD_NONE},      {OVERLOAD_SHEDS, 960, OVERLOAD_PAUSES},
        {OVERLOAD_REFUSES, 800, OVERLOAD_REFUSES}, {OVERLOAD_REFUSES, 799, OVERLOAD_SHEDS},
        {OVERLOAD_REFUSES, 0, OVERLOAD_NONE},      {OVERLOAD_PAUSES, 900, OVERLOAD_PAUSES},
        {OVERLOAD_PAUSES, 899, OVERLOAD_REFUSES},  {OVERLOAD_PAUSES, 799, OVERLOAD_SHEDS},
        {OVERLOAD_PAUSES, 100, OVERLOAD_NONE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(overload_next(rows[i].now, rows[i].permille), rows[i].next);
}

static void the_shortest_counts(void **state)
{
    (void)state;
    unsigned permille = 1;
    struct overload_gauge gauges[OVERLOAD_KINDS] = {{0, 100}, {0, 100}, {5000, 0}};
    overload_shortest(gauges, &permille);
    assert_int_equal(permille, 0); /* what has no bound is never short */
    gauges[OVERLOAD_SOCKETS].used = 50;
    assert_int_equal(overload_shortest(gauges, &permille), OVERLOAD_SOCKETS);
    assert_int_equal(permille, 500);
    gauges[OVERLOAD_MEMORY].most = 6000;
    assert_int_equal(overload_shortest(gauges, &permille), OVERLOAD_MEMORY);
    assert_int_equal(permille, 833);
    gauges[OVERLOAD_MEMORY].used = UINT32_MAX;
    overload_shortest(gauges, &permille);
    assert_int_equal(permille, 2000);
}

/* --- watching --- */

enum { FILES = 1000, PLACES_MAX = 1000, BELIEVED_US = 1300 * 1000 };

static struct rlimit usual;
static struct event_base *base;
static struct crowd *crowd;
static struct crowd_place places[PLACES_MAX];
static struct overload *overload;
static struct counters counters;
static struct config config;
static unsigned relieved;

static void on_relieve(void *arg)
{
    assert_ptr_equal(arg, &relieved);
    relieved++;
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    struct rlimit few = {.rlim_cur = FILES, .rlim_max = usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    config = (struct config){.process = {.memory_max = 1ull << 40}};
    relieved = 0;
    base = loop_base_new();
    crowd = crowd_new();
    counters_init(&counters);
    overload = overload_start(&(struct overload_settings){base, crowd, on_relieve, &relieved});
    overload_follow(overload, &config, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PLACES_MAX; i++)
        crowd_leave(&places[i]);
    overload_stop(&overload);
    overload_stop(&overload);
    crowd_free(&crowd);
    counters_fini(&counters);
    event_base_free(base);
    return setrlimit(RLIMIT_NOFILE, &usual);
}

/* What becomes of one who comes to a crowd. */
static enum crowd_gate gate(void)
{
    struct crowd_place others[CROWD_ALWAYS], place;
    for (int i = 0; i < CROWD_ALWAYS; i++)
        crowd_enter(crowd, &others[i]);
    bool entered = crowd_enter(crowd, &place);
    enum crowd_gate found = !entered ? CROWD_SHUT : crowd_is_refused(&place) ? CROWD_REFUSES : CROWD_OPEN;
    crowd_leave(&place);
    for (int i = 0; i < CROWD_ALWAYS; i++)
        crowd_leave(&others[i]);
    return found;
}

/* So many clients are there from now on, whether they would be let in or not; looks are taken. */
static void be_for(unsigned count, uint64_t us)
{
    for (unsigned i = 0; i < PLACES_MAX; i++)
        crowd_leave(&places[i]);
    crowd_bound(crowd, &(struct crowd_bounds){0});
    enum crowd_gate before = gate();
    crowd_set_gate(crowd, CROWD_OPEN);
    for (unsigned i = 0; i < count; i++)
        assert_true(crowd_enter(crowd, &places[i]) && !crowd_is_refused(&places[i]));
    crowd_set_gate(crowd, before);
    relieved = 0;
    for (uint64_t end = clock_monotonic_us() + us; clock_monotonic_us() < end;)
        event_base_loop(base, EVLOOP_ONCE);
}

/* The same until what has got better is believed. */
static void be(unsigned count)
{
    be_for(count, BELIEVED_US);
}

static unsigned clients_most(void)
{
    uint64_t room = limits_sockets(&config, 1);
    return (unsigned)(room - room / 4);
}

static void files_for_upstreams_are_kept(void **state)
{
    (void)state;
    unsigned count = 0;
    do
        assert_true(crowd_enter(crowd, &places[count]));
    while (!crowd_is_refused(&places[count]) && ++count < PLACES_MAX);
    assert_int_equal(count, clients_most() * 9 / 10 + 1);
    assert_in_range(count, FILES / 2, FILES * 3 / 4);
    crowd_leave(&places[count]);
    config.client.connections_max = 3;
    overload_follow(overload, &config, 1);
    assert_false(crowd_enter(crowd, &places[count])); /* what is configured makes them wait */
}

static void clients_bring_it_from_stage_to_stage(void **state)
{
    (void)state;
    unsigned most = clients_most();
    be(most * 79 / 100);
    assert_int_equal(relieved, 0);
    assert_int_equal(gate(), CROWD_OPEN);
    be(most * 81 / 100);
    assert_in_range(relieved, 2, 6); /* every quarter of a second */
    assert_int_equal(gate(), CROWD_OPEN);
    be(most * 91 / 100);
    assert_true(relieved > 0);
    assert_int_equal(gate(), CROWD_REFUSES);
    be(most * 97 / 100);
    assert_true(relieved > 0);
    assert_int_equal(gate(), CROWD_SHUT);
    be(most / 2);
    assert_int_equal(relieved, 0);
    assert_int_equal(gate(), CROWD_OPEN);
}

static void what_has_got_better_is_not_believed_at_once(void **state)
{
    (void)state;
    unsigned most = clients_most();
    be(most * 91 / 100);
    for (int wave = 0; wave < 3; wave++) {
        be_for(most / 2, BELIEVED_US / 2);
        assert_int_equal(gate(), CROWD_REFUSES);
        be_for(most * 91 / 100, BELIEVED_US / 4);
        assert_int_equal(gate(), CROWD_REFUSES);
    }
    be(most / 2);
    assert_int_equal(gate(), CROWD_OPEN);
}

static void sockets_to_upstreams_count_too(void **state)
{
    (void)state;
    uint64_t room = limits_sockets(&config, 1);
    counters_add(&counters, COUNTER_sockets_opened, room);
    be(0);
    assert_true(relieved > 0);
    assert_int_equal(gate(), CROWD_SHUT);
    counters_add(&counters, COUNTER_sockets_closed, room);
    be(0);
    assert_int_equal(gate(), CROWD_OPEN);
}

static void who_is_being_refused_does_not_count(void **state)
{
    (void)state;
    enum { REFUSED = 100 };
    static struct crowd_place refused[REFUSED];
    uint64_t room = limits_sockets(&config, 1);
    be(clients_most() * 91 / 100);
    for (int i = 0; i < REFUSED; i++)
        assert_true(crowd_enter(crowd, &refused[i]) && crowd_is_refused(&refused[i]));
    counters_add(&counters, COUNTER_sockets_opened, room * 91 / 100 + REFUSED);
    be_for(clients_most() * 91 / 100, BELIEVED_US);
    assert_int_equal(gate(), CROWD_REFUSES);
    for (int i = 0; i < REFUSED; i++)
        crowd_leave(&refused[i]);
    be_for(clients_most() * 91 / 100, BELIEVED_US);
    assert_int_equal(gate(), CROWD_SHUT);
    counters_add(&counters, COUNTER_sockets_closed, room * 91 / 100 + REFUSED); /* sums outlive the test */
}

static void memory_counts(void **state)
{
    (void)state;
    int statm = memory_open();
    uint64_t resident = memory_resident(statm);
    close(statm);
    assert_in_range(resident, 1024 * 1024, 1ull << 40);
    config.process.memory_max = resident;
    overload_follow(overload, &config, 1);
    be(0);
    assert_true(relieved > 0);
    assert_int_equal(gate(), CROWD_SHUT);
    struct crowd_place place;
    assert_true(crowd_enter(crowd, &place) &&
                !crowd_is_refused(&place)); /* a few may come whatever happens */
    crowd_leave(&place);
    config.process.memory_max = 4 * resident;
    overload_follow(overload, &config, 1);
    be(0);
    assert_int_equal(gate(), CROWD_OPEN);
}

static void what_cannot_be_read_is_not_known(void **state)
{
    (void)state;
    assert_int_equal(memory_resident(-1), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stage_is_left_lower_than_it_is_entered),
        cmocka_unit_test(the_shortest_counts),
        cmocka_unit_test(what_cannot_be_read_is_not_known),
        TEST(files_for_upstreams_are_kept),
        TEST(clients_bring_it_from_stage_to_stage),
        TEST(what_has_got_better_is_not_believed_at_once),
        TEST(sockets_to_upstreams_count_too),
        TEST(who_is_being_refused_does_not_count),
        TEST(memory_counts),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
