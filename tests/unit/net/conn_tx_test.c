/*
 * net/conn, writing: one write a turn, order across text, slices, partial writes and several conns, the
 * marks, and what is told when all has left.
 */
#include "conn_owner.h"

#include "../dies.h"
#include "net/internal.h"

#include <stdlib.h>

enum { CONNS = 4 };

static struct owner owner, others[CONNS];

static int set_up(void **state)
{
    (void)state;
    memset(&owner, 0, sizeof owner);
    memset(others, 0, sizeof others);
    owner.other = -1;
    for (int i = 0; i < CONNS; i++)
        others[i].other = -1;
    start_loop();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    disown(&owner);
    for (int i = 0; i < CONNS; i++)
        disown(&others[i]);
    stop_loop();
    return 0;
}

/* A packet socket shows where one write ends and the next begins. */
static void a_turn_leaves_in_one_write(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    own(&owner, ends);
    struct block *block = block_new(&loop.blocks, 16);
    memcpy(block->data, "0123456789", 10);
    for (int round = 0; round < 3; round++) {
        put_text(&owner, "head ");
        conn_tx_slice(owner.conn, block, 2, 3);
        conn_tx_slice(owner.conn, block, 5, 1);
        conn_tx_slice(owner.conn, block, 0, 0);
        put_text(&owner, " tail");
        put_text(&owner, ".");
        conn_tx_slice(owner.conn, block, 9, 1);
        assert_int_equal(conn_tx_queued(owner.conn), 16);
        assert_int_equal(read(owner.other, owner.heard.text, 64), -1); /* not before the turn's end */
        turn();
        assert_int_equal(read(owner.other, owner.heard.text, 64), 16);
        assert_memory_equal(owner.heard.text, "head 2345 tail.9", 16);
        assert_int_equal(read(owner.other, owner.heard.text, 64), -1);
        assert_int_equal(conn_tx_queued(owner.conn), 0);
        assert_int_equal(conn_tx_total(owner.conn), 16 * (round + 1));
    }
    assert_int_equal(block->refs, 1);
    block_unref(&block);
    told(&owner, "");
}

/* Queues the last `len` bytes of a large block. */
static void put_rest(size_t len)
{
    struct block *block = block_new(&loop.blocks, BLOCK_SIZE_LARGE);
    for (uint32_t i = 0; i < block->capacity; i++)
        block->data[i] = (char)('a' + i % 26);
    conn_tx_slice(owner.conn, block, (uint32_t)(block->capacity - len), (uint32_t)len);
    block_unref(&block);
}

static void what_little_is_left_waits_in_a_small_block(void **state)
{
    (void)state;
    const size_t lens[] = {1, 1000, BLOCK_SIZE, BLOCK_SIZE + 1};
    for (unsigned i = 0; i < 4; i++) {
        own_pair(&owner);
        put_rest(lens[i]);
        put_text(&owner, "!");
        const struct span *span = &owner.conn->tx->spans[0];
        conn_tx_wait(owner.conn);
        assert_int_equal(span->block->capacity, lens[i] <= BLOCK_SIZE ? BLOCK_SIZE : BLOCK_SIZE_LARGE);
        assert_int_equal(span->len, lens[i]);
        assert_int_equal(span->block->data[span->offset], 'a' + (BLOCK_SIZE_LARGE - lens[i]) % 26);
        assert_int_equal(span->block->data[span->offset + lens[i] - 1], 'a' + (BLOCK_SIZE_LARGE - 1) % 26);
        assert_int_equal(conn_tx_queued(owner.conn), lens[i] + 1);
        disown(&owner);
    }
}

static void a_block_that_others_read_stays(void **state)
{
    (void)state;
    own_pair(&owner);
    conn_tx_wait(owner.conn); /* nothing is queued */
    put_rest(10);
    struct block *block = block_ref(owner.conn->tx->spans[0].block);
    conn_tx_wait(owner.conn);
    assert_ptr_equal(block, owner.conn->tx->spans[0].block);
    block_unref(&block);
}

static void nothing_committed_is_nothing_sent(void **state)
{
    (void)state;
    own_pair(&owner);
    memset(conn_tx_reserve(owner.conn, 100), 'x', 100);
    conn_tx_commit(owner.conn, 0);
    assert_int_equal(conn_tx_queued(owner.conn), 0);
    char *out = conn_tx_reserve(owner.conn, 100);
    memcpy(out, "used and unused", 15);
    conn_tx_commit(owner.conn, 4);
    put_text(&owner, "!");
    HEAR(owner.other, &owner.heard, "used!");
}

