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
    struct claim claim = {.task = &task, .fresh = fresh};
    assert_int_equal(pool_take(endpoint, &claim, &arena, &outbound), FAULT_NONE);
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
    struct claim claim = {.task = &task};
    assert_int_equal(pool_take(endpoint, &claim, &arena, &outbound), FAULT_connect_refused);
    assert_null(outbound);
    assert_int_equal(endpoint->refs, 1);
}

/* --- connections that are bounded --- */

static void bound(uint32_t most)
{
    upstream.connections_max = most;
    upstream.queue = (struct config_queue){.length = 4};
    clusters_follow(&clusters, &upstream);
}

static void a_bounded_endpoint_counts_what_there_is(void **state)
{
    (void)state;
    struct outbound *busy = dial();
    dial_and_rest();
    bound(2);
    struct claim claim = {.task = &task}, late = {.task = &task};
    assert_int_equal(endpoint->connections, 2);
    assert_true(pool_reserve(endpoint, &claim)); /* the warm one */
    assert_false(pool_reserve(endpoint, &late));
    pool_leave(&claim);
    assert_int_equal(endpoint->idle.count, 1);
    pool_give(&busy, FAULT_client_gone);
    assert_true(pool_reserve(endpoint, &late));
    assert_true(pool_reserve(endpoint, &claim));
    pool_leave(&claim);
    pool_leave(&late);
    bound(0);
    assert_null(endpoint->tally);
}

static void the_next_claim_gets_the_warm_one(void **state)
{
    (void)state;
    bound(1);
    struct claim claim = {.task = &task}, next = {.task = &task};
    assert_true(pool_reserve(endpoint, &claim));
    struct outbound *outbound = NULL, *first;
    assert_int_equal(pool_take(endpoint, &claim, &arena, &outbound), FAULT_NONE);
    first = outbound;
    TURN_UNTIL(outbound->stream->facts & STREAM_OPEN);
    servers[server_count++] = accept_next(listening);
    assert_false(pool_reserve(endpoint, &next));
    assert_true(claim_wait(&next, &cluster->slots));
    use(outbound, servers[0]);
    woken = 0;
    pool_give(&outbound, FAULT_NONE);
    turn_for(1000);
    assert_int_equal(woken, 1);
    assert_ptr_equal(pool_given(cluster, &next), endpoint);
    assert_int_equal(pool_take(endpoint, &next, &arena, &outbound), FAULT_NONE);
    assert_ptr_equal(outbound, first);
    assert_true(outbound->stream->reused);
    pool_give(&outbound, FAULT_client_gone);
    assert_int_equal(endpoint->connections, 0);
}

/* It dies after it was handed on and before its new owner has looked. */
static void a_warm_one_that_dies_is_not_claimed(void **state)
{
    (void)state;
    bound(1);
    struct claim claim = {.task = &task}, next = {.task = &task};
    struct outbound *outbound = NULL;
    assert_true(pool_reserve(endpoint, &claim));
    assert_int_equal(pool_take(endpoint, &claim, &arena, &outbound), FAULT_NONE);
    TURN_UNTIL(outbound->stream->facts & STREAM_OPEN);
    servers[server_count++] = accept_next(listening);
    assert_true(claim_wait(&next, &cluster->slots));
    use(outbound, servers[0]);
    pool_give(&outbound, FAULT_NONE);
    reset_now(servers[0]);
    servers[0] = dup(listening);
    TURN_UNTIL(next.outbound->stream->facts & STREAM_FAILED);
    assert_null(pool_given(cluster, &next));
    assert_int_equal(endpoint->connections, 0);
    assert_true(pool_reserve(endpoint, &next));
    pool_leave(&next);
}

static void a_dial_that_fails_at_once_keeps_no_slot(void **state)
{
    (void)state;
    memset(&address, 0, sizeof address);
    assert_true(address_from_unix_path(SLICE("/nowhere/at/all"), &address));
    adopt_endpoint();
    bound(1);
    for (int i = 0; i < 3; i++) {
        struct claim claim = {.task = &task};
        struct outbound *outbound = NULL;
        assert_true(pool_reserve(endpoint, &claim));
        assert_int_equal(pool_take(endpoint, &claim, &arena, &outbound), FAULT_connect_refused);
    }
}

static void fewer_than_there_are_rest_no_more(void **state)
{
    (void)state;
    struct outbound *busy = dial();
    dial_and_rest();
    bound(1);
    assert_true(is_closed(servers[1]));
    use(busy, servers[0]);
    pool_give(&busy, FAULT_NONE);
    assert_int_equal(endpoint->idle.count, 1);
}

static void overload_closes_the_coldest(void **state)
{
    (void)state;
    struct outbound *warm = dial(), *cold = dial(), *busy = dial();
    use(cold, servers[1]);
    pool_give(&cold, FAULT_NONE);
    use(warm, servers[0]);
    pool_give(&warm, FAULT_NONE);
    clusters_shed(&clusters);
    assert_int_equal(endpoint->idle.count, 1);
    assert_true(is_closed(servers[1]));
    assert_false(is_closed(servers[0]));
    clusters_shed(&clusters);
    clusters_shed(&clusters);
    assert_true(is_closed(servers[0]));
    assert_false(is_closed(servers[2]));
    use(busy, servers[2]);
    pool_give(&busy, FAULT_NONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_is_dialled_and_rests),
        TEST(overload_closes_the_coldest),
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
        TEST(a_bounded_endpoint_counts_what_there_is),
        TEST(the_next_claim_gets_the_warm_one),
        TEST(a_warm_one_that_dies_is_not_claimed),
        TEST(a_dial_that_fails_at_once_keeps_no_slot),
        TEST(fewer_than_there_are_rest_no_more),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
