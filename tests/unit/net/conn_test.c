/*
 * net/conn, reading: where unread bytes are and stay, blocks and their sizes, pausing, and the end of what
 * comes.
 */
#include "conn_owner.h"

#include "../dies.h"

static struct owner owner, second;

static int set_up(void **state)
{
    (void)state;
    memset(&owner, 0, sizeof owner);
    memset(&second, 0, sizeof second);
    owner.other = second.other = -1;
    start_loop();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    disown(&owner);
    disown(&second);
    stop_loop();
    return 0;
}

static bool unread_is(const char *text)
{
    return slice_equal(conn_unread(owner.conn), slice_of(text));
}

static void bytes_are_read_and_consumed(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    turn();
    told(&owner, "");
    assert_true(unread_is(""));
    say(owner.other, "hello");
    TOLD(&owner, "R");
    assert_true(unread_is("hello"));
    conn_consume(owner.conn, 2);
    assert_true(unread_is("llo"));
    uint32_t offset = 0;
    struct block *block = conn_rx_block(owner.conn, &offset);
    assert_ptr_equal(block->data + offset, conn_unread(owner.conn).at);
    conn_consume(owner.conn, 0);
    conn_consume(owner.conn, 3);
    assert_true(unread_is(""));
    told(&owner, "");
}

static void unread_bytes_stay_where_they_are(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    say(owner.other, "xxhello");
    TOLD(&owner, "R");
    conn_consume(owner.conn, 2);
    const char *at = conn_unread(owner.conn).at;
    say(owner.other, " world");
    TOLD(&owner, "R");
    assert_true(unread_is("hello world"));
    assert_ptr_equal(conn_unread(owner.conn).at, at);
}

/* More than a block unread: the bytes move, and stay contiguous. */
static void unread_bytes_outgrow_blocks(void **state)
{
    (void)state;
    enum { MUCH = 5 * BLOCK_SIZE_LARGE };
    own_pair(&owner);
    owner.keeps_bytes = true;
    unsigned char next = 0;
    char piece[5000];
    size_t said = 0;
    while (said < MUCH) {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = (char)next++;
        say_bytes(owner.other, piece, sizeof piece);
        said += sizeof piece;
        TURN_UNTIL(conn_unread(owner.conn).len == said);
    }
    struct slice unread = conn_unread(owner.conn);
    next = 0;
    for (size_t i = 0; i < unread.len; i++)
        if ((unsigned char)unread.at[i] != next++)
            fail_msg("byte %zu", i);
    conn_consume(owner.conn, unread.len);
    conn_rest(owner.conn);
    assert_int_equal(conn_unread(owner.conn).len, 0);
}

/* Bytes that somebody else still holds are not read over. */
static void held_bytes_are_left_alone(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    say(owner.other, "held");
    TOLD(&owner, "R");
    uint32_t offset = 0;
    struct block *held = block_ref(conn_rx_block(owner.conn, &offset));
    const char *at = conn_unread(owner.conn).at;
    conn_consume(owner.conn, 4);
    for (int i = 0; i < 5000; i++) {
        say(owner.other, "later");
        TURN_UNTIL(conn_unread(owner.conn).len == 5);
        assert_true(unread_is("later"));
        conn_consume(owner.conn, 5);
        owner.told = 0;
    }
    assert_memory_equal(at, "held", 4);
    block_unref(&held);
}

/* A few bytes do not hold the block they were read into; many are not copied. */
static void few_bytes_are_picked_out_of_their_block(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    say(owner.other, "xxhello");
    TOLD(&owner, "R");
    uint32_t offset = 0, in_place = 0;
    struct block *read = conn_rx_block(owner.conn, &in_place);
    struct block *few = block_ref(conn_rx_pick(owner.conn, 2, 5, &offset));
    assert_ptr_not_equal(few, read);
    assert_memory_equal(few->data + offset, "hello", 5);
    conn_consume(owner.conn, 7);
    conn_rest(owner.conn);
    assert_memory_equal(few->data + offset, "hello", 5);
    block_unref(&few);
    char many[1000];
    memset(many, 'm', sizeof many);
    say_bytes(owner.other, many, sizeof many);
    TURN_UNTIL(conn_unread(owner.conn).len == sizeof many);
    read = conn_rx_block(owner.conn, &in_place);
    assert_ptr_equal(conn_rx_pick(owner.conn, 10, 900, &offset), read);
    assert_int_equal(offset, in_place + 10);
    conn_consume(owner.conn, sizeof many);
    conn_rest(owner.conn);
}

