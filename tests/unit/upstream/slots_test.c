/*
 * upstream/slots: counting over several members, the order of the queue, what is asked of whom, and claims
 * that leave. The members stand for threads; the last test has real ones, fit for a thread checker.
 */
#include "upstream/slots.h"

#include "../turning.h"

enum { MEMBERS = 3, CLAIMS = 8 };

/* One thread's side of it. */
struct side {
    struct slots_member member;
    struct mailbox mailbox;
    struct tally *tally;
    uint32_t given_up;
    bool busy;
};

static struct slots_book *book;
static struct side sides[MEMBERS];
static struct claim claims[CLAIMS];
static struct task tasks[CLAIMS];
static char woken[CLAIMS + 1]; /* in the order of waking */
static struct address address;

static void run(struct task *task)
{
    size_t len = strlen(woken);
    woken[len] = (char)('0' + (task - tasks));
    woken[len + 1] = '\0';
}

static void give_up(struct slots_member *member, uint32_t count, bool busy)
{
    struct side *side = CONTAINER_OF(member, side, member);
    side->given_up += count;
    side->busy = busy;
}

static void join(struct side *side)
{
    slots_join(book, &side->member, "api");
    side->tally = tally_join(&side->member, &address, 0);
}

static void quit(struct side *side)
{
    if (side->tally)
        tally_retire(side->tally);
    tally_quit(&side->tally, &side->member, 0);
    if (side->member.slots)
        slots_quit(&side->member);
}

static int set_up(void **state)
{
    (void)state;
    start_loop();
    book = slots_book_new();
    memset(sides, 0, sizeof sides);
    memset(claims, 0, sizeof claims);
    woken[0] = '\0';
    assert_true(address_from_literal(SLICE("10.0.0.1"), 80, &address));
    for (int i = 0; i < MEMBERS; i++) {
        mailbox_open(&sides[i].mailbox, loop.base, NULL);
        sides[i].member.mailbox = &sides[i].mailbox;
        sides[i].member.give_up = give_up;
        join(&sides[i]);
    }
    for (int i = 0; i < CLAIMS; i++) {
        task_init(&tasks[i], &loop.tasks, run, false);
        claims[i].task = &tasks[i];
        claims[i].since_us = 1000u + (unsigned)i;
    }
    slots_bound(&sides[0].member, 2, 4);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < MEMBERS; i++) {
        quit(&sides[i]);
        mailbox_close(&sides[i].mailbox);
    }
    slots_book_free(&book);
    assert_null(book);
    stop_loop();
    return 0;
}

/* Who was woken since it was last asked. */
static const char *who_was_woken(void)
{
    static char text[CLAIMS + 1];
    turn();
    strcpy(text, woken);
    woken[0] = '\0';
    return text;
}

static bool try_at(int number, int side)
{
    return claim_try(&claims[number], &sides[side].member, sides[side].tally);
}

/* The claim becomes a connection. */
static void connect_at(int number, int side)
{
    assert_true(try_at(number, side));
    claim_use(&claims[number]);
}

static void fill(void)
{
    connect_at(0, 0);
    connect_at(0, 1);
}

static void wait_at(int number, int side)
{
    assert_false(try_at(number, side));
    assert_true(claim_wait(&claims[number], &sides[side].member));
    assert_true(claim_waits(&claims[number]));
}

static void disconnect(int side)
{
    slots_free(&sides[side].member, sides[side].tally, false);
}

/* --- counting --- */

static void all_members_count_together(void **state)
{
    (void)state;
    assert_true(sides[0].tally == sides[1].tally && sides[1].tally == sides[2].tally);
    fill();
    assert_false(try_at(1, 2));
    assert_false(tally_is_over(sides[2].tally));
    disconnect(0);
    assert_true(try_at(1, 2));
    assert_ptr_equal(claim_slot(&claims[1]), sides[2].tally);
    assert_false(try_at(2, 0)); /* an unused slot counts */
    claim_leave(&claims[1]);
    assert_null(claim_slot(&claims[1]));
    assert_true(try_at(2, 0));
    claim_leave(&claims[2]);
    claim_leave(&claims[2]);
    disconnect(1);
}

