/*
 * net/listener: what can be bound and what cannot, who is accepted and how many a turn, and what happens when
 * no descriptor is left.
 */
#include "net/listener.h"

#include "../turning.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { CLIENTS = 80, ACCEPTS_PER_TURN = 32, REST_US = 100 * 1000 };

static char dir[32], path[64];
static unsigned accepted;
static int fds[CLIENTS], clients[CLIENTS];
static struct address remotes[CLIENTS];
static struct listener *listener;

static int set_up(void **state)
{
    (void)state;
    start_loop();
    accepted = 0;
    strcpy(dir, "/tmp/portico-listener-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/socket", dir);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = fds[i] = -1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    listener_stop(&listener);
    listener_stop(&listener);
    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i] >= 0)
            close(clients[i]);
        if (fds[i] >= 0)
            close(fds[i]);
    }
    unlink(path);
    rmdir(dir);
    stop_loop();
    return listener != NULL;
}

static struct crowd *crowd; /* NULL in most tests */
static struct crowd_place places[CLIENTS];

static void on_accept(void *arg, int fd, const struct address *remote, struct crowd_place place)
{
    assert_ptr_equal(arg, fds);
    assert_ptr_equal(place.crowd, crowd);
    assert_true(accepted < CLIENTS);
    places[accepted] = place;
    fds[accepted] = fd;
    remotes[accepted++] = *remote;
}

static void start_on(int fd)
{
    assert_true(fd >= 0);
    listener = listener_start(&loop, fd, crowd, on_accept, fds);
    assert_non_null(listener);
}

static struct address bound_to(int fd)
{
    struct address address;
    memset(&address, 0, sizeof address);
    address.len = sizeof address.un;
    assert_int_equal(getsockname(fd, &address.any, &address.len), 0);
    return address;
}

/* Binds a port that the kernel chooses; `port_out` may be NULL. */
static int bind_free(const char *host, unsigned *port_out)
{
    struct endpoint_name name = {.host = slice_of(host)};
    int fd = listener_bind(&name);
    assert_true(fd >= 0);
    struct address address = bound_to(fd);
    if (port_out)
        *port_out = address_port(&address);
    return fd;
}

static void connect_clients(const char *host, unsigned port, int from, int count)
{
    struct address address;
    assert_true(address_from_literal(slice_of(host), port, &address));
    for (int i = from; i < from + count; i++)
        clients[i] = connect_to(&address);
}

static void a_client_is_accepted(void **state)
{
    (void)state;
    unsigned port;
    start_on(bind_free("127.0.0.1", &port));
    turn();
    assert_int_equal(accepted, 0);
    connect_clients("127.0.0.1", port, 0, 1);
    TURN_UNTIL(accepted == 1);
    struct address client = bound_to(clients[0]);
    assert_true(address_equal(&remotes[0], &client));
    assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    int undelayed = 0;
    socklen_t len = sizeof undelayed;
    assert_int_equal(getsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &undelayed, &len), 0);
    assert_int_equal(undelayed, 1);
    say(clients[0], "x");
    char byte = 0;
    TURN_UNTIL(byte == 'x' || read(fds[0], &byte, 1) == 1);
}

static void accepting_is_bounded_a_turn(void **state)
{
    (void)state;
    unsigned port;
    start_on(bind_free("127.0.0.1", &port));
    connect_clients("127.0.0.1", port, 0, CLIENTS);
    usleep(20000);
    turn();
    assert_int_equal(accepted, ACCEPTS_PER_TURN);
    turn();
    assert_int_equal(accepted, 2 * ACCEPTS_PER_TURN);
    TURN_UNTIL(accepted == CLIENTS);
}

static void an_ipv4_client_of_both_families_is_one(void **state)
{
    (void)state;
    unsigned port;
    start_on(bind_free("", &port));
    connect_clients("127.0.0.1", port, 0, 1);
    TURN_UNTIL(accepted == 1);
    struct address client = bound_to(clients[0]);
    assert_int_equal(remotes[0].any.sa_family, AF_INET);
    assert_int_equal(remotes[0].len, sizeof(struct sockaddr_in));
    assert_true(address_equal(&remotes[0], &client));
    char text[ADDRESS_TEXT_MAX];
    address_print_host(&remotes[0].any, text);
    assert_string_equal(text, "127.0.0.1");
}

