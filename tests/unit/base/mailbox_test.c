/*
 * base/mailbox: letters of several threads are delivered on the receiver's, every one once and each
 * sender's in order; the rest when it closes. Fit for a thread checker.
 */
#include "base/mailbox.h"

#include "../turning.h"

#include <stdlib.h>

enum { SENDERS = 4, LETTERS = 2000 };

/* What the receiver has got. */
struct receiver {
    pthread_t thread;
    struct mailbox mailbox;
    unsigned count, wrong_thread, wrong_order;
    unsigned next[SENDERS];
    char text[64];
};

struct note {
    struct letter letter; /* first, so that it is found from the letter */
    unsigned sender, number;
    char text;
    struct note *answer; /* posted from the delivery */
};

static struct receiver receiver;

static void deliver(struct letter *letter, void *arg)
{
    struct note *note = (struct note *)(void *)letter;
    struct receiver *to = arg;
    to->wrong_thread += !pthread_equal(to->thread, pthread_self());
    to->wrong_order += to->next[note->sender] != note->number;
    to->next[note->sender] = note->number + 1;
    to->text[to->count % (sizeof to->text - 1)] = note->text;
    to->count++;
    if (note->answer)
        mailbox_post(&to->mailbox, &note->answer->letter);
    free(note);
}

static struct note *note_new(unsigned sender, unsigned number, char text)
{
    struct note *note = calloc(1, sizeof *note);
    assert_non_null(note);
    *note = (struct note){.letter.deliver = deliver, .sender = sender, .number = number, .text = text};
    return note;
}

static void post(unsigned number, char text)
{
    mailbox_post(&receiver.mailbox, &note_new(0, number, text)->letter);
}

static int set_up(void **state)
{
    (void)state;
    start_loop();
    memset(&receiver, 0, sizeof receiver);
    receiver.thread = pthread_self();
    mailbox_open(&receiver.mailbox, loop.base, &receiver);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_loop();
    return 0;
}

static void letters_come_in_order_with_the_loop(void **state)
{
    (void)state;
    post(0, 'a');
    post(1, 'b');
    post(2, 'c');
    assert_int_equal(receiver.count, 0);
    turn();
    assert_string_equal(receiver.text, "abc");
    turn();
    assert_int_equal(receiver.count, 3);
    post(3, 'd');
    turn();
    assert_string_equal(receiver.text, "abcd");
    assert_int_equal(receiver.wrong_order, 0);
    mailbox_close(&receiver.mailbox);
}

static void a_blocked_loop_is_woken(void **state)
{
    (void)state;
    post(0, 'a');
    loop_turn(&loop);
    assert_string_equal(receiver.text, "a");
    mailbox_close(&receiver.mailbox);
}

static void delivering_by_hand_loses_no_later_letter(void **state)
{
    (void)state;
    post(0, 'a');
    mailbox_deliver(&receiver.mailbox);
    assert_string_equal(receiver.text, "a");
    post(1, 'b');
    turn();
    assert_string_equal(receiver.text, "ab");
    mailbox_deliver(&receiver.mailbox);
    post(2, 'c');
    turn();
    assert_string_equal(receiver.text, "abc");
    mailbox_close(&receiver.mailbox);
}

/* What a delivery posts is not delivered from inside of it. */
static void a_letter_may_answer(void **state)
{
    (void)state;
    struct note *note = note_new(0, 0, 'a');
    note->answer = note_new(0, 2, 'c');
    mailbox_post(&receiver.mailbox, &note->letter);
    post(1, 'b');
    mailbox_deliver(&receiver.mailbox);
    assert_string_equal(receiver.text, "ab");
    turn();
    assert_string_equal(receiver.text, "abc");
    assert_int_equal(receiver.wrong_order, 0);
    mailbox_close(&receiver.mailbox);
}

static void closing_delivers_the_rest(void **state)
{
    (void)state;
    post(0, 'a');
    turn();
    post(1, 'b');
    post(2, 'c');
    int fd = receiver.mailbox.event_fd;
    mailbox_close(&receiver.mailbox);
    assert_string_equal(receiver.text, "abc");
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(event_base_get_num_events(loop.base, EVENT_BASE_COUNT_ADDED), 0);
}

static void *send_all(void *arg)
{
    unsigned sender = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < LETTERS; i++) {
        struct note *note = calloc(1, sizeof *note);
        if (note == NULL)
            abort();
        *note = (struct note){.letter.deliver = deliver, .sender = sender, .number = i, .text = 'x'};
        mailbox_post(&receiver.mailbox, &note->letter);
        if (i % 64 == 0)
            usleep(50);
    }
    return NULL;
}

static void many_threads_post(void **state)
{
    (void)state;
    pthread_t threads[SENDERS];
    for (unsigned i = 0; i < SENDERS; i++)
        loop_start_pthread(&threads[i], send_all, (void *)(uintptr_t)i);
    TURN_UNTIL(receiver.count == SENDERS * LETTERS);
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    turn();
    assert_int_equal(receiver.count, SENDERS * LETTERS);
    assert_int_equal(receiver.wrong_thread, 0);
    assert_int_equal(receiver.wrong_order, 0);
    mailbox_close(&receiver.mailbox);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(letters_come_in_order_with_the_loop),
        TEST(a_blocked_loop_is_woken),
        TEST(delivering_by_hand_loses_no_later_letter),
        TEST(a_letter_may_answer),
        TEST(closing_delivers_the_rest),
        TEST(many_threads_post),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
