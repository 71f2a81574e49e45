/*
 * base/hash: every byte, the length and the seed count; nothing behind the bytes is read (under ASan).
 */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { LONGEST = 40 };

static void all_of_it_counts(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LONGEST; len++) {
        char *bytes = calloc(1, len ? len : 1); /* of just this size */
        struct slice key = slice_make(bytes, len);
        uint64_t hash = hash_bytes(key, 1);
        assert_true(hash == hash_bytes(key, 1));
        assert_true(hash != hash_bytes(key, 2));
        for (size_t i = 0; i < len; i++) {
            bytes[i] = 1;
            assert_true(hash != hash_bytes(key, 1));
            bytes[i] = 0;
            assert_true(hash != hash_bytes(slice_make(bytes, i), 1));
        }
        free(bytes);
    }
}

static void few_bytes_move_every_bit(void **state)
{
    (void)state;
    uint64_t ones = 0, zeros = 0;
    for (uint32_t number = 0; number < 1000; number++) {
        uint64_t hash = hash_bytes(slice_make((const char *)&number, sizeof number), 7);
        ones |= hash;
        zeros |= ~hash;
    }
    assert_true(ones == UINT64_MAX && zeros == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_counts),
        cmocka_unit_test(few_bytes_move_every_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
