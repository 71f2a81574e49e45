/*
 * base/archive and base/read_file: what was read once can be read again, by another process and after the
 * files have gone; what was not read then is still read from disk.
 */
#include "base/archive.h"

#include "base/read_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { LIMIT = 1024 * 1024, LARGE = 300 * 1024 };

static char dir[64];
static struct arena arena;
static struct archive archive, copy;

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/portico-archive-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    arena_init(&arena, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    archive_record(NULL);
    archive_replay(NULL);
    archive_fini(&archive);
    archive_fini(&copy);
    arena_fini(&arena);
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void check_read(const char *name, const char *text)
{
    struct slice bytes;
    assert_null(read_file(&arena, name, LIMIT, &bytes));
    assert_true(slice_equal(bytes, slice_of(text)));
    assert_int_equal(bytes.at[bytes.len], 0);
}

/* What is in `archive`, as another process gets it. */
static void hand_over(void)
{
    archive_record(NULL);
    int fd = archive_to_memory(&archive);
    assert_true(fd >= 0);
    assert_true(archive_from_memory(&copy, fd));
    archive_replay(&copy);
}

static void test_files_are_read_again(void **state)
{
    (void)state;
    struct slice bytes;
    write_file("a", "first");
    write_file("b", "");
    archive_record(&archive);
    check_read("a", "first");
    check_read("b", "");
    assert_non_null(read_file(&arena, "c", LIMIT, &bytes));
    hand_over();
    write_file("a", "changed");
    assert_int_equal(unlink("b"), 0);
    write_file("c", "new");
    check_read("a", "first");
    check_read("b", "");
    check_read("c", "new");
    archive_replay(NULL);
    check_read("a", "changed");
}

static void test_a_large_file_is_read_again(void **state)
{
    (void)state;
    char *text = malloc(LARGE + 1);
    assert_non_null(text);
    memset(text, 'x', LARGE);
    text[LARGE] = '\0';
    write_file("small", "1");
    write_file("large", text);
    archive_record(&archive);
    check_read("small", "1");
    check_read("large", text);
    hand_over();
    assert_int_equal(unlink("large"), 0);
    check_read("large", text);
    check_read("small", "1");
    free(text);
}

static void test_newer_files_take_the_place_of_older_ones(void **state)
{
    (void)state;
    struct archive newer = {0};
    write_file("a", "first");
    write_file("b", "second");
    archive_record(&archive);
    check_read("a", "first");
    check_read("b", "second");
    write_file("a", "renewed");
    archive_record(&newer);
    check_read("a", "renewed");
    assert_true(archive_agrees(&archive, &archive));
    assert_false(archive_agrees(&archive, &newer));
    archive_update(&archive, &newer);
    assert_true(archive_agrees(&archive, &newer));
    size_t len = archive.len;
    archive_update(&archive, &newer);
    assert_int_equal(archive.len, len);
    archive_fini(&newer);
    hand_over();
    assert_int_equal(unlink("a"), 0);
    check_read("a", "renewed");
    check_read("b", "second");
}

static void test_patterns_match_what_they_matched(void **state)
{
    (void)state;
    write_file("b.yaml", "");
    write_file("a.yaml", "");
    archive_record(&archive);
    assert_int_equal(find_files(&arena, "*.yaml").count, 2);
    assert_int_equal(find_files(&arena, "*.none").count, 0);
    hand_over();
    write_file("c.yaml", "");
    write_file("c.none", "");
    struct file_names names = find_files(&arena, "*.yaml");
    assert_int_equal(names.count, 2);
    assert_string_equal(names.at[0], "a.yaml");
    assert_string_equal(names.at[1], "b.yaml");
    assert_int_equal(find_files(&arena, "*.none").count, 0);
    assert_int_equal(find_files(&arena, "c.*").count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_are_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_file_is_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_newer_files_take_the_place_of_older_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patterns_match_what_they_matched, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