static void a_resting_conn_holds_no_buffer(void **state)
{
    (void)state;
    uint32_t offset;
    own_pair(&owner);
    owner.keeps_bytes = true;
    turn();
    assert_null(conn_rx_block(owner.conn, &offset));
    say(owner.other, "ab");
    TOLD(&owner, "R");
    conn_consume(owner.conn, 1);
    conn_rest(owner.conn);
    assert_true(unread_is("b"));
    conn_consume(owner.conn, 1);
    conn_rest(owner.conn);
    assert_null(conn_rx_block(owner.conn, &offset));
    assert_int_equal(loop.blocks.free_small_count, 1);
    conn_rest(owner.conn);
    say(owner.other, "cd");
    TOLD(&owner, "R");
    assert_true(unread_is("cd"));
    assert_int_equal(loop.blocks.free_small_count, 0);
}

static uint32_t block_size(void)
{
    uint32_t offset;
    const struct block *block = conn_rx_block(owner.conn, &offset);
    return block ? block->capacity : 0;
}

/* Says so many bytes and consumes them; gives the size of the block they were last read into. */
static uint32_t pass_bytes(size_t len)
{
    static char bytes[4 * BLOCK_SIZE_LARGE];
    owner.read = 0;
    owner.told = 0;
    say_bytes(owner.other, bytes, len);
    TURN_UNTIL(owner.read == len);
    uint32_t size = block_size();
    conn_rest(owner.conn);
    return size;
}

static void bulk_is_read_in_large_blocks(void **state)
{
    (void)state;
    own_pair(&owner);
    assert_int_equal(pass_bytes(100), BLOCK_SIZE);
    assert_int_equal(pass_bytes(BLOCK_SIZE - 1), BLOCK_SIZE);
    assert_int_equal(pass_bytes(100), BLOCK_SIZE);
    assert_int_equal(pass_bytes(100 * 1000), BLOCK_SIZE_LARGE);
    for (int i = 0; i < 100; i++)
        assert_int_equal(pass_bytes(8 * 1024), BLOCK_SIZE_LARGE);
    assert_int_equal(pass_bytes(100), BLOCK_SIZE_LARGE); /* small ones between are forgiven */
    assert_int_equal(pass_bytes(8 * 1024), BLOCK_SIZE_LARGE);
    int small = 0;
    while (pass_bytes(100) == BLOCK_SIZE_LARGE)
        assert_true(++small < 20);
    assert_in_range(small, 2, 19);
    assert_int_equal(pass_bytes(8 * 1024), BLOCK_SIZE); /* and a middling one is no bulk by itself */
}

/* A fast sender gets one read a turn, not all of them. */
static void one_read_a_turn(void **state)
{
    (void)state;
    static char bytes[3 * BLOCK_SIZE_LARGE];
    own_pair(&owner);
    own_pair(&second);
    say_bytes(owner.other, bytes, sizeof bytes);
    say(second.other, "x");
    turn();
    told(&owner, "R");
    told(&second, "R");
    assert_true(owner.read < sizeof bytes / 2);
    TURN_UNTIL(owner.read == sizeof bytes);
}

