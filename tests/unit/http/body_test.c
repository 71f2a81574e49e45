/*
 * http/body: order and content across joins, moves, partial consumption and the ring's wraparound, the marks,
 * and that every reference is given back. The random test compares with a plain buffer.
 */
#include "http/body.h"

#include "../dies.h"

#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

static struct block_pool pool;
static struct body body;

static int set_up(void **state)
{
    (void)state;
    block_pool_init(&pool);
    body_init(&body);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    body_fini(&body);
    block_pool_fini(&pool);
    return 0;
}

static struct block *block_with(const char *text)
{
    struct block *block = block_new(&pool, 1);
    memcpy(block->data, text, strlen(text));
    block->used = (uint32_t)strlen(text);
    return block;
}

/* Copies the queued bytes, piece by piece and without changing anything, and terminates them. */
static size_t peek(char *text_out)
{
    size_t len = 0;
    for (unsigned i = 0; i < body.count; i++) {
        const struct body_piece *piece = &body.pieces[(body.first + i) % BODY_PIECES];
        memcpy(text_out + len, piece->block->data + piece->offset, piece->len);
        len += piece->len;
    }
    text_out[len] = '\0';
    return len;
}

static void expect(const char *text, unsigned pieces)
{
    char found[256];
    assert_int_equal(peek(found), strlen(text));
    assert_string_equal(found, text);
    assert_int_equal(body.queued, strlen(text));
    assert_int_equal(body.count, pieces);
}

static void an_empty_body(void **state)
{
    (void)state;
    struct body zero = {0};
    assert_memory_equal(&zero, &body, sizeof zero);
    assert_null(body_first(&body));
    assert_true(body_has_room(&body));
    assert_false(body_is_done(&body));
    body.ended = true;
    assert_true(body_is_done(&body));
    body_consume(&body, 0);
}

static void bytes_are_queued_and_consumed(void **state)
{
    (void)state;
    struct block *block = block_with("hello");
    body_append(&body, block, 0, 5);
    assert_int_equal(block->refs, 2);
    block_unref(&block);
    expect("hello", 1);
    body.ended = true;
    assert_false(body_is_done(&body));
    body_consume(&body, 2);
    expect("llo", 1);
    assert_memory_equal(body_first(&body)->block->data + body_first(&body)->offset, "llo", 3);
    body_consume(&body, 3);
    expect("", 0);
    assert_null(body_first(&body));
    assert_true(body_is_done(&body));
    assert_int_equal(body.total, 5);
    assert_int_equal(pool.free_small_count, 1);
}

static void nothing_is_appended_for_nothing(void **state)
{
    (void)state;
    struct block *block = block_with("a");
    body_append(&body, block, 1, 0);
    expect("", 0);
    assert_int_equal(block->refs, 1);
    block_unref(&block);
}

static void neighbours_join(void **state)
{
    (void)state;
    struct block *block = block_with("hello world");
    body_append(&body, block, 0, 5);
    body_append(&body, block, 5, 6);
    expect("hello world", 1);
    assert_int_equal(block->refs, 2);
    block_unref(&block);
}

/* A chunk behind its framing is moved next to the one before it; the next one is still where it was read. */
static void small_chunks_move_together(void **state)
{
    (void)state;
    struct block *block = block_with("3\r\nabc\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n");
    body_append(&body, block, 3, 3);
    body_append(&body, block, 11, 2);
    expect("abcde", 1);
    body_append(&body, block, 18, 1);
    expect("abcdef", 1);
    assert_memory_equal(block->data + 3, "abcdef", 6);
    assert_int_equal(block->refs, 2);
    block_unref(&block);
}

static void chunks_move_behind_a_consumed_part(void **state)
{
    (void)state;
    struct block *block = block_with("abc|def|ghi");
    body_append(&body, block, 0, 3);
    body_consume(&body, 2);
    body_append(&body, block, 4, 3);
    expect("cdef", 1);
    body_consume(&body, 4);
    body_append(&body, block, 8, 3);
    expect("ghi", 1);
    assert_int_equal(body_first(&body)->offset, 8);
    block_unref(&block);
}

static void overlapping_moves_keep_the_bytes(void **state)
{
    (void)state;
    struct block *block = block_new(&pool, BLOCK_SIZE);
    for (uint32_t i = 0; i < BLOCK_SIZE; i++)
        block->data[i] = (char)(i % 251);
    body_append(&body, block, 0, 10);
    body_append(&body, block, 11, BODY_JOIN);
    assert_int_equal(body.count, 1);
    const struct body_piece *piece = body_first(&body);
    for (uint32_t i = 0; i < piece->len; i++)
        assert_int_equal((unsigned char)block->data[i], (i < 10 ? i : i + 1) % 251);
    block_unref(&block);
}

static void only_small_slices_move(void **state)
{
    (void)state;
    struct block *block = block_new(&pool, BLOCK_SIZE);
    memset(block->data, 'x', BLOCK_SIZE);
    body_append(&body, block, 0, 10);
    body_append(&body, block, 12, BODY_JOIN + 1);
    assert_int_equal(body.count, 2);
    assert_int_equal(block->refs, 3);
    body_append(&body, block, 12 + BODY_JOIN + 1, 5000);
    assert_int_equal(body.count, 2); /* touching slices join without a move, whatever their size */
    assert_int_equal(body.queued, 10 + BODY_JOIN + 1 + 5000);
    block_unref(&block);
}