static void what_was_there_before_counts(void **state)
{
    (void)state;
    struct tally *tally = sides[0].tally;
    tally_retire(tally);
    tally_quit(&sides[0].tally, &sides[0].member, 0);
    sides[0].tally = tally_join(&sides[0].member, &address, 3);
    assert_ptr_equal(sides[0].tally, tally);
    assert_true(tally_is_over(tally));
    assert_false(try_at(1, 1));
    slots_bound(&sides[0].member, 4, 4);
    assert_true(try_at(1, 1));
    claim_leave(&claims[1]);
    for (int i = 0; i < 3; i++)
        disconnect(0);
}

static void endpoints_are_counted_one_by_one(void **state)
{
    (void)state;
    struct address other;
    assert_true(address_from_literal(SLICE("10.0.0.2"), 80, &other));
    fill();
    struct tally *tally = tally_join(&sides[0].member, &other, 0);
    assert_ptr_not_equal(tally, sides[0].tally);
    assert_true(claim_try(&claims[1], &sides[0].member, tally));
    claim_leave(&claims[1]);
    tally_retire(tally);
    tally_quit(&tally, &sides[0].member, 0);
    assert_null(tally);
    disconnect(0);
    disconnect(0);
}

/* --- the queue --- */

static void first_come_first_served_across_threads(void **state)
{
    (void)state;
    fill();
    wait_at(1, 2);
    wait_at(2, 0);
    wait_at(3, 1);
    disconnect(0);
    assert_string_equal(who_was_woken(), "1");
    assert_ptr_equal(claim_slot(&claims[1]), sides[2].tally);
    claim_use(&claims[1]);
    disconnect(0);
    disconnect(0);
    assert_string_equal(who_was_woken(), "23");
    for (int i = 2; i < 4; i++)
        claim_leave(&claims[i]);
}

static void nobody_overtakes(void **state)
{
    (void)state;
    fill();
    wait_at(2, 0);
    slots_bound(&sides[0].member, 2, 4);
    assert_false(try_at(3, 1));
    sides[1].member.shared.spare = 1;
    assert_false(claim_try_spare(&claims[3], &sides[1].member));
    assert_true(claim_try_spare(&claims[1], &sides[1].member)); /* it came before */
    disconnect(0);
    claim_leave(&claims[2]);
    disconnect(0);
}

static void who_comes_again_has_its_old_place(void **state)
{
    (void)state;
    fill();
    wait_at(5, 0);
    wait_at(6, 1);
    wait_at(1, 1);
    wait_at(3, 0);
    for (int i = 0; i < 2; i++)
        disconnect(0);
    assert_string_equal(who_was_woken(), "31"); /* 3 was told at once, 1 by letter */
    claim_leave(&claims[3]);
    claim_leave(&claims[1]);
    assert_string_equal(who_was_woken(), "56");
    claim_leave(&claims[5]);
    claim_leave(&claims[6]);
}

static void the_queue_is_bounded(void **state)
{
    (void)state;
    fill();
    for (int i = 1; i <= 4; i++)
        wait_at(i, i % MEMBERS);
    assert_false(claim_wait(&claims[5], &sides[0].member));
    assert_false(claim_waits(&claims[5]));
    claim_leave(&claims[2]);
    assert_false(claim_waits(&claims[2]));
    assert_true(claim_wait(&claims[5], &sides[0].member));
    for (int i = 1; i <= 5; i++)
        claim_leave(&claims[i]);
    disconnect(0);
    disconnect(0);
    assert_string_equal(who_was_woken(), "");
}

static void a_slot_that_was_not_used_goes_to_the_next(void **state)
{
    (void)state;
    fill();
    wait_at(1, 2);
    wait_at(2, 1);
    disconnect(0); /* 1 has it, but has not heard of it */
    claim_leave(&claims[1]);
    assert_string_equal(who_was_woken(), "2");
    claim_leave(&claims[2]);
    disconnect(0);
}

