/*
 * policy/verifier: what is right, what is known afterwards, who shares a check, who is refused, and tickets
 * that are dropped at every moment. One loop, turned by hand.
 */
#include "../turning.h"

#include "base/mailbox.h"
#include "base/offload.h"
#include "policy/verifier.h"

static const char HASH[] = "$2b$04$pxjatVQVjUImHfAKFSJESuMXoVY185HyvsKt5AbnZwqrYUhJzuNOK"; /* of "x" */
static const char SLOW[] =
    "$2b$10$pxjatVQVjUImHfAKFSJESuMXoVY185HyvsKt5AbnZwqrYUhJzuNOK"; /* of nothing known */

static struct mailbox mailbox;
static struct verifier *verifier;
static struct task task;
static unsigned woken;

static void on_wake(struct task *given)
{
    (void)given;
    woken++;
}

static int set_up(void **state)
{
    (void)state;
    start_loop();
    mailbox_open(&mailbox, loop.base, NULL);
    loop.mailbox = &mailbox;
    loop.offload = offload_new(2, 16);
    verifier = verifier_new();
    task_init(&task, &loop.tasks, on_wake, false);
    woken = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    offload_free(&loop.offload);
    mailbox_close(&mailbox);
    task_drain(&loop.tasks);
    verifier_unref(&verifier);
    stop_loop();
    return 0;
}

static struct verifier_question question(const char *password, unsigned char client)
{
    return (struct verifier_question){.user = SLICE("alice"),
                                      .password = slice_of(password),
                                      .hash = slice_of(HASH),
                                      .is_user = true,
                                      .client = {[15] = client}};
}

static enum verifier_answer ask(const struct verifier_question *asked, struct verifier_ticket **ticket_out)
{
    *ticket_out = NULL;
    return verifier_ask(verifier, &loop, &task, asked, ticket_out);
}

/* Asks and waits; whether it was answered at once is told. */
static enum verifier_answer answer_to(const struct verifier_question *asked, bool *at_once_out)
{
    struct verifier_ticket *ticket;
    enum verifier_answer answer = ask(asked, &ticket);
    *at_once_out = answer != VERIFIER_PENDING;
    while (answer == VERIFIER_PENDING) {
        loop_turn(&loop);
        set_clock();
        answer = verifier_answer_of(ticket);
    }
    verifier_drop(&ticket);
    assert_null(ticket);
    return answer;
}

static void right_ones_are_known(void **state)
{
    (void)state;
    bool at_once;
    struct verifier_question right = question("x", 1), wrong = question("y", 1), changed = question("x", 1);
    assert_int_equal(answer_to(&right, &at_once), VERIFIER_RIGHT);
    assert_false(at_once);
    assert_int_equal(woken, 1);
    assert_int_equal(answer_to(&right, &at_once), VERIFIER_RIGHT);
    assert_true(at_once);
    assert_int_equal(answer_to(&wrong, &at_once), VERIFIER_WRONG);
    assert_int_equal(answer_to(&wrong, &at_once), VERIFIER_WRONG);
    assert_false(at_once); /* wrong ones are not remembered: they would drive out the right ones */
    changed.hash = SLICE("$2b$04$abcdefghijklmnopqrstuuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    assert_int_equal(answer_to(&changed, &at_once), VERIFIER_WRONG);
    assert_false(at_once);
    ahead_us += (uint64_t)VERIFIER_KNOWN_S * SECOND_US;
    set_clock();
    assert_int_equal(answer_to(&right, &at_once), VERIFIER_RIGHT);
    assert_false(at_once);
}

/* Although the password fits the hash that is computed for the time it takes. */
static void nobody_is_never_right(void **state)
{
    (void)state;
    bool at_once;
    struct verifier_question nobody = question("x", 1), alice = question("x", 1);
    nobody.is_user = false;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(answer_to(&nobody, &at_once), VERIFIER_WRONG);
        assert_false(at_once);
        assert_int_equal(answer_to(&alice, &at_once), VERIFIER_RIGHT);
    }
}

static void the_same_is_checked_once(void **state)
{
    (void)state;
    struct verifier_ticket *tickets[40];
    struct verifier_question same = question("no", 1);
    same.hash = slice_of(SLOW); /* none is answered before the last is asked */
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(ask(&same, &tickets[i]), VERIFIER_PENDING);
    verifier_drop(&tickets[7]);
    for (unsigned i = 0; i < 40; i++) {
        while (tickets[i] && verifier_answer_of(tickets[i]) == VERIFIER_PENDING)
            loop_turn(&loop);
        if (tickets[i])
            assert_int_equal(verifier_answer_of(tickets[i]), VERIFIER_WRONG);
        verifier_drop(&tickets[i]);
    }
}

static void a_client_has_its_share(void **state)
{
    (void)state;
    struct verifier_ticket *tickets[VERIFIER_CLIENT_MAX + 2];
    char password[8];
    for (unsigned i = 0; i < VERIFIER_CLIENT_MAX + 2; i++) {
        snprintf(password, sizeof password, "no %u", i);
        struct verifier_question wrong = question(password, i < VERIFIER_CLIENT_MAX + 1 ? 1 : 2);
        wrong.hash = slice_of(SLOW);
        bool is_too_much = i == VERIFIER_CLIENT_MAX;
        assert_int_equal(ask(&wrong, &tickets[i]), is_too_much ? VERIFIER_BUSY : VERIFIER_PENDING);
    }
    for (unsigned i = 0; i < VERIFIER_CLIENT_MAX + 2; i++)
        verifier_drop(&tickets[i]);
    bool at_once;
    struct verifier_question right = question("x", 3);
    assert_int_equal(answer_to(&right, &at_once), VERIFIER_RIGHT);
}

/* Before it is begun, while it runs, when its letter is under way, when it has come. */
static void dropped_at_every_moment(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        char password[16];
        snprintf(password, sizeof password, "no %u", i);
        struct verifier_question wrong = question(password, (unsigned char)(i % 100));
        struct verifier_ticket *ticket;
        enum verifier_answer answer = ask(&wrong, &ticket);
        for (unsigned spin = 0; spin < i * 50 && answer == VERIFIER_PENDING; spin++)
            answer = verifier_answer_of(ticket);
        if (i % 3 == 0)
            mailbox_deliver(&mailbox);
        verifier_drop(&ticket);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(right_ones_are_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_never_right, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_is_checked_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_has_its_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dropped_at_every_moment, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