static void a_slow_reader_gets_everything_in_order(void **state)
{
    (void)state;
    own_narrow(&owner);
    size_t said = 0;
    for (uint32_t len = 1000; conn_tx_has_room(owner.conn); len += 777) {
        put_block(&owner, len);
        said += len;
    }
    conn_want_drained(owner.conn);
    turn();
    assert_true(conn_tx_total(owner.conn) > 0);
    for (unsigned i = 0; conn_tx_queued(owner.conn) > 0; i++) {
        told(&owner, "");
        assert_int_equal(conn_tx_total(owner.conn) + conn_tx_queued(owner.conn), said);
        assert_true(i < 10000);
        hear_counting(&owner, i % 3 ? 3000 : 100);
        turn();
    }
    told(&owner, "D");
    hear_counting(&owner, HEARD_MAX);
    assert_int_equal(conn_tx_total(owner.conn), said);
    assert_int_equal(owner.next_in, owner.next_out);
    turn_for(10000);
    told(&owner, "");
}

/* xorshift, so that a failure comes again */
static uint32_t next_random(uint32_t below)
{
    static uint32_t random = 2463534242u;
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    return random % below;
}

static void put_counting_text(struct owner *to, uint32_t len, uint32_t spare)
{
    char *out = conn_tx_reserve(to->conn, len + spare);
    for (uint32_t i = 0; i < len; i++)
        out[i] = (char)to->next_out++;
    memset(out + len, '#', spare);
    conn_tx_commit(to->conn, len);
}

static void random_traffic_arrives_in_order(void **state)
{
    (void)state;
    own_narrow(&owner);
    uint64_t said = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t len = 1 + next_random(next_random(4) ? 200 : 9000);
        if (!conn_tx_has_room(owner.conn) || next_random(3) == 0) {
            turn();
            hear_counting(&owner, next_random(12000));
            continue;
        }
        said += len;
        if (next_random(2))
            put_block(&owner, len);
        else
            put_counting_text(&owner, len, next_random(300));
    }
    for (uint64_t end = clock_monotonic_us() + PATIENCE_US;
         conn_tx_queued(owner.conn) > 0 && clock_monotonic_us() < end;) {
        turn();
        hear_counting(&owner, HEARD_MAX);
    }
    hear_counting(&owner, HEARD_MAX);
    assert_true(conn_tx_total(owner.conn) == said);
    assert_int_equal(owner.next_in, owner.next_out);
}

/* All conns compose in one block; the one that is blocked keeps its text while the others go on. */
static void a_blocked_conn_keeps_its_text(void **state)
{
    (void)state;
    own_narrow(&owner);
    for (int i = 0; i < CONNS; i++)
        own_pair(&others[i]);
    put_block(&owner, 60000);
    uint64_t said = 60000;
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < CONNS; i++) {
            put_counting_text(&others[i], 1 + next_random(400), next_random(100));
            if (i == 1 && round % 97 == 0) {
                put_counting_text(&owner, 50, 10);
                said += 50;
            }
            if (next_random(2))
                put_counting_text(&others[i], 1 + next_random(40), 0);
        }
        turn();
        for (int i = 0; i < CONNS; i++) {
            hear_counting(&others[i], HEARD_MAX);
            assert_int_equal(others[i].next_in, others[i].next_out);
        }
    }
    assert_true(said > 60000 + 10 * 50);
    assert_true(conn_tx_queued(owner.conn) > 10 * 50);
    for (uint64_t end = clock_monotonic_us() + PATIENCE_US;
         conn_tx_queued(owner.conn) > 0 && clock_monotonic_us() < end; turn())
        hear_counting(&owner, 3000);
    hear_counting(&owner, HEARD_MAX);
    assert_true(conn_tx_total(owner.conn) == said);
    assert_int_equal(owner.next_in, owner.next_out);
}

/* When no text is on its way, the next one begins at the block's start again: no growth, no new block. */
static void text_is_composed_in_the_same_place(void **state)
{
    (void)state;
    own_pair(&owner);
    put_text(&owner, "first");
    HEAR(owner.other, &owner.heard, "first");
    const char *place = conn_tx_reserve(owner.conn, 1000);
    for (int i = 0; i < 100; i++) {
        put_counting_text(&owner, 1000, 0);
        turn();
        hear_counting(&owner, HEARD_MAX);
        assert_ptr_equal(conn_tx_reserve(owner.conn, 1000), place);
    }
}

static void large_heads_get_larger_blocks(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {
        10, BLOCK_SIZE - 5, 10, BLOCK_SIZE, BLOCK_SIZE + 1, 100000, 20, BLOCK_SIZE, BLOCK_SIZE_LARGE + 1, 1};
    own_pair(&owner);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        put_counting_text(&owner, sizes[i], 0);
        if (i % 3 == 2)
            turn();
    }
    for (int i = 0; i < 100; i++) {
        hear_counting(&owner, HEARD_MAX);
        turn();
    }
    hear_counting(&owner, HEARD_MAX);
    uint64_t said = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        said += sizes[i];
    assert_true(conn_tx_total(owner.conn) == said);
    assert_int_equal(owner.next_in, owner.next_out);
}