static void an_endpoint_that_fails_is_avoided(void **state)
{
    (void)state;
    struct address other;
    struct tally *tallies[MEMBERS];
    assert_true(address_from_literal(SLICE("10.0.0.2"), 80, &other));
    slots_bound(&sides[0].member, 1, 4);
    for (int i = 0; i < MEMBERS; i++)
        tallies[i] = tally_join(&sides[i].member, &other, i == 0);
    connect_at(0, 0);
    wait_at(1, 1);
    tally_avoid(sides[0].tally, clock_monotonic_us() + 60 * SECOND_US);
    disconnect(0);
    assert_true(claim_waits(&claims[1])); /* the other one is full, but can be connected to */
    slots_free(&sides[0].member, tallies[0], false);
    assert_ptr_equal(claim_slot(&claims[1]), tallies[0]);
    tally_avoid(tallies[0], clock_monotonic_us() + 60 * SECOND_US);
    assert_true(claim_wait(&claims[2], &sides[0].member));
    assert_ptr_equal(claim_slot(&claims[2]), sides[0].tally); /* all are avoided: all are tried */
    claim_leave(&claims[1]);
    claim_leave(&claims[2]);
    for (int i = 0; i < MEMBERS; i++) {
        tally_retire(tallies[i]);
        tally_quit(&tallies[i], &sides[i].member, 0);
    }
}

/* One thread has heard of the new address and the other has not: nobody is sent where it cannot go. */
static void only_endpoints_that_all_know_are_given(void **state)
{
    (void)state;
    struct address other;
    fill();
    wait_at(1, 1);
    assert_true(address_from_literal(SLICE("10.0.0.2"), 80, &other));
    struct tally *a = tally_join(&sides[0].member, &other, 0), *b = tally_join(&sides[1].member, &other, 0);
    assert_true(claim_waits(&claims[1]));
    struct tally *c = tally_join(&sides[2].member, &other, 0);
    assert_ptr_equal(claim_slot(&claims[1]), c);
    tally_retire(b);
    claim_leave(&claims[1]);
    wait_at(1, 1);
    tally_retire(a);
    tally_retire(c);
    tally_quit(&a, &sides[0].member, 0);
    tally_quit(&b, &sides[1].member, 0);
    tally_quit(&c, &sides[2].member, 0);
    claim_leave(&claims[1]);
    disconnect(0);
    disconnect(0);
}

/* --- warm connections --- */

static enum slots_rest rest_at(int side, struct claim **heir_out)
{
    return slots_rest(&sides[side].member, sides[side].tally, heir_out);
}

static void a_warm_connection_stays_on_its_thread_if_that_is_fair(void **state)
{
    (void)state;
    struct claim *heir = NULL;
    fill();
    assert_int_equal(rest_at(0, &heir), SLOTS_REST);
    assert_true(claim_try_spare(&claims[1], &sides[0].member));
    assert_false(claim_try_spare(&claims[1], &sides[0].member));
    wait_at(1, 1);
    wait_at(2, 0);
    assert_int_equal(rest_at(0, &heir), SLOTS_HEIR); /* one came a little before, but elsewhere */
    assert_ptr_equal(heir, &claims[2]);
    assert_false(claim_waits(&claims[2]));
    claims[3].since_us = claims[1].since_us + SLOTS_LEAD_US + 1;
    wait_at(3, 0);
    assert_int_equal(rest_at(0, &heir), SLOTS_CLOSE);
    assert_int_equal(rest_at(2, &heir), SLOTS_CLOSE);
    disconnect(0);
    assert_string_equal(who_was_woken(), "1");
    claim_use(&claims[1]);
    claims[3].fresh = true;
    assert_int_equal(rest_at(0, &heir), SLOTS_CLOSE);
    disconnect(0);
    claim_leave(&claims[3]);
    disconnect(1);
}

static void one_too_many_is_closed(void **state)
{
    (void)state;
    struct claim *heir = NULL;
    fill();
    slots_bound(&sides[1].member, 1, 4);
    assert_true(tally_is_over(sides[0].tally));
    assert_int_equal(rest_at(0, &heir), SLOTS_CLOSE);
    wait_at(1, 0);
    assert_int_equal(rest_at(0, &heir), SLOTS_CLOSE);
    disconnect(0);
    assert_true(claim_waits(&claims[1]));
    assert_int_equal(rest_at(1, &heir), SLOTS_CLOSE);
    claim_leave(&claims[1]);
    disconnect(1);
}