static void a_paused_conn_does_not_read(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    assert_false(conn_is_paused(owner.conn));
    conn_resume(owner.conn);
    conn_pause(owner.conn);
    conn_pause(owner.conn);
    assert_true(conn_is_paused(owner.conn));
    say(owner.other, "abc");
    turn_for(20000);
    told(&owner, "");
    assert_true(unread_is(""));
    conn_resume(owner.conn);
    assert_false(conn_is_paused(owner.conn));
    TOLD(&owner, "R");
    assert_true(unread_is("abc"));
    conn_pause(owner.conn);
    shutdown(owner.other, SHUT_WR);
    turn_for(20000);
    told(&owner, "");
    assert_false(conn_at_eof(owner.conn));
    conn_resume(owner.conn);
    TOLD(&owner, "E");
}

static void it_may_be_paused_by_its_owner(void **state)
{
    (void)state;
    static char bytes[3 * BLOCK_SIZE_LARGE];
    own_pair(&owner);
    owner.pause_on = CONN_RX;
    say_bytes(owner.other, bytes, sizeof bytes);
    turn_for(20000);
    told(&owner, "R");
    size_t first = owner.read;
    conn_resume(owner.conn);
    turn_for(20000);
    told(&owner, "R");
    assert_true(owner.read > first);
    owner.pause_on = 0;
    conn_resume(owner.conn);
    TURN_UNTIL(owner.read == sizeof bytes);
}

static void the_end_is_told_once(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    say(owner.other, "abc");
    TOLD(&owner, "R");
    assert_false(conn_at_eof(owner.conn));
    shutdown(owner.other, SHUT_WR);
    TOLD(&owner, "E");
    assert_true(conn_at_eof(owner.conn));
    assert_true(unread_is("abc"));
    conn_pause(owner.conn);
    conn_resume(owner.conn);
    turn_for(20000);
    told(&owner, "");
    assert_int_equal(conn_error(owner.conn), 0);
    put_text(&owner, "still there");
    HEAR(owner.other, &owner.heard, "still there");
}

static void the_end_comes_behind_the_bytes(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    say(owner.other, "abc");
    close(owner.other);
    owner.other = -1;
    TOLD(&owner, "RE");
    assert_true(unread_is("abc"));
}

static void a_reset_is_a_failure(void **state)
{
    (void)state;
    own_tcp(&owner);
    assert_int_equal(conn_error(owner.conn), 0);
    reset_now(owner.other);
    owner.other = -1;
    TOLD(&owner, "F");
    assert_int_equal(conn_error(owner.conn), ECONNRESET);
    assert_false(conn_at_eof(owner.conn));
    turn_for(20000);
    told(&owner, "");
}

static void facts_go_to_the_new_owner(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    say(owner.other, "one");
    TOLD(&owner, "R");
    second.conn = owner.conn;
    conn_hand_over(owner.conn, (struct conn_owner){on_facts, &second});
    say(owner.other, "two");
    TOLD(&second, "R");
    told(&owner, "");
    second.conn = NULL;
}

/* --- misuse --- */

static void consume_too_much(void)
{
    conn_consume(owner.conn, conn_unread(owner.conn).len + 1);
}

static void misuse_is_noticed(void **state)
{
    (void)state;
    own_pair(&owner);
    owner.keeps_bytes = true;
    assert_true(dies(consume_too_much));
    say(owner.other, "abc");
    TOLD(&owner, "R");
    assert_true(dies(consume_too_much));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(bytes_are_read_and_consumed),
        TEST(unread_bytes_stay_where_they_are),
        TEST(unread_bytes_outgrow_blocks),
        TEST(held_bytes_are_left_alone),
        TEST(few_bytes_are_picked_out_of_their_block),
        TEST(a_resting_conn_holds_no_buffer),
        TEST(bulk_is_read_in_large_blocks),
        TEST(one_read_a_turn),
        TEST(a_paused_conn_does_not_read),
        TEST(it_may_be_paused_by_its_owner),
        TEST(the_end_is_told_once),
        TEST(the_end_comes_behind_the_bytes),
        TEST(a_reset_is_a_failure),
        TEST(facts_go_to_the_new_owner),
        TEST(misuse_is_noticed),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