static void other_blocks_do_not_join(void **state)
{
    (void)state;
    struct block *a = block_with("ab"), *b = block_with("xxcd");
    body_append(&body, a, 0, 2);
    body_append(&body, b, 2, 2);
    expect("abcd", 2);
    body_append(&body, a, 0, 2); /* before what was appended last: a slice of its own */
    expect("abcdab", 3);
    block_unref(&a);
    block_unref(&b);
}

static void a_slice_before_the_last_one_does_not_join(void **state)
{
    (void)state;
    struct block *block = block_with("abcd");
    body_append(&body, block, 2, 2);
    body_append(&body, block, 0, 2);
    expect("cdab", 2);
    block_unref(&block);
}

static void the_ring_goes_round(void **state)
{
    (void)state;
    char wanted[64];
    for (unsigned round = 0; round < 5 * BODY_PIECES; round++) {
        while (body.count < BODY_PIECES) {
            assert_true(body_has_room(&body));
            struct block *block = block_with("ab");
            body_append(&body, block, 0, 2);
            block_unref(&block);
        }
        assert_false(body_has_room(&body));
        for (size_t i = 0; i < 2 * BODY_PIECES; i++)
            wanted[i] = "ab"[i % 2];
        wanted[2 * BODY_PIECES] = '\0';
        expect(wanted, BODY_PIECES);
        body_consume(&body, 2 * (round % BODY_PIECES + 1));
        assert_int_equal(body.count, BODY_PIECES - round % BODY_PIECES - 1);
    }
}

static void consuming_crosses_pieces(void **state)
{
    (void)state;
    struct block *a = block_with("abc"), *b = block_with("def"), *c = block_with("ghi");
    body_append(&body, a, 0, 3);
    body_append(&body, b, 0, 3);
    body_append(&body, c, 0, 3);
    body_consume(&body, 4);
    expect("efghi", 2);
    assert_int_equal(a->refs, 1);
    body_consume(&body, 5);
    expect("", 0);
    assert_int_equal(b->refs, 1);
    assert_int_equal(c->refs, 1);
    block_unref(&a);
    block_unref(&b);
    block_unref(&c);
}

static void the_high_mark_is_the_end_of_the_room(void **state)
{
    (void)state;
    struct block *block = block_new(&pool, BODY_HIGH_MARK * 2);
    body_append(&body, block, 0, BODY_HIGH_MARK - 1);
    assert_true(body_has_room(&body));
    body_append(&body, block, BODY_HIGH_MARK - 1, 1);
    assert_false(body_has_room(&body));
    body_consume(&body, 1);
    assert_true(body_has_room(&body));
    block_unref(&block);
}

static void fini_gives_back_what_is_left(void **state)
{
    (void)state;
    struct block *a = block_with("abc"), *b = block_with("def");
    for (unsigned i = 0; i < BODY_PIECES - 2; i++) { /* so that the ring wraps */
        body_append(&body, a, 0, 3);
        body_consume(&body, 3);
    }
    for (unsigned i = 0; i < BODY_PIECES; i++)
        body_append(&body, i % 2 ? a : b, 0, 3);
    assert_int_equal(a->refs, 1 + BODY_PIECES / 2);
    body_consume(&body, 1);
    body_fini(&body);
    assert_int_equal(a->refs, 1);
    assert_int_equal(b->refs, 1);
    assert_int_equal(body.queued, 0);
    assert_null(body_first(&body));
    body_fini(&body);
    block_unref(&a);
    block_unref(&b);
}

/* What a producer does that reads chunks into blocks, and a consumer that writes what the socket takes. */
struct wire {
    struct block *block;
    uint32_t at;
    unsigned char in, out; /* the bytes count up, both sides check */
    uint64_t produced, consumed;
    uint32_t random;
};

static uint32_t next_random(struct wire *wire, uint32_t below)
{
    wire->random = wire->random * 1664525u + 1013904223u;
    return (wire->random >> 8) % below;
}

static void produce(struct wire *wire)
{
    static const uint32_t sizes[] = {1, 7, 100, BODY_JOIN, BODY_JOIN + 1, 5000};
    uint32_t gap = next_random(wire, 3) ? next_random(wire, 12) : 0,
             len = 1 + next_random(wire, sizes[next_random(wire, 6)]);
    if (wire->block == NULL || wire->at + gap + len > wire->block->capacity) {
        block_unref(&wire->block);
        wire->block = block_new(&pool, next_random(wire, 4) ? 1 : BLOCK_SIZE + 1);
        wire->at = 0;
    }
    memset(wire->block->data + wire->at, '#', gap);
    for (uint32_t i = 0; i < len; i++)
        wire->block->data[wire->at + gap + i] = (char)wire->in++;
    body_append(&body, wire->block, wire->at + gap, len);
    wire->at += gap + len;
    wire->produced += len;
}

