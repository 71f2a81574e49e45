/*
 * upstream/pool against an endpoint on the loopback that the tests play themselves: what is taken warm, what
 * is dialled, what rests and for how long.
 */
#include "upstream/pool.h"

#include "cluster_scene.h"

enum { SERVERS_MAX = 8 };

static struct address address;
static int listening, servers[SERVERS_MAX]; /* the endpoint's sockets, in the order of their dialling */
static unsigned server_count;
static struct endpoint *endpoint;
static struct arena arena;
static struct task task; /* the owner of every stream */
static unsigned woken;
static struct heard heard;

static void run(struct task *ran)
{
    assert_ptr_equal(ran, &task);
    woken++;
}

static void adopt_endpoint(void)
{
    struct endpoint_set *set = endpoint_set_new(SLICE("api"), 1);
    set->addresses[0] = address;
    clusters_adopt(&clusters, set);
    endpoint_set_unref(&set);
    endpoint = endpoint_at(0);
}

static int set_up(void **state)
{
    (void)state;
    start_cluster();
    arena_init(&arena, NULL, 0);
    task_init(&task, &loop.tasks, run, false);
    woken = server_count = 0;
    listening = listen_somewhere(&address);
    adopt_endpoint();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop_cluster();
    arena_fini(&arena);
    close(listening);
    for (unsigned i = 0; i < server_count; i++)
        close(servers[i]);
    return 0;
}

static struct outbound *take(bool fresh)
{
    struct outbound *outbound = NULL;
    assert_int_equal(pool_take(endpoint, fresh, &task, &arena, &outbound), FAULT_NONE);
    assert_ptr_equal(outbound->endpoint, endpoint);
    assert_ptr_equal(outbound->stream->owner, &task);
    assert_ptr_equal(outbound->stream->arena, &arena);
    return outbound;
}

/* A dialled connection that stands. */
static struct outbound *dial(void)
{
    struct outbound *outbound = take(true);
    assert_false(outbound->stream->reused);
    assert_int_equal(outbound->stream->facts, 0);
    TURN_UNTIL(outbound->stream->facts & STREAM_OPEN);
    servers[server_count++] = accept_next(listening);
    return outbound;
}