/* --- asking other threads --- */

static void who_has_most_is_asked(void **state)
{
    (void)state;
    slots_bound(&sides[0].member, 0, 4);
    slots_note(&sides[0].member, 0, 1);
    slots_note(&sides[2].member, 0, 2);
    for (int i = 1; i <= 4; i++)
        wait_at(i, 1);
    turn();
    assert_int_equal(sides[2].given_up, 2);
    assert_int_equal(sides[0].given_up, 1);
    assert_int_equal(sides[1].given_up, 0);
    for (int i = 1; i <= 4; i++)
        claim_leave(&claims[i]);
}

static void who_does_not_wait_any_more_gets_nothing(void **state)
{
    (void)state;
    slots_bound(&sides[0].member, 0, 4);
    slots_note(&sides[2].member, 0, 2);
    wait_at(1, 1);
    claim_leave(&claims[1]);
    turn();
    assert_int_equal(sides[2].given_up, 0);
}

static void busy_connections_go_only_to_threads_without_any(void **state)
{
    (void)state;
    slots_bound(&sides[0].member, 0, 4);
    slots_note(&sides[0].member, 1, 0);
    slots_note(&sides[1].member, 1, 0);
    wait_at(1, 1);
    turn();
    assert_int_equal(sides[0].given_up + sides[1].given_up, 0);
    claim_leave(&claims[1]);
    wait_at(2, 2);
    turn();
    assert_int_equal(sides[0].given_up + sides[1].given_up, 1);
    assert_true(sides[0].busy || sides[1].busy);
    claim_leave(&claims[2]);
}

static void room_on_a_shared_connection_calls_own_claims(void **state)
{
    (void)state;
    fill();
    wait_at(1, 1);
    wait_at(2, 0);
    wait_at(3, 0);
    slots_call(&sides[0].member, 1);
    assert_string_equal(who_was_woken(), "2");
    assert_false(claim_waits(&claims[2]));
    assert_true(claim_waits(&claims[1]) && claim_waits(&claims[3]));
    slots_call(&sides[0].member, 7);
    assert_string_equal(who_was_woken(), "3");
    claim_leave(&claims[1]);
    disconnect(0);
    disconnect(0);
}

/* --- members that come and go --- */

static void a_larger_bound_lets_claims_go(void **state)
{
    (void)state;
    fill();
    wait_at(1, 0);
    wait_at(2, 1);
    wait_at(3, 2);
    slots_bound(&sides[2].member, 4, 4);
    turn(); /* the letters */
    assert_null(claims[3].shared.slot);
    assert_non_null(claim_slot(&claims[1]));
    assert_non_null(claim_slot(&claims[2]));
    for (int i = 1; i <= 3; i++)
        claim_leave(&claims[i]);
    disconnect(0);
    disconnect(0);
}

static void who_quits_asks_anew(void **state)
{
    (void)state;
    fill();
    wait_at(1, 0);
    wait_at(2, 0);
    wait_at(3, 1);
    disconnect(1);                                    /* 1 has a slot now */
    tally_retire(sides[0].tally);                     /* as clusters do, */
    tally_quit(&sides[0].tally, &sides[0].member, 1); /* its connection is not counted any more */
    slots_quit(&sides[0].member);
    turn();
    assert_null(sides[0].member.slots);
    assert_false(claim_waits(&claims[1]) || claim_waits(&claims[2]) || claim_waits(&claims[3]));
    assert_ptr_equal(claim_slot(&claims[3]), sides[1].tally);
    claim_leave(&claims[1]);
    claim_leave(&claims[3]);
    join(&sides[0]);
    assert_ptr_equal(sides[0].tally, sides[1].tally);
}

/* Nobody is left who counts at the endpoint but a claim that was told to come; the address checker sees what
 * is not freed. */
static void a_slot_that_was_given_goes_with_its_thread(void **state)
{
    (void)state;
    assert_true(try_at(0, 0));
    quit(&sides[1]);
    quit(&sides[2]);
    quit(&sides[0]);
    assert_string_equal(who_was_woken(), "0");
    assert_null(claim_slot(&claims[0]));
}

