/*
 * process/link: messages arrive whole, in order and with their descriptors; an end that has gone is noticed,
 * and one that does not listen holds nobody up.
 */
#include "process/link.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static int ends[2];

static int set_up(void **state)
{
    (void)state;
    return link_pair(ends) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return 0;
}

static void test_messages_keep_their_order(void **state)
{
    (void)state;
    struct link_message got;
    assert_int_equal(link_receive(ends[1], false, &got), LINK_NOTHING);
    assert_true(link_say(ends[0], LINK_DRAIN));
    assert_true(link_say(ends[0], LINK_KILL));
    assert_int_equal(link_receive(ends[1], true, &got), LINK_GOT);
    assert_int_equal(got.kind, LINK_DRAIN);
    assert_int_equal(got.fd_count, 0);
    assert_int_equal(link_receive(ends[1], false, &got), LINK_GOT);
    assert_int_equal(got.kind, LINK_KILL);
    assert_int_equal(link_receive(ends[1], false, &got), LINK_NOTHING);
}

static void test_as_many_descriptors_as_fit(void **state)
{
    (void)state;
    struct link_message sent = {.kind = LINK_SOCKETS, .threads = 3, .listeners = 50}, got;
    struct stat before, after;
    for (; sent.fd_count < LINK_FDS_MAX; sent.fd_count++) {
        sent.fds[sent.fd_count] = open(sent.fd_count == 7 ? "/dev/zero" : "/dev/null", O_RDONLY);
        assert_true(sent.fds[sent.fd_count] >= 0);
        sent.places[sent.fd_count] = 1000 + sent.fd_count;
    }
    assert_true(link_send(ends[0], &sent));
    assert_int_equal(link_receive(ends[1], true, &got), LINK_GOT);
    assert_int_equal(got.fd_count, LINK_FDS_MAX);
    assert_int_equal(got.threads, 3);
    assert_int_equal(got.listeners, 50);
    for (unsigned i = 0; i < LINK_FDS_MAX; i++) {
        assert_int_equal(got.places[i], 1000 + i);
        assert_int_equal(fstat(sent.fds[i], &before), 0);
        assert_int_equal(fstat(got.fds[i], &after), 0);
        assert_true(before.st_rdev == after.st_rdev);
        assert_int_equal(fcntl(got.fds[i], F_GETFD), FD_CLOEXEC);
        close(sent.fds[i]);
        close(got.fds[i]);
    }
}

static void test_who_has_gone_is_noticed(void **state)
{
    (void)state;
    struct link_message got;
    assert_true(link_say(ends[0], LINK_DRAIN));
    close(ends[0]);
    ends[0] = -1;
    assert_int_equal(link_receive(ends[1], false, &got), LINK_GOT);
    assert_int_equal(link_receive(ends[1], false, &got), LINK_CLOSED);
    assert_int_equal(link_receive(ends[1], true, &got), LINK_CLOSED);
    assert_false(link_say(ends[1], LINK_READY));
    assert_int_equal(errno, EPIPE);
}

static void test_who_does_not_listen_holds_nobody_up(void **state)
{
    (void)state;
    unsigned sent = 0;
    while (sent < 100000 && link_say(ends[0], LINK_DRAIN))
        sent++;
    assert_true(sent > 10 && sent < 100000);
    assert_int_equal(errno, EAGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages_keep_their_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_as_many_descriptors_as_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_has_gone_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_does_not_listen_holds_nobody_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