static void consume(struct wire *wire)
{
    const struct body_piece *piece = body_first(&body);
    uint32_t len = 1 + next_random(wire, body.queued), whole = len;
    char *bytes = malloc(body.queued + 1);
    assert_non_null(bytes);
    assert_non_null(piece);
    peek(bytes);
    for (uint32_t i = 0; i < len; i++)
        if ((unsigned char)bytes[i] != wire->out++)
            fail_msg("byte %u of %u after %llu", i, whole, (unsigned long long)wire->consumed);
    free(bytes);
    body_consume(&body, len);
    wire->consumed += len;
}

static void random_traffic_arrives_unchanged(void **state)
{
    (void)state;
    struct wire wire = {.random = 12345};
    for (unsigned i = 0; i < 100000; i++) {
        bool produces = body.queued == 0 || (body_has_room(&body) && next_random(&wire, 3) > 0);
        if (produces)
            produce(&wire);
        else
            consume(&wire);
        assert_int_equal(body.queued, wire.produced - wire.consumed);
        assert_int_equal(body.total, wire.produced);
        assert_true(body.count <= BODY_PIECES && (body.count == 0) == (body.queued == 0));
    }
    block_unref(&wire.block);
}

/* A piece in a block of its own, which goes with the body. */
static void append_alone(struct body *to, const char *text)
{
    struct block *block = block_with(text);
    body_append(to, block, 0, block->used);
    block_unref(&block);
}

static void bytes_move_up_to_the_mark(void **state)
{
    (void)state;
    struct body to = {0};
    for (uint32_t i = 0; i < 3; i++)
        append_alone(&body, "abcdef");
    append_alone(&to, "ab");
    assert_int_equal(body_move(&to, &body, 2), 0);
    assert_int_equal(body_move(&to, &body, 10), 8); /* across pieces, and a part of one */
    assert_int_equal(to.queued, 10);
    assert_int_equal(body.queued, 10);
    assert_memory_equal(body_first(&body)->block->data + body_first(&body)->offset, "cdef", 4);
    assert_int_equal(body_move(&to, &body, 1000), 10);
    assert_int_equal(to.total, 20);
    body_fini(&to);
}

static void bytes_do_not_move_where_there_is_no_room(void **state)
{
    (void)state;
    struct body to = {0};
    for (unsigned i = 0; i < BODY_PIECES; i++)
        append_alone(&to, "abc");
    append_alone(&body, "abc");
    assert_int_equal(body_move(&to, &body, 1000), 0);
    assert_int_equal(body.queued, 3);
    body_fini(&to);
}

static void consume_too_much(void)
{
    struct block *block = block_with("abc");
    body_append(&body, block, 0, 3);
    body_consume(&body, 4);
}

static void append_too_much(void)
{
    for (unsigned i = 0; i <= BODY_PIECES; i++)
        body_append(&body, block_with("abc"), 0, 3);
}

static void misuse_is_noticed(void **state)
{
    (void)state;
    assert_true(dies(consume_too_much));
    assert_true(dies(append_too_much));
}

/* The bytes themselves are the pipe's; a body knows how many come when. */
static void pieces_in_a_pipe_keep_their_place(void **state)
{
    (void)state;
    struct pipe_pool pipes = {0};
    struct block *block = block_with("ab");
    body.pipe = pipe_take(&pipes);
    body_append(&body, block, 0, 2);
    body_append_piped(&body, 100000);
    body_append_piped(&body, 0);
    body_append_piped(&body, 50000);
    body_append(&body, block, 0, 1);
    assert_int_equal(body.queued, 150003);
    assert_int_equal(body.count, 3);
    assert_false(body_has_room(&body));
    assert_ptr_equal(body_first(&body)->block, block);
    body_consume(&body, 3);
    assert_null(body_first(&body)->block);
    assert_int_equal(body_first(&body)->len, 149999);
    body_consume(&body, 149999);
    assert_ptr_equal(body_first(&body)->block, block);
    assert_int_equal(body.total, 150003);
    block_unref(&block);
    body_fini(&body);
    assert_null(body.pipe);
    pipe_pool_fini(&pipes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_body),
        TEST(bytes_are_queued_and_consumed),
        TEST(nothing_is_appended_for_nothing),
        TEST(neighbours_join),
        TEST(small_chunks_move_together),
        TEST(chunks_move_behind_a_consumed_part),
        TEST(overlapping_moves_keep_the_bytes),
        TEST(only_small_slices_move),
        TEST(other_blocks_do_not_join),
        TEST(a_slice_before_the_last_one_does_not_join),
        TEST(the_ring_goes_round),
        TEST(consuming_crosses_pieces),
        TEST(the_high_mark_is_the_end_of_the_room),
        TEST(fini_gives_back_what_is_left),
        TEST(random_traffic_arrives_unchanged),
        TEST(bytes_move_up_to_the_mark),
        TEST(bytes_do_not_move_where_there_is_no_room),
        TEST(pieces_in_a_pipe_keep_their_place),
        TEST(misuse_is_noticed),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