static void a_letter_that_comes_too_late_does_nothing(void **state)
{
    (void)state;
    slots_bound(&sides[0].member, 0, 4);
    slots_note(&sides[2].member, 0, 2);
    wait_at(1, 1);
    quit(&sides[2]);
    turn();
    assert_int_equal(sides[2].given_up, 0);
    claim_leave(&claims[1]);
}

/* --- threads --- */

enum { RACERS = 4, ROUNDS = 1000 };

/* A thread that takes and gives slots as fast as it can; what other threads wake, its own loop would run. */
struct racer {
    pthread_t pthread;
    struct side side;
    struct task task;
    struct task_queue tasks;
    _Atomic uint32_t *open, *most;
};

static void ignore(struct task *task)
{
    (void)task;
}

static void note_most(struct racer *racer)
{
    uint32_t open = atomic_fetch_add(racer->open, 1) + 1, most = atomic_load(racer->most);
    while (open > most && !atomic_compare_exchange_weak(racer->most, &most, open))
        continue;
}

static void race_once(struct racer *racer, uint64_t since_us)
{
    struct claim claim = {.task = &racer->task, .since_us = since_us};
    struct slots_member *member = &racer->side.member;
    if (!claim_try(&claim, member, racer->side.tally) && !claim_wait(&claim, member))
        return;
    for (int i = 0; i < 50 && claim_waits(&claim); i++)
        usleep(10);
    if (claim_slot(&claim) == NULL) {
        claim_leave(&claim);
        return;
    }
    claim_use(&claim);
    note_most(racer);
    usleep(1);
    atomic_fetch_sub(racer->open, 1);
    slots_free(member, racer->side.tally, false);
}

static void *race(void *arg)
{
    struct racer *racer = arg;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        race_once(racer, i);
        mailbox_deliver(&racer->side.mailbox);
        task_drain(&racer->tasks);
    }
    return NULL;
}

static void many_threads_never_have_too_many(void **state)
{
    (void)state;
    static struct racer racers[RACERS];
    static _Atomic uint32_t open, most;
    memset(racers, 0, sizeof racers);
    for (int i = 0; i < MEMBERS; i++)
        quit(&sides[i]);
    for (int i = 0; i < RACERS; i++) {
        struct racer *racer = &racers[i];
        task_queue_init(&racer->tasks);
        task_init(&racer->task, &racer->tasks, ignore, false);
        mailbox_open(&racer->side.mailbox, loop.base, NULL);
        racer->side.member.mailbox = &racer->side.mailbox;
        racer->side.member.give_up = give_up;
        racer->open = &open;
        racer->most = &most;
        join(&racer->side);
    }
    slots_bound(&racers[0].side.member, 2, 2);
    for (int i = 0; i < RACERS; i++)
        loop_start_pthread(&racers[i].pthread, race, &racers[i]);
    for (int i = 0; i < RACERS; i++)
        pthread_join(racers[i].pthread, NULL);
    for (int i = 0; i < RACERS; i++) {
        quit(&racers[i].side);
        mailbox_close(&racers[i].side.mailbox);
    }
    assert_int_equal(open, 0);
    assert_int_equal(most, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(all_members_count_together),
        TEST(what_was_there_before_counts),
        TEST(endpoints_are_counted_one_by_one),
        TEST(first_come_first_served_across_threads),
        TEST(nobody_overtakes),
        TEST(who_comes_again_has_its_old_place),
        TEST(the_queue_is_bounded),
        TEST(a_slot_that_was_not_used_goes_to_the_next),
        TEST(an_endpoint_that_fails_is_avoided),
        TEST(only_endpoints_that_all_know_are_given),
        TEST(a_warm_connection_stays_on_its_thread_if_that_is_fair),
        TEST(one_too_many_is_closed),
        TEST(who_has_most_is_asked),
        TEST(who_does_not_wait_any_more_gets_nothing),
        TEST(busy_connections_go_only_to_threads_without_any),
        TEST(room_on_a_shared_connection_calls_own_claims),
        TEST(a_larger_bound_lets_claims_go),
        TEST(who_quits_asks_anew),
        TEST(a_slot_that_was_given_goes_with_its_thread),
        TEST(a_letter_that_comes_too_late_does_nothing),
        TEST(many_threads_never_have_too_many),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
