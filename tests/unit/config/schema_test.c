/*
 * config/schema.h and config/value.h: what a scalar may look like and what is said when it does not, unknown
 * keys and what they were meant to be, and that the tables are sound (defaults parse, ranges hold, keys are
 * unique).
 */
#include "said.h"

#include "config/schema.h"
#include "config/suggest.h"

static void values(void **state)
{
    (void)state;
    static const struct {
        enum value_kind kind;
        const char *text;
        enum value_problem problem;
        uint64_t value;
        const char *printed;
    } rows[] = {
        {VALUE_COUNT, "0", VALUE_OK, 0, "0"},
        {VALUE_COUNT, "8", VALUE_OK, 8, "8"},
        {VALUE_COUNT, "18446744073709551614", VALUE_OK, UINT64_MAX - 1, "18446744073709551614"},
        {VALUE_COUNT, "18446744073709551616", VALUE_TOO_LARGE, 0, ""},
        {VALUE_COUNT, "", VALUE_MALFORMED, 0, ""},
        {VALUE_COUNT, "-1", VALUE_MALFORMED, 0, ""},
        {VALUE_COUNT, "+1", VALUE_MALFORMED, 0, ""},
        {VALUE_COUNT, "010", VALUE_MALFORMED, 0, ""},
        {VALUE_COUNT, "0x10", VALUE_MALFORMED, 0, ""},
        {VALUE_COUNT, "1_000", VALUE_MALFORMED, 0, ""},
        {VALUE_COUNT, "5s", VALUE_MALFORMED, 0, ""},
        {VALUE_DURATION, "0", VALUE_OK, 0, "0"},
        {VALUE_DURATION, "0s", VALUE_OK, 0, "0"},
        {VALUE_DURATION, "250ms", VALUE_OK, 250000, "250ms"},
        {VALUE_DURATION, "30s", VALUE_OK, 30000000, "30s"},
        {VALUE_DURATION, "90s", VALUE_OK, 90000000, "90s"},
        {VALUE_DURATION, "60s", VALUE_OK, 60000000, "1m"},
        {VALUE_DURATION, "15m", VALUE_OK, 900000000, "15m"},
        {VALUE_DURATION, "1h", VALUE_OK, 3600000000, "1h"},
        {VALUE_DURATION, "2d", VALUE_OK, 172800000000, "2d"},
        {VALUE_DURATION, "30", VALUE_UNIT_MISSING, 0, ""},
        {VALUE_DURATION, "30sec", VALUE_UNIT_UNKNOWN, 0, ""},
        {VALUE_DURATION, "30S", VALUE_UNIT_UNKNOWN, 0, ""},
        {VALUE_DURATION, "30 s", VALUE_MALFORMED, 0, ""},
        {VALUE_DURATION, "1h30m", VALUE_MALFORMED, 0, ""},
        {VALUE_DURATION, "1.5s", VALUE_MALFORMED, 0, ""},
        {VALUE_DURATION, "s", VALUE_MALFORMED, 0, ""},
        {VALUE_DURATION, "99999999999999d", VALUE_TOO_LARGE, 0, ""},
        {VALUE_SIZE, "0", VALUE_OK, 0, "0"},
        {VALUE_SIZE, "240B", VALUE_OK, 240, "240B"},
        {VALUE_SIZE, "16KiB", VALUE_OK, 16384, "16KiB"},
        {VALUE_SIZE, "99MiB", VALUE_OK, 103809024, "99MiB"},
        {VALUE_SIZE, "2GiB", VALUE_OK, 2147483648, "2GiB"},
        {VALUE_SIZE, "1TiB", VALUE_OK, 1099511627776, "1TiB"},
        {VALUE_SIZE, "5KB", VALUE_OK, 5000, "5KB"},
        {VALUE_SIZE, "1MB", VALUE_OK, 1000000, "1MB"},
        {VALUE_SIZE, "3GB", VALUE_OK, 3000000000, "3GB"},
        {VALUE_SIZE, "1048576", VALUE_UNIT_MISSING, 0, ""},
        {VALUE_SIZE, "1M", VALUE_UNIT_UNKNOWN, 0, ""},
        {VALUE_SIZE, "1mib", VALUE_UNIT_UNKNOWN, 0, ""},
        {VALUE_SIZE, "20000000TiB", VALUE_TOO_LARGE, 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t value = 0;
        char text[VALUE_TEXT_MAX] = "";
        if (value_parse(rows[i].kind, slice_of(rows[i].text), &value) != rows[i].problem ||
            value != rows[i].value)
            fail_msg("%s", rows[i].text);
        if (rows[i].problem == VALUE_OK)
            value_print(rows[i].kind, value, text);
        assert_string_equal(text, rows[i].printed);
    }
}

static void suggestions(void **state)
{
    (void)state;
    static const char *const known[] = {"upstream", "prefix", "path", "regex", "hosts", "routes", "access"};
    static const struct {
        const char *word, *best;
    } rows[] = {
        {"upsteam", "upstream"},
        {"upstraem", "upstream"},
        {"Upstream", "upstream"},
        {"host", "hosts"},
        {"route", "routes"},
        {"paht", "path"},
        {"acess", "access"},
        {"pre", ""},
        {"completely", ""},
        {"", ""},
        {"x", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct suggestion suggestion = suggest_start(slice_of(rows[i].word));
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            suggest_offer(&suggestion, slice_of(known[k]));
        if (!slice_equal(suggestion.best, slice_of(rows[i].best)))
            fail_msg("%s: %.*s", rows[i].word, SLICE_ARGS(suggestion.best));
    }
}

struct object {
    bool flag;
    uint32_t count, choice;
    uint64_t duration, size;
    struct slice target;
};

#define ROW(type_, member, ...)                                                             \
    {                                                                                       \
        .key = #member, .type = SETTING_##type_, .offset = offsetof(struct object, member), \
        .size = sizeof(((struct object *)0)->member), __VA_ARGS__                           \
    }

static const struct setting flag = ROW(SWITCH, flag, .words = "");
static const struct setting count = ROW(COUNT, count, .min = 1, .max = 100, .words = "");
static const struct setting choice = ROW(CHOICE, choice, .words = "json combined gcp");
static const struct setting duration =
    ROW(DURATION, duration, .min = MILLISECONDS(1), .max = HOURS(1), .words = "");
static const struct setting size = ROW(SIZE, size, .min = 1, .max = MIB(1), .words = "");
static const struct setting target = ROW(TARGET, target, .words = "off stdout");

static void scalars(void **state)
{
    (void)state;
    static const struct {
        const struct setting *row;
        const char *yaml, *printed, *said;
    } rows[] = {
        {&flag, "true", "true", ""},
        {&flag, "false", "false", ""},
        {&flag, "yes", "", "1:1: expected true or false, found \"yes\"\n"},
        {&flag, "True", "", "1:1: expected true or false, found \"True\"\n"},
        {&flag, "[true]", "", "1:1: expected true or false, found a list\n"},
        {&flag, "''", "", "1:1: expected true or false, found \"\"\n"},
        {&count, "7", "7", ""},
        {&count, "'7'", "7", ""},
        {&count, "0", "", "1:1: 0 is out of range; count may be 1 to 100\n"},
        {&count, "101", "", "1:1: 101 is out of range; count may be 1 to 100\n"},
        {&count, "99999999999999999999999", "",
         "1:1: 99999999999999999999999 is out of range; count may be 1 to 100\n"},
        {&count, "-3", "", "1:1: expected a whole number, found \"-3\"\n"},
        {&count, "7.0", "", "1:1: expected a whole number, found \"7.0\"\n"},
        {&count, "{a: 7}", "", "1:1: expected a whole number, found a mapping\n"},
        {&duration, "30s", "30s", ""},
        {&duration, "30", "", "1:1: a duration needs a unit: write 30s\n"},
        {&duration, "2h", "", "1:1: 2h is out of range; duration may be 1ms to 1h\n"},
        {&duration, "0", "", "1:1: 0 is out of range; duration may be 1ms to 1h\n"},
        {&duration, "30sec", "",
         "1:1: \"30sec\" has an unknown unit; a duration is a whole number and ms, s, m, h or d\n"},
        {&duration, "soon", "", "1:1: expected a duration, as 30s, found \"soon\"\n"},
        {&size, "16KiB", "16KiB", ""},
        {&size, "1024", "", "1:1: a size needs a unit: write 1024B\n"},
        {&size, "10M", "",
         "1:1: \"10M\" has an unknown unit; a size is a whole number and B, KiB, MiB, GiB, TiB, KB, MB or "
         "GB\n"},
        {&size, "2MiB", "", "1:1: 2MiB is out of range; size may be 1B to 1MiB\n"},
        {&choice, "combined", "combined", ""},
        {&choice, "combind", "", "1:1: unknown choice \"combind\"; did you mean \"combined\"?\n"},
        {&choice, "xml", "", "1:1: unknown choice \"xml\"; known are: json combined gcp\n"},
        {&target, "off", "off", ""},
        {&target, "./x", "./x", ""},
        {&target, "a.log", "a.log", ""},
        {&target, "false", "",
         "1:1: \"false\" is none of: off stdout; a file is written as a path: ./false\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config_findings findings;
        struct arena arena;
        struct object object = {.count = 77};
        config_findings_init(&findings);
        arena_init(&arena, NULL, 0);
        struct yaml_node *node = yaml_tree_parse(&arena, "t.yaml", slice_of(rows[i].yaml), &findings);
        assert_non_null(node);
        bool fits = schema_read_scalar(&findings, rows[i].row, node, &object);
        said_compare(&(struct said_case){rows[i].yaml, rows[i].said}, &findings);
        assert_true(fits == (findings.errors == 0));
        struct slice printed = fits ? schema_print_scalar(&arena, rows[i].row, &object) : SLICE("");
        assert_true(slice_equal(printed, slice_of(rows[i].printed)));
        arena_fini(&arena);
        config_findings_fini(&findings);
    }
}

#define REST                                                                                           \
    "listen: [':80']\nupstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: " \
    "app}]}]\n"

static void unknown_keys(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {REST "lisen: 1\n", "4:1: unknown key \"lisen\" in the main file; did you mean \"listen\"?\n"},
        {REST "xyzzy: 1\n", "4:1: unknown key \"xyzzy\" in the main file\n"},
        {REST "head_timeout: 1s\n",
         "4:1: unknown key \"head_timeout\" in the main file; it belongs in client\n"},
        {REST "process: {thread: 1}\n",
         "4:11: unknown key \"thread\" in process; did you mean \"threads\"?\n"},
        {REST "process: {threads: 1, format: json}\n",
         "4:23: unknown key \"format\" in process; it belongs in log\n"},
        {"listen: [{adress: ':80', address: ':81'}]\n"
         "upstreams: {app: {server: ['a:1'], servers: ['a:1']}}\n"
         "sites: [{hosts: ['*'], host: x, routes: [{prefix: /, upsteam: app, upstream: app, max_bdy: "
         "1MiB}]}]\n",
         "1:11: unknown key \"adress\" in a listener; did you mean \"address\"?\n"
         "2:19: unknown key \"server\" in an upstream; did you mean \"servers\"?\n"
         "3:24: unknown key \"host\" in a site; did you mean \"hosts\"?\n"
         "3:54: unknown key \"upsteam\" in a route; did you mean \"upstream\"?\n"
         "3:83: unknown key \"max_bdy\" in a route; did you mean \"max_body\"?\n"},
        {REST "defaults: {max_bodi: 1MiB, hosts: [a]}\n",
         "4:12: unknown key \"max_bodi\" in defaults; did you mean \"max_body\"?\n"
         "4:28: unknown key \"hosts\" in defaults; it belongs in a site\n"},
        {REST "\"a\\nb\": 1\n", "4:1: unknown key \"a?b\" in the main file\n"},
    };
    SAID_ALL(rows);
}

static void sections_of_wrong_kind(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {"plain\n", "1:1: expected a mapping, found \"plain\"\n"},
        {"- a\n", "1:1: expected a mapping, found a list\n"},
        {REST "process: 4\n", "4:10: expected a mapping, found \"4\"\n"},
        {REST "client:\n", "4:8: expected a mapping, found nothing\n"},
        {REST "log: [a]\n", "4:6: expected a mapping, found a list\n"},
        {REST "defaults: x\n", "4:11: expected a mapping, found \"x\"\n"},
        {REST "process: {threads: }\n", "4:20: expected a whole number, found nothing\n"},
        {REST "client: {head_timeout: 10}\n", "4:24: a duration needs a unit: write 10s\n"},
        {"listen: ':80'\nupstreams: [a]\nsites: {a: b}\n",
         "1:9: expected a list of addresses, found \":80\"\n"
         "2:12: expected a mapping of names, found a list\n"
         "3:8: expected a list of sites, found a mapping\n"},
    };
    SAID_ALL(rows);
}

static void tables_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < schema_setting_count; i++) {
        const struct setting *row = &schema_settings[i];
        assert_ptr_equal(schema_find(row->section, slice_of(row->key)), row);
        size_t rows;
        assert_ptr_equal(schema_rows(row->section, &rows) + schema_slot(row), row);
        assert_true(schema_slot(row) < rows);
        assert_true(row->min <= row->max);
        assert_true(row->sentence[strlen(row->sentence) - 1] == '.');
    }
    struct config config;
    for (size_t i = 0; i < schema_setting_count; i++)
        if (schema_settings[i].type == SETTING_PART)
            schema_set_defaults(schema_settings[i].part, (char *)&config + schema_settings[i].offset);
    struct config_upstream upstream;
    struct config_scope route;
    schema_set_defaults(SECTION_upstream, &upstream);
    schema_set_defaults(SECTION_queue, &upstream.queue);
    schema_set_defaults(SECTION_inherited, &route);
    assert_int_equal(config.process.shutdown_timeout_us, 30000000);
    assert_int_equal(config.client.request_line_max, 16384);
    assert_int_equal(config.client.fields_max, 100);
    assert_int_equal(config.log.level, 2);
    assert_int_equal(upstream.idle_timeout_us, 4000000);
    assert_int_equal(upstream.idle_max, 256);
    assert_int_equal(upstream.connections_max, 0);
    assert_int_equal(upstream.queue.timeout_us, 10000000);
    assert_int_equal(route.max_body, 100 << 20);
    assert_int_equal(route.idle_timeout_us, 3600000000);
}

static void long_values_are_shortened(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {REST "process: {threads: "
              "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'}\n",
         "4:20: expected a whole number, found "
         "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n"},
        {REST
         "process: {threads: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xa4xxxxxxx'}\n",
         "4:20: expected a whole number, found "
         "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n"},
    };
    SAID_ALL(rows);
}

static void findings_are_bounded(void **state)
{
    (void)state;
    static char text[64 * 1024];
    size_t used = 0;
    for (int i = 0; i < 500; i++)
        used += (size_t)sprintf(text + used, "x%d: 1\n", i);
    struct config_findings findings;
    config_findings_init(&findings);
    assert_null(config_load_text("t.yaml", slice_make(text, used), &findings));
    unsigned listed = 0;
    for (const struct config_finding *finding = findings.first; finding; finding = finding->next) {
        listed++;
        assert_true(finding->next != NULL || finding == findings.last);
    }
    assert_int_equal(listed, 100);
    assert_int_equal(findings.errors, 502);
    config_findings_fini(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(suggestions),
        cmocka_unit_test(scalars),
        cmocka_unit_test(unknown_keys),
        cmocka_unit_test(sections_of_wrong_kind),
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(long_values_are_shortened),
        cmocka_unit_test(findings_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
