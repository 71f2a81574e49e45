/*
 * config/snapshot.h: whole or not at all, parts of the modules in their order, and the last reference frees
 * everything whichever thread holds it.
 */
#include "said.h"

#include "config/snapshot.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static const char *path;
static char freed[8];

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void *compile_count(const struct config *config, const void *previous,
                           struct config_findings *findings)
{
    (void)previous, (void)findings;
    int *count = malloc(sizeof *count);
    assert_non_null(count);
    *count = (int)config->sites[0].route_count;
    return count;
}

static void *compile_nothing(const struct config *config, const void *previous,
                             struct config_findings *findings)
{
    (void)previous, (void)config, (void)findings;
    return NULL;
}

static void *compile_refusing(const struct config *config, const void *previous,
                              struct config_findings *findings)
{
    (void)previous;
    config_error(findings, config->sites[0].routes[0].pattern_origin, "refused");
    return NULL;
}

static void *compile_warning(const struct config *config, const void *previous,
                             struct config_findings *findings)
{
    (void)previous;
    config_warning(findings, config->sites[0].origin, "doubtful");
    return NULL;
}

static void *compile_upon_previous(const struct config *config, const void *previous,
                                   struct config_findings *findings)
{
    int *generation = compile_count(config, previous, findings);
    *generation = previous ? *(const int *)previous + 1 : 1;
    return generation;
}

static void free_first(void *part)
{
    strcat(freed, "1");
    free(part);
}

static void free_second(void *part)
{
    strcat(freed, "2");
    free(part);
}

static const struct config_module first = {"first", compile_count, free_first};
static const struct config_module second = {"second", compile_count, free_second};
static const struct config_module nothing = {"nothing", compile_nothing, free_first};
static const struct config_module growing = {"growing", compile_upon_previous, free_second};
static const struct config_module refusing = {"refusing", compile_refusing, free_first};
static const struct config_module warning = {"warning", compile_warning, free_first};

static struct snapshot *build_upon(const struct config_module *const *modules,
                                   const struct snapshot *previous, const char *expected)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct snapshot *snapshot = snapshot_new(path, modules, previous, &findings);
    said_compare(&(struct said_case){path, expected}, &findings);
    config_findings_fini(&findings);
    return snapshot;
}

static struct snapshot *build(const struct config_module *const *modules, const char *expected)
{
    return build_upon(modules, NULL, expected);
}

static const char good[] = "listen: [':80']\nupstreams: {app: 'a:1'}\n"
                           "sites:\n- hosts: ['*']\n  routes: [{prefix: /, upstream: app}]\n";

static void parts_in_order(void **state)
{
    (void)state;
    static const struct config_module *const modules[] = {&first, &nothing, &second, NULL};
    freed[0] = '\0';
    write_file(good);
    struct snapshot *snapshot = build(modules, "");
    assert_non_null(snapshot);
    assert_int_equal(*(int *)snapshot->parts[0], 1);
    assert_null(snapshot->parts[1]);
    assert_int_equal(*(int *)snapshot->parts[2], 1);
    struct snapshot *other = snapshot_ref(snapshot);
    snapshot_unref(&snapshot);
    assert_null(snapshot);
    assert_string_equal(freed, "");
    snapshot_unref(&other);
    assert_string_equal(freed, "21");
    snapshot_unref(&other);
}

static void note_end(void *arg)
{
    strcat(arg, "+");
}

static void what_else_ends_with_it_ends_first(void **state)
{
    (void)state;
    static const struct config_module *const modules[] = {&first, NULL};
    freed[0] = '\0';
    write_file(good);
    struct snapshot *snapshot = build(modules, "");
    snapshot->end = (struct snapshot_end){note_end, freed};
    struct snapshot *other = snapshot_ref(snapshot);
    snapshot_unref(&other);
    assert_string_equal(freed, "");
    snapshot_unref(&snapshot);
    assert_string_equal(freed, "+1");
}

static void whole_or_nothing(void **state)
{
    (void)state;
    static const struct config_module *const modules[] = {&first, &refusing, &second, NULL};
    freed[0] = '\0';
    write_file(good);
    assert_null(build(modules, "5:21: refused\n"));
    assert_string_equal(freed, "21");
    write_file("listen: [':80']\n");
    freed[0] = '\0';
    assert_null(build(modules, "1:1: nothing to serve; add sites: with at least one site\n"));
    assert_string_equal(freed, "");
}

static void warnings_do_not_refuse(void **state)
{
    (void)state;
    static const struct config_module *const modules[] = {&warning, NULL};
    write_file(good);
    struct snapshot *snapshot = build(modules, "4:3: warning: doubtful\n");
    assert_non_null(snapshot);
    snapshot_unref(&snapshot);
}

static void parts_see_their_predecessor(void **state)
{
    (void)state;
    static const struct config_module *const modules[] = {&first, &growing, NULL};
    write_file(good);
    struct snapshot *before = build(modules, "");
    struct snapshot *after = build_upon(modules, before, "");
    snapshot_unref(&before);
    assert_int_equal(*(const int *)snapshot_part(after, &growing), 2);
    assert_int_equal(*(const int *)snapshot_part(after, &first), 1);
    snapshot_unref(&after);
}

static void *take_and_give(void *arg)
{
    for (int i = 0; i < 10000; i++) {
        struct snapshot *mine = snapshot_ref(arg);
        snapshot_unref(&mine);
    }
    struct snapshot *last = arg;
    snapshot_unref(&last);
    return NULL;
}

static void references_of_threads(void **state)
{
    (void)state;
    static const struct config_module *const modules[] = {&first, NULL};
    pthread_t threads[4];
    freed[0] = '\0';
    write_file(good);
    struct snapshot *snapshot = build(modules, "");
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, snapshot_ref(snapshot)), 0);
    snapshot_unref(&snapshot);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_string_equal(freed, "1");
}

static int enter_folder(void **state)
{
    char folder[] = "/tmp/portico-snapshot-XXXXXX";
    path = "t.yaml";
    *state = mkdtemp(folder) ? strdup(folder) : NULL;
    return *state ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
    unlink(path);
    int result = chdir("/") || rmdir(*state);
    free(*state);
    return result;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_in_order),         cmocka_unit_test(whole_or_nothing),
        cmocka_unit_test(warnings_do_not_refuse), cmocka_unit_test(parts_see_their_predecessor),
        cmocka_unit_test(references_of_threads),  cmocka_unit_test(what_else_ends_with_it_ends_first),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
