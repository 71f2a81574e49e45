/*
 * limits: what is read, what is refused and with which words, what is printed.
 */
#include "printed.h"

#define REST  "listen: [':80']\nupstreams: {app: 'a:1'}\n"
#define SITES "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app, limits: [a]}]}]\n"
/* The limit `a`, from column 13 of the fourth line. */
#define LIMIT(text) REST SITES "limits: {a: {" text "}}\n"

static struct config *load(const char *text)
{
    const struct said_case row = {text, ""};
    return said_load(&row);
}

static void values(void **state)
{
    (void)state;
    struct config *config =
        load(LIMIT("rate: 10/s, burst: 20, delay: 8, key: [client_ip, header X-Key, cookie Id], "
                   "count: [401, 403], status: 503, mode: shadow, memory: 1MiB, when_full: pass"));
    const struct config_limit *limit = &config->limits[0];
    assert_int_equal(limit->count, 10);
    assert_int_equal(limit->period_us, 1000000);
    assert_false(limit->window);
    assert_int_equal(limit->burst, 20);
    assert_int_equal(limit->delay, 8);
    assert_int_equal(limit->part_count, 3);
    assert_int_equal(limit->parts[1].source, CONFIG_LIMIT_HEADER);
    assert_true(slice_equal(limit->parts[1].name, SLICE("x-key")));
    assert_true(slice_equal(limit->parts[2].name, SLICE("Id")));
    assert_int_equal(limit->status_count, 2);
    assert_int_equal(limit->statuses[1].status, 403);
    assert_int_equal(limit->status, 503);
    assert_int_equal(limit->mode, CONFIG_LIMIT_SHADOW);
    assert_int_equal(limit->memory, 1 << 20);
    assert_int_equal(limit->when_full, CONFIG_LIMIT_FULL_PASS);
    assert_ptr_equal(config->sites[0].routes[0].scope.limits->limits[0], limit);
    config_free(&config);
}