/* One exchange on it. */
static void use(struct outbound *outbound, int server)
{
    struct stream *stream = outbound->stream;
    struct message head = {.method = METHOD_GET, .method_text = SLICE("GET"), .target = SLICE("/")};
    struct body body = {.ended = true};
    stream->ops->tx_head(stream, &head);
    stream->ops->tx_body(stream, &body, NULL);
    memset(&heard, 0, offsetof(struct heard, text));
    HEAR(server, &heard, "GET / HTTP/1.1\r\n\r\n");
    say(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    TURN_UNTIL(stream->rx.ended);
    assert_int_equal(stream->rx_head.status, 200);
}

/* A connection that rests. */
static struct outbound *dial_and_rest(void)
{
    struct outbound *outbound = dial(), *given = outbound;
    use(outbound, servers[server_count - 1]);
    pool_give(&given, FAULT_NONE);
    assert_null(given);
    return outbound;
}

static bool is_closed(int server)
{
    turn();
    memset(&heard, 0, offsetof(struct heard, text));
    hear(server, &heard);
    return heard.eof || heard.error;
}

static void a_connection_is_dialled_and_rests(void **state)
{
    (void)state;
    struct outbound *outbound = dial();
    assert_int_equal(endpoint->refs, 2);
    assert_int_equal(endpoint->idle.count, 0);
    use(outbound, servers[0]);
    pool_give(&outbound, FAULT_NONE);
    assert_null(outbound);
    pool_give(&outbound, FAULT_NONE);
    assert_int_equal(endpoint->idle.count, 1);
    assert_int_equal(endpoint->refs, 2);
    turn_for(2000);
    assert_false(is_closed(servers[0]));
}

static void it_is_taken_warm(void **state)
{
    (void)state;
    struct outbound *first = dial_and_rest();
    for (int i = 0; i < 3; i++) {
        struct outbound *outbound = take(false);
        assert_ptr_equal(outbound, first);
        assert_true(outbound->stream->reused);
        assert_int_equal(outbound->stream->facts, STREAM_OPEN);
        assert_int_equal(endpoint->idle.count, 0);
        use(outbound, servers[0]);
        pool_give(&outbound, FAULT_NONE);
    }
    assert_int_equal(server_count, 1);
    assert_int_equal(endpoint->refs, 2);
}

static void the_warmest_comes_first(void **state)
{
    (void)state;
    struct outbound *first = dial(), *second = dial(), *a = first, *b = second;
    use(first, servers[0]);
    use(second, servers[1]);
    pool_give(&a, FAULT_NONE);
    pool_give(&b, FAULT_NONE);
    a = take(false);
    assert_ptr_equal(a, second);
    b = take(false);
    assert_ptr_equal(b, first);
    pool_give(&a, FAULT_client_gone);
    pool_give(&b, FAULT_client_gone);
}

static void fresh_ones_leave_the_pool_alone(void **state)
{
    (void)state;
    struct outbound *warm = dial_and_rest(), *outbound = dial();
    assert_ptr_not_equal(outbound, warm);
    assert_int_equal(endpoint->idle.count, 1);
    use(outbound, servers[1]);
    pool_give(&outbound, FAULT_NONE);
    assert_int_equal(endpoint->idle.count, 2);
}

static void no_more_than_idle_max_rest(void **state)
{
    (void)state;
    struct outbound *outbounds[3];
    for (int i = 0; i < 3; i++) {
        outbounds[i] = dial();
        use(outbounds[i], servers[i]);
    }
    for (int i = 0; i < 3; i++)
        pool_give(&outbounds[i], FAULT_NONE);
    assert_int_equal(endpoint->idle.count, 2);
    assert_true(is_closed(servers[2]));
    assert_false(is_closed(servers[0]) || is_closed(servers[1]));
    assert_int_equal(endpoint->refs, 3);
    upstream.idle_max = 0;
    clusters_follow(&clusters, &upstream);
    struct outbound *outbound = take(false);
    use(outbound, servers[1]);
    pool_give(&outbound, FAULT_NONE);
    assert_true(is_closed(servers[1]));
    assert_int_equal(endpoint->idle.count, 1);
}

static void what_did_not_end_well_is_closed(void **state)
{
    (void)state;
    struct outbound *outbound = dial();
    use(outbound, servers[0]);
    pool_give(&outbound, FAULT_client_gone); /* whole, but its exchange failed */
    assert_true(is_closed(servers[0]));
    outbound = dial();
    pool_give(&outbound, FAULT_NONE); /* nothing has happened on it */
    assert_true(is_closed(servers[1]));
    outbound = take(true);
    pool_give(&outbound, FAULT_connect_timeout);
    assert_int_equal(endpoint->idle.count, 0);
    assert_int_equal(endpoint->refs, 1);
}

/* --- resting --- */

static void it_rests_for_the_idle_timeout(void **state)
{
    (void)state;
    dial_and_rest();
    pass(9 * SECOND_US);
    assert_int_equal(endpoint->idle.count, 1);
    pass(SECOND_US);
    assert_int_equal(endpoint->idle.count, 0);
    assert_int_equal(endpoint->refs, 1);
    assert_true(is_closed(servers[0]));
}

static void time_in_use_is_no_rest(void **state)
{
    (void)state;
    dial_and_rest();
    pass(8 * SECOND_US);
    struct outbound *outbound = take(false);
    pass(20 * SECOND_US);
    use(outbound, servers[0]);
    pool_give(&outbound, FAULT_NONE);
    pass(8 * SECOND_US);
    assert_int_equal(endpoint->idle.count, 1);
    pass(2 * SECOND_US);
    assert_int_equal(endpoint->idle.count, 0);
}

static void an_idle_connection_that_ends_is_forgotten(void **state)
{
    (void)state;
    dial_and_rest();
    shutdown(servers[0], SHUT_WR);
    TURN_UNTIL(endpoint->idle.count == 0);
    assert_true(is_closed(servers[0]));
    assert_int_equal(endpoint->refs, 1);
}

static void an_idle_connection_that_speaks_is_closed(void **state)
{
    (void)state;
    dial_and_rest();
    say(servers[0], "HTTP/1.1 408 Request Timeout\r\n\r\n");
    TURN_UNTIL(endpoint->idle.count == 0);
    TURN_UNTIL(is_closed(servers[0]));
}

static void an_idle_connection_that_is_reset_is_forgotten(void **state)
{
    (void)state;
    dial_and_rest();
    reset_now(servers[0]);
    servers[0] = dup(listening);
    TURN_UNTIL(endpoint->idle.count == 0);
    assert_int_equal(endpoint->refs, 1);
}

/* The connection has died in this turn, and the pool's own task has not run: it is not handed out. */
static void a_dead_one_is_not_taken(void **state)
{
    (void)state;
    struct outbound *dead = dial_and_rest();
    shutdown(servers[0], SHUT_WR);
    for (int i = 0; i < 1000 && !(dead->stream->facts & STREAM_FAILED); i++) {
        set_clock();
        event_base_loop(loop.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    assert_true(dead->stream->facts & STREAM_FAILED);
    assert_int_equal(endpoint->idle.count, 1);
    struct outbound *outbound = take(false);
    assert_ptr_not_equal(outbound, dead);
    assert_false(outbound->stream->reused);
    assert_int_equal(endpoint->idle.count, 0);
    pool_give(&outbound, FAULT_client_gone);
    turn();
}

static void closing_the_idle_ones(void **state)
{
    (void)state;
    struct outbound *outbound = dial();
    dial_and_rest();
    pool_close_idle(endpoint);
    assert_int_equal(endpoint->idle.count, 0);
    assert_true(is_closed(servers[1]));
    assert_false(is_closed(servers[0]));
    pool_close_idle(endpoint);
    pool_give(&outbound, FAULT_client_gone);
}

/* --- endpoints that retire --- */

static void a_retired_endpoint_closes_its_idle_connections(void **state)
{
    (void)state;
    dial_and_rest();
    ADOPT("127.0.0.2:1");
    assert_true(is_closed(servers[0]));
}

static void a_known_endpoint_keeps_its_pool(void **state)
{
    (void)state;
    struct outbound *warm = dial_and_rest();
    struct endpoint *before = endpoint;
    adopt_endpoint();
    assert_ptr_equal(endpoint, before);
    struct outbound *outbound = take(false);
    assert_ptr_equal(outbound, warm);
    use(outbound, servers[0]);
    pool_give(&outbound, FAULT_NONE);
    assert_int_equal(endpoint->idle.count, 1);
}

static void a_connection_in_use_outlives_its_endpoints_retirement(void **state)
{
    (void)state;
    struct outbound *outbound = dial();
    struct endpoint *retired = endpoint;
    ADOPT("127.0.0.2:1");
    assert_int_equal(retired->refs, 1);
    use(outbound, servers[0]); /* goes on as if nothing had happened */
    assert_false(is_closed(servers[0]));
    pool_give(&outbound, FAULT_NONE); /* but does not rest: nobody would ever take it */
    assert_true(is_closed(servers[0]));
}

/* --- nobody there --- */

static void nobody_listens(void **state)
{
    (void)state;
    close(listening);
    listening = dup(0);
    struct outbound *outbound = take(false);
    TURN_UNTIL(outbound->stream->facts & STREAM_FAILED);
    assert_int_equal(outbound->stream->fault, FAULT_connect_refused);
    assert_true(woken > 0);
    pool_give(&outbound, FAULT_connect_refused);
    assert_int_equal(endpoint->refs, 1);
}

static void a_socket_file_that_is_not_there(void **state)
{
    (void)state;
    struct outbound *outbound = NULL;
    memset(&address, 0, sizeof address);
    assert_true(address_from_unix_path(SLICE("/nowhere/at/all"), &address));
    adopt_endpoint();
    assert_int_equal(pool_take(endpoint, false, &task, &arena, &outbound), FAULT_connect_refused);
    assert_null(outbound);
    assert_int_equal(endpoint->refs, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_is_dialled_and_rests),
        TEST(it_is_taken_warm),
        TEST(the_warmest_comes_first),
        TEST(fresh_ones_leave_the_pool_alone),
        TEST(no_more_than_idle_max_rest),
        TEST(what_did_not_end_well_is_closed),
        TEST(it_rests_for_the_idle_timeout),
        TEST(time_in_use_is_no_rest),
        TEST(an_idle_connection_that_ends_is_forgotten),
        TEST(an_idle_connection_that_speaks_is_closed),
        TEST(an_idle_connection_that_is_reset_is_forgotten),
        TEST(a_dead_one_is_not_taken),
        TEST(closing_the_idle_ones),
        TEST(a_retired_endpoint_closes_its_idle_connections),
        TEST(a_known_endpoint_keeps_its_pool),
        TEST(a_connection_in_use_outlives_its_endpoints_retirement),
        TEST(nobody_listens),
        TEST(a_socket_file_that_is_not_there),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
