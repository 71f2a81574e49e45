/*
 * base/random: the published generator, digits of exactly the asked number, and seeds that differ.
 */
#include "base/random.h"

#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

/* The first outputs of xoshiro256** 1.0 from this state, as its authors' code gives them. */
static void it_is_xoshiro256starstar(void **state)
{
    (void)state;
    static const uint64_t expected[] = {11520,
                                        0,
                                        1509978240,
                                        1215971899390074240u,
                                        1216172134540287360u,
                                        607988272756665600u,
                                        16172922978634559625u,
                                        8476171486693032832u,
                                        10595114339597558777u,
                                        2904607092377533576u};
    struct random random = {.state = {1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        if (random_next(&random) != expected[i])
            fail_msg("output %zu", i);
}

static void hex_is_the_same_numbers(void **state)
{
    (void)state;
    static const unsigned lengths[] = {0, 16, 32, 64};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct random random = {.state = {5, 6, 7, 8}}, same = random;
        char text[72];
        memset(text, '#', sizeof text);
        random_hex(&random, text, lengths[i]);
        for (unsigned at = 0; at < lengths[i]; at += 16) {
            uint64_t number = 0;
            for (unsigned digit = 16; digit > 0; digit--) {
                const char *digits = "0123456789abcdef", *found = strchr(digits, text[at + digit - 1]);
                assert_non_null(found);
                number = number << 4 | (uint64_t)(found - digits);
            }
            assert_true(number == random_next(&same));
        }
        assert_int_equal(text[lengths[i]], '#');
        assert_memory_equal(&random, &same, sizeof random);
    }
}

static void seeds_differ(void **state)
{
    (void)state;
    struct random a, b;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    random_init(&a);
    random_init(&b);
    assert_memory_not_equal(&a, &b, sizeof a);
    for (size_t i = 0; i < 4; i++)
        assert_false(a.state[i] == 0 && b.state[i] == 0);
    assert_true(random_next(&a) != random_next(&b));
}

/* 4096 draws of 64 bits: each bit is set 2048 times, give or take 10 standard deviations. */
static void every_bit_is_used(void **state)
{
    (void)state;
    unsigned set[64] = {0};
    struct random random;
    random_init(&random);
    for (unsigned i = 0; i < 4096; i++) {
        uint64_t bits = random_next(&random);
        for (unsigned bit = 0; bit < 64; bit++)
            set[bit] += (bits >> bit & 1) != 0;
    }
    for (unsigned bit = 0; bit < 64; bit++)
        assert_in_range(set[bit], 2048 - 320, 2048 + 320);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_xoshiro256starstar),
        cmocka_unit_test(hex_is_the_same_numbers),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(every_bit_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