static void amounts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t count;
        uint64_t period_us;
    } rows[] = {{LIMIT("rate: 300/m"), 300, 60000000},
                {LIMIT("rate: 1/h"), 1, 3600000000},
                {LIMIT("rate: 5/100ms"), 5, 100000},
                {LIMIT("window: 100/15m"), 100, 900000000},
                {LIMIT("window: 250000/30d"), 250000, 2592000000000},
                {LIMIT("rate: 1000000/s"), 1000000, 1000000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config *config = load(rows[i].text);
        assert_int_equal(config->limits[0].count, rows[i].count);
        assert_int_equal(config->limits[0].period_us, rows[i].period_us);
        assert_int_equal(config->limits[0].parts[0].source, CONFIG_LIMIT_CLIENT_IP);
        assert_int_equal(config->limits[0].delay, CONFIG_LIMIT_NO_DELAY);
        config_free(&config);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {LIMIT("rate: 10"), "4:20: \"10\" is no rate: it needs a time: write 10/s, 300/m or 100/15m\n"},
        {LIMIT("rate: 10r/s"),
         "4:20: \"10r/s\" is no rate: what stands before the slash is no whole number; write 10/s\n"},
        {LIMIT("window: 10/15"),
         "4:22: \"10/15\" is no window: what stands behind the slash is no time; write s, m, h, "
         "d or a duration as 15m\n"},
        {LIMIT("rate: 10/"),
         "4:20: \"10/\" is no rate: what stands behind the slash is no time; write s, m, h, d or a "
         "duration as 15m\n"},
        {LIMIT("rate: 0/s"),
         "4:20: \"0/s\" is no rate: it lets nothing pass; what must not be served is refused by "
         "methods or a route, not by a limit\n"},
        {LIMIT("rate: 2000000/s"),
         "4:20: \"2000000/s\" is no rate: it is out of range; at most 1000000 requests, at most "
         "30d, at most 1000000 a second\n"},
        {LIMIT("window: 5/100ms"),
         "4:22: \"5/100ms\" is no window: it is out of range; a window has at most 250000 "
         "requests and is at least 1s long\n"},
        {LIMIT("rate: [1]"), "4:20: expected a rate, as 10/s, found a list\n"},
        {LIMIT("rate: 1/s, window: 1/s"), "4:25: a limit has one of rate and window, not both\n"},
        {LIMIT("burst: 3"), "4:10: a limit needs a rate, as 10/s, or a window, as 100/15m\n"},
        {LIMIT("window: 9/1h, burst: 3"), "4:35: a window has no burst: all of it may come at once\n"},
        {LIMIT("window: 9/1h, delay: 3"), "4:35: nobody waits for a window; delay is for rates\n"},
        {LIMIT("rate: 9/s, burst: 2, delay: 2"),
         "4:42: nobody waits behind 2 requests of a burst of 2; delay must be below burst\n"},
        {LIMIT("rate: 9/s, delay: x"), "4:32: expected a whole number, found \"x\"\n"},
        {LIMIT("rate: 9/s, key: client-ip"),
         "4:30: unknown key \"client-ip\"; did you mean \"client_ip\"?\n"},
        {LIMIT("rate: 9/s, key: zzzzzzzz"),
         "4:30: unknown key \"zzzzzzzz\"; known are: client_ip, header NAME, cookie "
         "NAME, route, host, user\n"},
        {LIMIT("rate: 9/s, key: header"),
         "4:30: \"header\": write header and one name, as header X-Api-Key or cookie session\n"},
        {LIMIT("rate: 9/s, key: 'cookie a b'"),
         "4:30: \"cookie a b\": write cookie and one name, as header X-Api-Key or cookie session\n"},
        {LIMIT("rate: 9/s, key: 'route x'"), "4:30: \"route x\": route stands alone\n"},
        {LIMIT("rate: 9/s, key: []"), "4:30: a key has 1 to 8 parts\n"},
        {LIMIT("rate: 9/s, count: [99, 4xx]"), "4:33: \"99\" is no status of a response; 200 to 599 are\n"
                                               "4:37: \"4xx\" is no status of a response; 200 to 599 are\n"},
        {LIMIT("rate: 9/s, status: 200"), "4:33: 200 is out of range; status may be 400 to 599\n"},
        {LIMIT("rate: 9/s, memory: 1KiB"), "4:33: 1KiB is out of range; memory may be 64KiB to 64GiB\n"},
        {REST SITES "limits: {'a b': {rate: 9/s}, a: {rate: 9/s}}\n",
         "4:10: a name is made of letters, digits, '-', '_' and '.'\n"},
        {REST SITES "limits: {a: 9/s}\n",
         "4:13: expected a mapping, as { rate: 10/s, burst: 20 }, found \"9/s\"\n"},
        {REST SITES, "3:69: no limit is called \"a\"; limits: at the top level defines them\n"},
        {REST "limits: {apis: {rate: 9/s}}\ndefaults: {limits: [api]}\n"
              "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app}]}]\n",
         "4:21: no limit is called \"api\"; did you mean \"apis\"?\n"},
        {REST "limits: {a: {rate: 9/s}}\ndefaults: {limits: [a, a]}\n"
              "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app}]}]\n",
         "4:24: \"a\" is on the list already\n"},
        {REST "defaults: {limits: a}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: app}]}]\n",
         "3:20: expected a list of limits, as [api], found \"a\"\n"},
    };
    SAID_ALL(rows);
}

static void warned(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {REST SITES "limits: {a: {rate: 9/s}, b: {rate: 9/s}}\n",
         "4:26: warning: nothing uses the limit \"b\"\n"},
        {LIMIT("rate: 100/15m"),
         "4:20: warning: the rate of \"a\" lets one request pass every 9.0 s; for 100 at any time "
         "write window: instead of rate:\n"},
    };
    SAID_ALL(rows);
}

/* What is printed without the places it comes from. */
static void strip_origins(char *text)
{
    char *to = text;
    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n"), kept = len;
        char *comment = memmem(line, len, "  #", 3);
        if (comment)
            kept = (size_t)(comment - line);
        memmove(to, line, kept);
        to += kept;
        *to++ = '\n';
        line += len + (line[len] == '\n');
    }
    *to = '\0';
}

static void what_is_printed_loads_again(void **state)
{
    (void)state;
    struct config *config = load(
        REST "limits:\n  a: {rate: 100/m, burst: 20, delay: 8, key: [client_ip, 'cookie Id'], count: [401]}\n"
             "  b: {window: 5/15m}\ndefaults: {limits: [b]}\n"
             "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app, limits: [a, b]}, {path: /x, "
             "upstream: app}]}]\n");
    char *first = print(config);
    struct config *again = load(first);
    char *second = print(again);
    assert_non_null(strstr(first, "    rate: 100/m  # t.yaml:4\n"));
    assert_non_null(strstr(first, "      - \"cookie Id\"  # t.yaml:4\n"));
    strip_origins(first);
    strip_origins(second);
    assert_string_equal(strchr(first, '\n'), strchr(second, '\n'));
    free(first);
    free(second);
    config_free(&config);
    config_free(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(amounts),
        cmocka_unit_test(refused),
        cmocka_unit_test(warned),
        cmocka_unit_test(what_is_printed_loads_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