static bool has_ipv6(void)
{
    struct endpoint_name name = {.host = SLICE("::1")};
    int fd = listener_bind(&name);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void an_ipv6_client_stays_one(void **state)
{
    (void)state;
    unsigned port;
    if (!has_ipv6())
        skip();
    start_on(bind_free("", &port));
    connect_clients("::1", port, 0, 1);
    TURN_UNTIL(accepted == 1);
    struct address client = bound_to(clients[0]);
    assert_int_equal(remotes[0].any.sa_family, AF_INET6);
    assert_true(address_equal(&remotes[0], &client));
}

static void a_unix_client_is_accepted(void **state)
{
    (void)state;
    struct endpoint_name name = {.host = slice_of(path), .is_unix = true};
    start_on(listener_bind(&name));
    struct address address;
    assert_true(address_from_unix_path(slice_of(path), &address));
    clients[0] = connect_to(&address);
    TURN_UNTIL(accepted == 1);
    assert_int_equal(remotes[0].any.sa_family, AF_UNIX);
}

/* --- binding --- */

static void threads_share_a_port(void **state)
{
    (void)state;
    unsigned port;
    int first = bind_free("127.0.0.1", &port);
    struct endpoint_name name = {.host = SLICE("127.0.0.1"), .port = port};
    int second = listener_bind(&name);
    assert_true(second >= 0);
    assert_true(fcntl(second, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(second, F_GETFD) & FD_CLOEXEC);
    struct address a = bound_to(first), b = bound_to(second);
    assert_true(address_equal(&a, &b));
    close(first);
    close(second);
}

static void a_port_is_free_or_not(void **state)
{
    (void)state;
    unsigned port;
    int fd = bind_free("127.0.0.1", &port);
    struct endpoint_name name = {.host = SLICE("127.0.0.1"), .port = port}, any = {.port = port};
    errno = 0;
    assert_false(listener_is_free(&name));
    assert_int_equal(errno, EADDRINUSE);
    assert_false(listener_is_free(&any));
    close(fd);
    assert_true(listener_is_free(&name));
    assert_true(listener_is_free(&name)); /* asking leaves nothing behind */
    assert_true(listener_is_free(&any));
    fd = listener_bind(&any);
    assert_true(fd >= 0);
    assert_false(listener_is_free(&any));
    close(fd);
}

static void hosts_that_are_not_here(void **state)
{
    (void)state;
    struct endpoint_name elsewhere = {.host = SLICE("192.0.2.1"), .port = 1};
    struct endpoint_name named = {.host = SLICE("localhost"), .port = 1};
    errno = 0;
    assert_int_equal(listener_bind(&elsewhere), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    assert_false(listener_is_free(&elsewhere));
    errno = 0;
    assert_int_equal(listener_bind(&named), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
}

static void a_stale_unix_socket_is_replaced(void **state)
{
    (void)state;
    struct endpoint_name name = {.host = slice_of(path), .is_unix = true};
    assert_true(listener_is_free(&name));
    int stale = listener_bind(&name);
    assert_true(stale >= 0);
    close(stale);
    struct stat status;
    assert_int_equal(stat(path, &status), 0); /* closing leaves the name */
    assert_true(listener_is_free(&name));
    start_on(listener_bind(&name));
    struct address address;
    assert_true(address_from_unix_path(slice_of(path), &address));
    clients[0] = connect_to(&address);
    TURN_UNTIL(accepted == 1);
}

static void another_file_is_not_replaced(void **state)
{
    (void)state;
    struct endpoint_name name = {.host = slice_of(path), .is_unix = true};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("kept", file);
    fclose(file);
    errno = 0;
    assert_int_equal(listener_bind(&name), -1);
    assert_int_equal(errno, EADDRINUSE);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 4);
}

static void a_unix_socket_that_somebody_serves_is_not_free(void **state)
{
    (void)state;
    struct endpoint_name name = {.host = slice_of(path), .is_unix = true};
    assert_true(listener_is_free(&name));
    int fd = listener_bind(&name);
    assert_true(fd >= 0);
    assert_false(listener_is_free(&name));
    assert_int_equal(errno, EADDRINUSE);
    close(fd);
    assert_true(listener_is_free(&name));
}

static void unix_paths_have_an_end(void **state)
{
    (void)state;
    char long_path[200];
    memset(long_path, 'x', sizeof long_path);
    struct endpoint_name name = {.host = slice_make(long_path, sizeof long_path), .is_unix = true};
    errno = 0;
    assert_int_equal(listener_bind(&name), -1);
    assert_int_equal(errno, ENAMETOOLONG);
}

/* A failed bind gives its descriptor back. */
static void failing_leaks_no_descriptor(void **state)
{
    (void)state;
    struct endpoint_name name = {.host = SLICE("192.0.2.1"), .port = 1};
    int before = dup(0);
    close(before);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(listener_bind(&name), -1);
        assert_false(listener_is_free(&name));
    }
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

/* --- no descriptor left --- */

static struct rlimit usual;

/* Leaves room for so many descriptors more. */
static void leave(unsigned count)
{
    int next = dup(0);
    close(next);
    struct rlimit few = {.rlim_cur = (rlim_t)next + count, .rlim_max = usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static int keep_limit(void **state)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    return set_up(state);
}

static int restore_limit(void **state)
{
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    return tear_down(state);
}

static void it_rests_when_no_descriptor_is_left(void **state)
{
    (void)state;
    unsigned port;
    start_on(bind_free("127.0.0.1", &port));
    connect_clients("127.0.0.1", port, 0, 5);
    turn(); /* the loop itself has opened what it needs */
    for (unsigned i = 0; i < accepted; i++)
        close(fds[i]), fds[i] = -1;
    accepted = 0;
    connect_clients("127.0.0.1", port, 5, 5);
    leave(2);
    TURN_UNTIL(accepted == 2);
    assert_int_equal(event_base_get_num_events(loop.base, EVENT_BASE_COUNT_ADDED), 1); /* the timer's */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    turn();
    assert_int_equal(accepted, 2); /* it rests */
    pass(REST_US);
    assert_int_equal(accepted, 5);
    connect_clients("127.0.0.1", port, 10, 1);
    TURN_UNTIL(accepted == 6);
}

static void it_rests_again(void **state)
{
    (void)state;
    unsigned port;
    start_on(bind_free("127.0.0.1", &port));
    connect_clients("127.0.0.1", port, 0, 3);
    leave(0);
    turn();
    for (int i = 0; i < 3; i++) {
        pass(REST_US);
        assert_int_equal(accepted, 0);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    pass(REST_US);
    assert_int_equal(accepted, 3);
}

static void stopping_while_it_rests(void **state)
{
    (void)state;
    unsigned port;
    start_on(bind_free("127.0.0.1", &port));
    connect_clients("127.0.0.1", port, 0, 3);
    leave(0);
    turn();
    listener_stop(&listener);
    assert_int_equal(accepted, 0);
    pass(2 * REST_US);
    assert_int_equal(event_base_get_num_events(loop.base, EVENT_BASE_COUNT_ADDED), 0);
}

/* --- the end --- */

static void stopping_accepts_who_waits(void **state)
{
    (void)state;
    unsigned port;
    int fd = bind_free("127.0.0.1", &port);
    start_on(fd);
    connect_clients("127.0.0.1", port, 0, CLIENTS);
    usleep(20000);
    listener_stop(&listener);
    assert_null(listener);
    assert_int_equal(accepted, CLIENTS);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    struct endpoint_name name = {.host = SLICE("127.0.0.1"), .port = port};
    int again = listener_bind(&name);
    assert_true(again >= 0);
    close(again);
}

static void it_rests_when_the_crowd_is_full(void **state)
{
    (void)state;
    unsigned port;
    crowd = crowd_new();
    crowd_bound(crowd, &(struct crowd_bounds){.total = 2});
    start_on(bind_free("127.0.0.1", &port));
    connect_clients("127.0.0.1", port, 0, 4);
    TURN_UNTIL(accepted == 2);
    turn_for(20000);
    assert_int_equal(accepted, 2);
    assert_true(loop_counts.value[COUNTER_accepts_paused] > 0);
    crowd_leave(&places[0]);
    ahead_us += SECOND_US;
    TURN_UNTIL(accepted == 3);
    crowd_leave(&places[1]);
    crowd_leave(&places[2]);
    ahead_us += SECOND_US;
    TURN_UNTIL(accepted == 4);
    crowd_leave(&places[3]);
    listener_stop(&listener);
    crowd_free(&crowd);
}

int main(void)
{
#define TEST(name)       cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LIMIT_TEST(name) cmocka_unit_test_setup_teardown(name, keep_limit, restore_limit)
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_accepted),
        TEST(accepting_is_bounded_a_turn),
        TEST(an_ipv4_client_of_both_families_is_one),
        TEST(an_ipv6_client_stays_one),
        TEST(a_unix_client_is_accepted),
        TEST(threads_share_a_port),
        TEST(a_port_is_free_or_not),
        TEST(hosts_that_are_not_here),
        TEST(a_stale_unix_socket_is_replaced),
        TEST(another_file_is_not_replaced),
        TEST(a_unix_socket_that_somebody_serves_is_not_free),
        TEST(unix_paths_have_an_end),
        TEST(failing_leaks_no_descriptor),
        LIMIT_TEST(it_rests_when_no_descriptor_is_left),
        LIMIT_TEST(it_rests_again),
        LIMIT_TEST(stopping_while_it_rests),
        TEST(stopping_accepts_who_waits),
        TEST(it_rests_when_the_crowd_is_full),
    };
#undef LIMIT_TEST
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