static void bytes_fill_the_room(void **state)
{
    (void)state;
    own_narrow(&owner);
    struct block *block = block_new(&loop.blocks, CONN_TX_MARK);
    memset(block->data, 'x', CONN_TX_MARK);
    assert_true(conn_tx_has_room(owner.conn));
    conn_tx_slice(owner.conn, block, 0, CONN_TX_MARK - 1);
    assert_true(conn_tx_has_room(owner.conn));
    conn_tx_slice(owner.conn, block, CONN_TX_MARK - 1, 1);
    assert_false(conn_tx_has_room(owner.conn));
    for (uint64_t end = clock_monotonic_us() + PATIENCE_US;
         !conn_tx_has_room(owner.conn) && clock_monotonic_us() < end; turn())
        hear(owner.other, &owner.heard);
    assert_true(conn_tx_has_room(owner.conn));
    conn_close(&owner.conn);
    assert_int_equal(block->refs, 1); /* what was queued is dropped */
    block_unref(&block);
}

static void slices_fill_the_room(void **state)
{
    (void)state;
    own_pair(&owner);
    struct block *block = block_new(&loop.blocks, 256);
    memset(block->data, 'x', 256);
    unsigned slices = 0;
    for (; conn_tx_has_room(owner.conn); slices++)
        conn_tx_slice(owner.conn, block, 2 * slices, 1);
    assert_in_range(slices, CONN_TX_SPANS - 4, CONN_TX_SPANS);
    for (; slices < CONN_TX_SPANS; slices++)
        conn_tx_slice(owner.conn, block, 2 * slices, 1);
    assert_int_equal(block->refs, 1 + CONN_TX_SPANS);
    turn();
    assert_true(conn_tx_has_room(owner.conn));
    assert_int_equal(block->refs, 1);
    for (uint32_t i = 0; i < 200; i++) /* neighbours are one slice */
        conn_tx_slice(owner.conn, block, i, 1);
    assert_true(conn_tx_has_room(owner.conn));
    assert_int_equal(block->refs, 2);
    turn();
    hear(owner.other, &owner.heard);
    assert_int_equal(owner.heard.len, CONN_TX_SPANS + 200);
    block_unref(&block);
}

static void queue_too_many_slices(void)
{
    struct block *block = block_new(&loop.blocks, 256);
    for (uint32_t i = 0; i <= CONN_TX_SPANS; i++)
        conn_tx_slice(owner.conn, block, 2 * i, 1);
}

static void commit_too_much(void)
{
    conn_tx_reserve(owner.conn, 10);
    conn_tx_commit(owner.conn, BLOCK_SIZE_LARGE);
}

static void misuse_is_noticed(void **state)
{
    (void)state;
    own_pair(&owner);
    assert_true(dies(queue_too_many_slices));
    assert_true(dies(commit_too_much));
}

static void drained_is_told_at_the_turns_end(void **state)
{
    (void)state;
    own_pair(&owner);
    conn_want_drained(owner.conn);
    told(&owner, "");
    turn();
    told(&owner, "D");
    turn_for(10000);
    told(&owner, "");
    put_text(&owner, "abc");
    turn();
    told(&owner, ""); /* nobody wanted to know */
    conn_want_drained(owner.conn);
    put_text(&owner, "def");
    conn_want_drained(owner.conn);
    turn();
    told(&owner, "D");
    HEAR(owner.other, &owner.heard, "abcdef");
}

static void the_sending_side_closes_behind_the_bytes(void **state)
{
    (void)state;
    own_narrow(&owner);
    owner.keeps_bytes = true;
    put_block(&owner, 60000);
    turn();
    conn_shutdown_tx(owner.conn);
    conn_want_drained(owner.conn);
    turn();
    assert_true(conn_tx_queued(owner.conn) > 0);
    TURN_UNTIL(hear(owner.other, &owner.heard) && owner.heard.eof);
    assert_int_equal(owner.heard.len, 60000);
    hear_counting(&owner, HEARD_MAX);
    told(&owner, "D");
    say(owner.other, "still heard");
    TOLD(&owner, "R");
    assert_true(slice_equal(conn_unread(owner.conn), SLICE("still heard")));
}

static void the_sending_side_closes_with_nothing_queued(void **state)
{
    (void)state;
    own_pair(&owner);
    conn_shutdown_tx(owner.conn);
    HEAR_END(owner.other, &owner.heard);
    told(&owner, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_turn_leaves_in_one_write),
        TEST(nothing_committed_is_nothing_sent),
        TEST(what_little_is_left_waits_in_a_small_block),
        TEST(a_block_that_others_read_stays),
        TEST(a_slow_reader_gets_everything_in_order),
        TEST(random_traffic_arrives_in_order),
        TEST(a_blocked_conn_keeps_its_text),
        TEST(text_is_composed_in_the_same_place),
        TEST(large_heads_get_larger_blocks),
        TEST(bytes_fill_the_room),
        TEST(slices_fill_the_room),
        TEST(misuse_is_noticed),
        TEST(drained_is_told_at_the_turns_end),
        TEST(the_sending_side_closes_behind_the_bytes),
        TEST(the_sending_side_closes_with_nothing_queued),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
