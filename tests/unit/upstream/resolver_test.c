/*
 * upstream/resolver.h on a real loop, against a scripted name server, a hosts file and a resolv.conf of its
 * own: what is published when, how often names are asked, and what the log says.
 */
#include "upstream/resolver.h"

#include "upstream/dns_channel.h"

#include "dns_script.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { UPSTREAMS_MAX = 8, SERVERS_MAX = 8, PATIENCE_MS = 3000, LOG_MAX = 64 * 1024 };

/* What was published for one upstream. */
struct seen {
    char name[32], text[TEXT_MAX];
    unsigned times;
};

struct scene {
    struct event_base *base;
    struct dns_script *dns;
    struct resolver *resolver;
    struct resolver_settings settings;
    struct seen seen[UPSTREAMS_MAX];
    char dir[64], hosts[128], resolv[128];
    int log, saved_stderr;
};

static struct seen *seen_of(struct scene *scene, const char *upstream)
{
    unsigned i = 0;
    while (scene->seen[i].name[0] && strcmp(scene->seen[i].name, upstream) != 0)
        i++;
    snprintf(scene->seen[i].name, sizeof scene->seen[i].name, "%s", upstream);
    return &scene->seen[i];
}

static const char *text_of(struct scene *scene, const char *upstream)
{
    return seen_of(scene, upstream)->text;
}

static void on_publish(void *arg, struct endpoint_set *set)
{
    struct seen *seen = seen_of(arg, set->upstream);
    size_t len = 0;
    seen->times++;
    seen->text[0] = '\0';
    for (uint32_t i = 0; i < set->count; i++) {
        char printed[ADDRESS_TEXT_MAX];
        address_print(&set->addresses[i], printed);
        len += (size_t)snprintf(seen->text + len, sizeof seen->text - len, "%s%s", i ? " " : "", printed);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    scene->base = event_base_new_with_config(config);
    event_config_free(config);
    scene->dns = dns_script_start();
    strcpy(scene->dir, "/tmp/portico-resolver-XXXXXX");
    assert_non_null(mkdtemp(scene->dir));
    snprintf(scene->hosts, sizeof scene->hosts, "%s/hosts", scene->dir);
    snprintf(scene->resolv, sizeof scene->resolv, "%s/resolv.conf", scene->dir);
    write_file(scene->resolv, "nameserver 127.0.0.1\n");
    scene->settings = (struct resolver_settings){.hosts_path = scene->hosts,
                                                 .resolv_path = scene->resolv,
                                                 .servers = dns_script_servers(scene->dns),
                                                 .publish = on_publish,
                                                 .arg = scene,
                                                 .retry_ms = 100,
                                                 .query_timeout_ms = 100,
                                                 .watch_ms = 50};
    scene->log = memfd_create("log", MFD_CLOEXEC);
    scene->saved_stderr = dup(STDERR_FILENO);
    dup2(scene->log, STDERR_FILENO);
    *state = scene;
    return 0;
}

static const char *log_text(struct scene *scene)
{
    static char text[LOG_MAX];
    ssize_t len = pread(scene->log, text, sizeof text - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static unsigned logged(struct scene *scene, const char *words)
{
    unsigned count = 0;
    for (const char *at = log_text(scene); (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    resolver_free(&scene->resolver);
    event_base_free(scene->base);
    dns_script_stop(&scene->dns);
    dup2(scene->saved_stderr, STDERR_FILENO);
    fputs(log_text(scene), stderr);
    close(scene->saved_stderr);
    close(scene->log);
    unlink(scene->hosts);
    unlink(scene->resolv);
    rmdir(scene->dir);
    free(scene);
    return 0;
}

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void turn(struct scene *scene)
{
    event_base_loop(scene->base, EVLOOP_NONBLOCK);
    usleep(1000);
}

static void turn_for(struct scene *scene, long ms)
{
    for (long end = now_ms() + ms; now_ms() < end;)
        turn(scene);
}

/* Turns the loop until the expression holds, which it must before long. */
#define TURN_UNTIL(scene, expression)                                               \
    do {                                                                            \
        for (long end_ = now_ms() + PATIENCE_MS; !(expression) && now_ms() < end_;) \
            turn(scene);                                                            \
        assert_true(expression);                                                    \
    } while (0)

#define TURN_UNTIL_TEXT(scene, upstream, expected)                                \
    do {                                                                          \
        for (long end_ = now_ms() + PATIENCE_MS;                                  \
             strcmp(text_of(scene, upstream), expected) != 0 && now_ms() < end_;) \
            turn(scene);                                                          \
        assert_string_equal(text_of(scene, upstream), expected);                  \
    } while (0)

static void start(struct scene *scene)
{
    scene->resolver = resolver_new(scene->base, &scene->settings);
    assert_non_null(scene->resolver);
}

/* Fills one upstream from "name=server server"; the slices point into `text`. */
static void parse_upstream(char *text, struct config_upstream *upstream, struct config_server *servers)
{
    char *rest = NULL, *equals = strchr(text, '=');
    *equals = '\0';
    *upstream = (struct config_upstream){.name = slice_of(text), .servers = servers};
    for (char *word = strtok_r(equals + 1, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        struct config_server *server = &servers[upstream->server_count++];
        *server = (struct config_server){.text = slice_of(word)};
        assert_true(endpoint_name_parse(server->text, &server->name));
    }
}

/* A configuration of "name=server server" upstreams. */
struct written {
    char texts[UPSTREAMS_MAX][TEXT_MAX];
    struct config_upstream parsed[UPSTREAMS_MAX];
    struct config_server servers[UPSTREAMS_MAX][SERVERS_MAX];
    struct config config;
};

static void write_config(struct written *written, const char *const *upstreams, unsigned count)
{
    written->config = (struct config){.upstreams = written->parsed, .upstream_count = count};
    for (unsigned i = 0; i < count; i++) {
        snprintf(written->texts[i], sizeof written->texts[i], "%s", upstreams[i]);
        parse_upstream(written->texts[i], &written->parsed[i], written->servers[i]);
    }
}

/* Follows a configuration whose texts are wiped afterwards. */
static void follow(struct scene *scene, const char *const *upstreams, unsigned count)
{
    struct written written;
    write_config(&written, upstreams, count);
    resolver_follow(scene->resolver, &written.config);
    memset(written.texts, 'X', sizeof written.texts);
}

#define FOLLOW(scene, ...)                            \
    follow(scene, (const char *const[]){__VA_ARGS__}, \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void first_publishes_what_is_known(void **state)
{
    struct scene *scene = *state;
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.2 192.0.2.1 2001:db8::1");
    start(scene);
    FOLLOW(scene, "api=web.test:80 10.0.0.9:81 unix:/run/app.sock", "plain=[::1]:82", "none=web.test:83");
    assert_string_equal(text_of(scene, "api"), "10.0.0.9:81 unix:/run/app.sock");
    assert_string_equal(text_of(scene, "plain"), "[::1]:82");
    assert_int_equal(seen_of(scene, "none")->times, 1);
    assert_string_equal(text_of(scene, "none"), "");
    TURN_UNTIL_TEXT(scene, "api",
                    "192.0.2.1:80 192.0.2.2:80 [2001:db8::1]:80 10.0.0.9:81 unix:/run/app.sock");
    TURN_UNTIL_TEXT(scene, "none", "192.0.2.1:83 192.0.2.2:83 [2001:db8::1]:83");
    assert_int_equal(seen_of(scene, "api")->times, 2);
    assert_int_equal(seen_of(scene, "plain")->times, 1);
    assert_int_equal(logged(scene, "info resolver: upstream none: nothing -> 192.0.2.1:83 192.0.2.2:83"), 1);
    assert_int_equal(dns_script_asked(scene->dns, "web.test"), 1); /* for both upstreams */
}

static void long_ttl_is_cut(void **state)
{
    struct scene *scene = *state;
    scene->settings.ttl_max_ms = 100;
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    start(scene);
    FOLLOW(scene, "api=web.test:80");
    TURN_UNTIL(scene, dns_script_asked(scene->dns, "web.test") >= 3);
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.7");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.7:80");
    assert_int_equal(logged(scene, "upstream api: 192.0.2.1:80 -> 192.0.2.7:80"), 1);
}

static void short_ttl_is_stretched(void **state)
{
    struct scene *scene = *state;
    scene->settings.ttl_min_ms = 200;
    dns_script_ttl(scene->dns, 0);
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    start(scene);
    FOLLOW(scene, "api=web.test:80");
    turn_for(scene, 700);
    assert_in_range(dns_script_asked(scene->dns, "web.test"), 2, 4);
}

static void ttl_within_bounds_is_kept(void **state)
{
    struct scene *scene = *state;
    dns_script_ttl(scene->dns, 1);
    scene->settings.ttl_min_ms = 100;
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    start(scene);
    FOLLOW(scene, "api=web.test:80");
    turn_for(scene, 700);
    assert_int_equal(dns_script_asked(scene->dns, "web.test"), 1);
    TURN_UNTIL(scene, dns_script_asked(scene->dns, "web.test") == 2);
}

static void shuffled_answers_publish_nothing(void **state)
{
    struct scene *scene = *state;
    scene->settings.ttl_max_ms = 30;
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.3 192.0.2.1 192.0.2.2 192.0.2.1");
    start(scene);
    FOLLOW(scene, "api=web.test:80");
    TURN_UNTIL(scene, dns_script_asked(scene->dns, "web.test") >= 6);
    assert_string_equal(text_of(scene, "api"), "192.0.2.1:80 192.0.2.2:80 192.0.2.3:80");
    assert_int_equal(seen_of(scene, "api")->times, 2); /* nothing, then these */
}

static void failure_keeps_the_last_addresses(void **state)
{
    static const enum dns_reply failures[] = {DNS_SERVFAIL, DNS_NXDOMAIN, DNS_SILENCE};
    struct scene *scene = *state;
    scene->settings.ttl_max_ms = 50;
    scene->settings.retry_ms = 50;
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    start(scene);
    FOLLOW(scene, "api=web.test:80");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.1:80");
    for (unsigned i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        unsigned asked = dns_script_asked(scene->dns, "web.test");
        dns_script_set(scene->dns, "web.test", failures[i], "");
        TURN_UNTIL(scene, logged(scene, " warn ") == i + 1);
        TURN_UNTIL(scene, dns_script_asked(scene->dns, "web.test") >= asked + 3);
        dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
        TURN_UNTIL(scene, logged(scene, "info resolver: web.test resolves again") == i + 1);
    }
    assert_int_equal(logged(scene, "warn resolver: upstream api: server web.test:80 does not resolve: "), 3);
    assert_int_equal(logged(scene, "its last addresses stay in use"), 3);
    assert_int_equal(logged(scene, " warn "), 3);
    assert_int_equal(seen_of(scene, "api")->times, 2);
}

static void failure_is_retried_after_a_while(void **state)
{
    struct scene *scene = *state;
    scene->settings.retry_ms = 400;
    dns_script_set(scene->dns, "web.test", DNS_NXDOMAIN, "");
    start(scene);
    FOLLOW(scene, "api=web.test:80");
    turn_for(scene, 200);
    assert_int_equal(dns_script_asked(scene->dns, "web.test"), 1);
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.1:80");
    assert_int_equal(dns_script_asked(scene->dns, "web.test"), 2);
}

static void unknown_name_leaves_others_alone(void **state)
{
    struct scene *scene = *state;
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    start(scene);
    FOLLOW(scene, "wizard=wizard.test:3000", "api=web.test:80", "both=wizard.test:1 web.test:2");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.1:80");
    TURN_UNTIL_TEXT(scene, "both", "192.0.2.1:2");
    TURN_UNTIL(scene, logged(scene, "upstream wizard: server wizard.test:3000 does not resolve") == 1);
    assert_int_equal(logged(scene, "upstream both: server wizard.test:1 does not resolve"), 1);
    assert_int_equal(logged(scene, "it has no address"), 2);
    assert_int_equal(seen_of(scene, "wizard")->times, 1);
    assert_string_equal(text_of(scene, "wizard"), "");
    dns_script_set(scene->dns, "wizard.test", DNS_ADDRESSES, "192.0.2.5");
    TURN_UNTIL_TEXT(scene, "wizard", "192.0.2.5:3000");
}

static void hurry_asks_at_once_but_not_always(void **state)
{
    struct scene *scene = *state;
    scene->settings.hurry_ms = 400;
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    start(scene);
    FOLLOW(scene, "api=web.test:80", "plain=10.0.0.1:1");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.1:80");
    turn_for(scene, 450);
    assert_int_equal(dns_script_asked(scene->dns, "web.test"), 1);
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.2");
    long asked_ms = now_ms();
    resolver_hurry(scene->resolver, SLICE("api"));
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.2:80");
    assert_in_range(now_ms() - asked_ms, 0, 300);
    while (now_ms() < asked_ms + 600) {
        resolver_hurry(scene->resolver, SLICE("api"));
        resolver_hurry(scene->resolver, SLICE("plain"));
        resolver_hurry(scene->resolver, SLICE("no such"));
        turn(scene);
    }
    assert_int_equal(dns_script_asked(scene->dns, "web.test"), 3);
}

static void hurry_waits_for_a_question_under_way(void **state)
{
    struct scene *scene = *state;
    scene->settings.query_timeout_ms = 2000;
    scene->settings.hurry_ms = 1;
    dns_script_set(scene->dns, "web.test", DNS_SILENCE, "");
    start(scene);
    dns_script_set(scene->dns, "later.test", DNS_ADDRESSES, "192.0.2.1");
    FOLLOW(scene, "api=web.test:80");
    for (int i = 0; i < 50; i++) {
        turn(scene);
        resolver_hurry(scene->resolver, SLICE("api"));
    }
    FOLLOW(scene, "api=web.test:80",
           "other=later.test:80"); /* its answer comes behind all that was asked before */
    TURN_UNTIL_TEXT(scene, "other", "192.0.2.1:80");
    assert_int_equal(dns_script_asked(scene->dns, "web.test"), 1);
}

static void cut_answers_are_asked_by_tcp(void **state)
{
    struct scene *scene = *state;
    dns_script_truncate(scene->dns, true);
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1 2001:db8::1");
    start(scene);
    FOLLOW(scene, "api=web.test:80");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.1:80 [2001:db8::1]:80");
    assert_in_range(dns_script_asked_tcp(scene->dns), 2, 4);
}

/* Follows UPSTREAMS_MAX upstreams of SERVERS_MAX names each, like "n0-1.test". */
static void follow_many(struct scene *scene, char letter)
{
    char texts[UPSTREAMS_MAX][TEXT_MAX];
    const char *upstreams[UPSTREAMS_MAX];
    for (unsigned i = 0; i < UPSTREAMS_MAX; i++) {
        size_t len = (size_t)snprintf(texts[i], sizeof texts[i], "u%u=", i);
        for (unsigned j = 0; j < SERVERS_MAX; j++)
            len += (size_t)snprintf(texts[i] + len, sizeof texts[i] - len, "%c%u-%u.test:80 ", letter, i, j);
        upstreams[i] = texts[i];
    }
    follow(scene, upstreams, UPSTREAMS_MAX);
}

static unsigned many_asked(struct scene *scene, char letter)
{
    unsigned asked = 0;
    for (unsigned i = 0; i < UPSTREAMS_MAX * SERVERS_MAX; i++) {
        char name[TEXT_MAX];
        snprintf(name, sizeof name, "%c%u-%u.test", letter, i / SERVERS_MAX, i % SERVERS_MAX);
        asked += dns_script_asked(scene->dns, name);
    }
    return asked;
}

static void many_questions_are_put_in_turns(void **state)
{
    struct scene *scene = *state;
    scene->settings.retry_ms = 60 * 1000;
    start(scene);
    follow_many(scene, 'n');
    usleep(50 * 1000);
    assert_in_range(many_asked(scene, 'n'), 1, DNS_CHANNEL_BURST); /* the loop has not turned yet */
    TURN_UNTIL(scene, many_asked(scene, 'n') == UPSTREAMS_MAX * SERVERS_MAX);
    turn_for(scene, 3 * DNS_CHANNEL_PACE_MS);
    assert_int_equal(many_asked(scene, 'n'), UPSTREAMS_MAX * SERVERS_MAX);
    follow_many(scene, 'm');
    follow(scene, NULL, 0); /* those that wait their turn are put no more */
    turn_for(scene, 5 * DNS_CHANNEL_PACE_MS);
    assert_in_range(many_asked(scene, 'm'), 0, DNS_CHANNEL_BURST);
    follow_many(scene, 'o');
    resolver_free(&scene->resolver);
    assert_in_range(many_asked(scene, 'o'), 0, DNS_CHANNEL_BURST);
}

static void hosts_file_answers_first(void **state)
{
    struct scene *scene = *state;
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    write_file(scene->hosts, "# 192.0.2.9 web.test\n"
                             "not-an-address web.test\n"
                             "10.1.1.2\tother Web.Test # web2.test\r\n"
                             "  10.1.1.1 web.test\n"
                             "2001:db8::7 web.test");
    start(scene);
    FOLLOW(scene, "api=WEB.test:80", "dot=web.test.:81", "dns=web2.test:82");
    assert_string_equal(text_of(scene, "api"), "10.1.1.1:80 10.1.1.2:80 [2001:db8::7]:80");
    assert_string_equal(text_of(scene, "dot"), "10.1.1.1:81 10.1.1.2:81 [2001:db8::7]:81");
    TURN_UNTIL(scene, dns_script_asked(scene->dns, "web2.test") > 0);
    assert_int_equal(dns_script_asked(scene->dns, "web.test"), 0);
    write_file(scene->hosts, "10.1.1.3 web.test\n");
    TURN_UNTIL_TEXT(scene, "api", "10.1.1.3:80");
    TURN_UNTIL_TEXT(scene, "dot", "10.1.1.3:81");
    unlink(scene->hosts);
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.1:80");
    write_file(scene->hosts, "10.1.1.4 web.test\n");
    TURN_UNTIL_TEXT(scene, "api", "10.1.1.4:80");
}

static void localhost_is_answered_here(void **state)
{
    struct scene *scene = *state;
    start(scene);
    FOLLOW(scene, "api=localhost:80", "sub=app.LOCALHOST:81");
    assert_string_equal(text_of(scene, "api"), "127.0.0.1:80 [::1]:80");
    assert_string_equal(text_of(scene, "sub"), "127.0.0.1:81 [::1]:81");
    write_file(scene->hosts, "127.0.0.1 localhost\n");
    TURN_UNTIL_TEXT(scene, "api", "127.0.0.1:80");
    assert_int_equal(dns_script_asked(scene->dns, "localhost"), 0);
}

static void resolv_conf_is_read_again(void **state)
{
    struct scene *scene = *state;
    scene->settings.query_timeout_ms = 2000;
    write_file(scene->resolv, "nameserver 127.0.0.1\nsearch one.test\n");
    dns_script_set(scene->dns, "web.one.test", DNS_ADDRESSES, "192.0.2.1");
    dns_script_set(scene->dns, "web.second.test", DNS_ADDRESSES, "192.0.2.2");
    dns_script_set(scene->dns, "slow.one.test", DNS_SILENCE, "");
    dns_script_set(scene->dns, "slow.second.test", DNS_ADDRESSES, "192.0.2.3");
    start(scene);
    FOLLOW(scene, "api=web:80", "slow=slow:81");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.1:80");
    write_file(scene->resolv, "nameserver 127.0.0.1\nsearch second.test\n");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.2:80");
    TURN_UNTIL_TEXT(scene, "slow", "192.0.2.3:81"); /* was under way */
    assert_int_equal(logged(scene, " warn "), 0);
}

static void follows_a_changed_configuration(void **state)
{
    struct scene *scene = *state;
    scene->settings.ttl_max_ms = 50;
    dns_script_set(scene->dns, "one.test", DNS_ADDRESSES, "192.0.2.1");
    dns_script_set(scene->dns, "two.test", DNS_ADDRESSES, "192.0.2.2");
    dns_script_set(scene->dns, "three.test", DNS_ADDRESSES, "192.0.2.3");
    start(scene);
    FOLLOW(scene, "stays=one.test:80", "goes=two.test:80");
    TURN_UNTIL_TEXT(scene, "stays", "192.0.2.1:80");
    TURN_UNTIL_TEXT(scene, "goes", "192.0.2.2:80");
    FOLLOW(scene, "comes=three.test:80 10.0.0.1:9", "stays=one.test:80");
    assert_string_equal(text_of(scene, "comes"), "10.0.0.1:9");
    assert_int_equal(seen_of(scene, "stays")->times, 2);
    TURN_UNTIL_TEXT(scene, "comes", "192.0.2.3:80 10.0.0.1:9");
    unsigned two = dns_script_asked(scene->dns, "two.test"), one = dns_script_asked(scene->dns, "one.test");
    TURN_UNTIL(scene, dns_script_asked(scene->dns, "one.test") >= one + 3);
    assert_int_equal(dns_script_asked(scene->dns, "two.test"), two);
    FOLLOW(scene, "stays=one.test:81");
    assert_string_equal(text_of(scene, "stays"), "192.0.2.1:81");
    follow(scene, NULL, 0);
    one = dns_script_asked(scene->dns, "one.test");
    turn_for(scene, 150);
    assert_in_range(dns_script_asked(scene->dns, "one.test"), one, one + 1);
}

static void changed_servers_keep_addresses_until_answered(void **state)
{
    struct scene *scene = *state;
    scene->settings.query_timeout_ms = 300;
    dns_script_set(scene->dns, "one.test", DNS_ADDRESSES, "192.0.2.1");
    dns_script_set(scene->dns, "slow.test", DNS_SILENCE, "");
    start(scene);
    FOLLOW(scene, "api=one.test:80");
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.1:80");
    FOLLOW(scene, "api=slow.test:80");
    turn_for(scene, 100);
    assert_string_equal(text_of(scene, "api"), "192.0.2.1:80");
    dns_script_set(scene->dns, "slow.test", DNS_ADDRESSES, "192.0.2.2"); /* for the second try */
    TURN_UNTIL_TEXT(scene, "api", "192.0.2.2:80");
    assert_int_equal(seen_of(scene, "api")->times, 3);
    FOLLOW(scene, "api=nowhere.test:80");
    assert_string_equal(text_of(scene, "api"), "192.0.2.2:80");
    TURN_UNTIL_TEXT(scene, "api", "");
}

static void frees_with_questions_under_way(void **state)
{
    struct scene *scene = *state;
    scene->settings.query_timeout_ms = 2000;
    dns_script_set(scene->dns, "slow.test", DNS_SILENCE, "");
    dns_script_set(scene->dns, "web.test", DNS_ADDRESSES, "192.0.2.1");
    for (int turns = 0; turns < 12; turns++) {
        dns_script_truncate(scene->dns, turns % 2);
        start(scene);
        FOLLOW(scene, "slow=slow.test:80", "api=web.test:80 nowhere.test:1", "same=slow.test:81");
        for (int i = 0; i < turns; i++)
            turn(scene);
        if (turns % 3 == 0)
            follow(scene, NULL, 0);
        resolver_free(&scene->resolver);
        assert_null(scene->resolver);
    }
    resolver_free(&scene->resolver);
    assert_int_equal(event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
                     0);
}

/* --- configurations that may be followed --- */

static void on_tried(void *arg)
{
    ++*(unsigned *)arg;
}

/* The trial of a configuration, and what came of it. */
struct attempt {
    struct written written;
    unsigned ended;
    char report[2048];
};

static void begin_attempt(struct scene *scene, struct attempt *attempt, const char *upstream, uint32_t ms)
{
    struct name_trial_terms terms = {.patience_ms = ms, .ended = on_tried, .arg = &attempt->ended};
    attempt->ended = 0;
    write_config(&attempt->written, &upstream, 1);
    for (unsigned i = 0; i < attempt->written.parsed[0].server_count; i++)
        attempt->written.servers[0][i].origin =
            (struct config_origin){.file = "portico.yaml", .line = 7 + i, .column = 3};
    resolver_try(scene->resolver, &attempt->written.config, &terms);
    assert_int_equal(attempt->ended, 0); /* only from the loop */
}

static const char *report_of(const struct scene *scene, struct attempt *attempt)
{
    struct config_findings findings;
    size_t len = 0;
    config_findings_init(&findings);
    resolver_report(scene->resolver, &findings);
    attempt->report[0] = '\0';
    for (const struct config_finding *each = findings.first; each; each = each->next)
        len += (size_t)snprintf(attempt->report + len, sizeof attempt->report - len, "%u: %.*s\n",
                                each->origin.line, SLICE_ARGS(each->text));
    config_findings_fini(&findings);
    return attempt->report;
}

static void new_names_are_known_when_a_trial_ends(void **state)
{
    struct scene *scene = *state;
    struct attempt attempt;
    dns_script_set(scene->dns, "new.test", DNS_ADDRESSES, "192.0.2.1");
    start(scene);
    FOLLOW(scene, "api=10.0.0.1:80");
    begin_attempt(scene, &attempt, "api=new.test:80 10.0.0.2:80 unix:/run/app.sock", PATIENCE_MS);
    TURN_UNTIL(scene, attempt.ended == 1);
    assert_string_equal(report_of(scene, &attempt), "");
    assert_string_equal(text_of(scene, "api"), "10.0.0.1:80"); /* until it is followed */
    resolver_follow(scene->resolver, &attempt.written.config);
    assert_string_equal(text_of(scene, "api"), "192.0.2.1:80 10.0.0.2:80 unix:/run/app.sock");
    turn_for(scene, 100);
    assert_int_equal(attempt.ended, 1);
    assert_int_equal(dns_script_asked(scene->dns, "new.test"), 1);
}

static void followed_names_are_not_waited_for(void **state)
{
    struct scene *scene = *state;
    struct attempt attempt;
    scene->settings.query_timeout_ms = 2000;
    dns_script_set(scene->dns, "slow.test", DNS_SILENCE, "");
    start(scene);
    FOLLOW(scene, "api=gone.test:80 slow.test:80");
    TURN_UNTIL(scene, logged(scene, "gone.test:80 does not resolve") == 1);
    long begun_ms = now_ms();
    begin_attempt(scene, &attempt, "web=GONE.test:81 slow.test:81 [::1]:1", PATIENCE_MS);
    TURN_UNTIL(scene, attempt.ended == 1);
    assert_in_range(now_ms() - begun_ms, 0, 500);
    assert_string_equal(report_of(scene, &attempt), "");
    resolver_follow(scene->resolver, &attempt.written.config);
    assert_int_equal(logged(scene, "upstream web: server GONE.test:81 does not resolve: NXDOMAIN"), 1);
}

static void every_name_without_address_is_reported(void **state)
{
    struct scene *scene = *state;
    struct attempt attempt;
    char expected[2048];
    dns_script_set(scene->dns, "empty.test", DNS_ADDRESSES, "");
    dns_script_set(scene->dns, "good.test", DNS_ADDRESSES, "192.0.2.1");
    dns_script_set(scene->dns, "ill.test", DNS_SERVFAIL, "");
    dns_script_set(scene->dns, "slow.test", DNS_SILENCE, "");
    start(scene);
    begin_attempt(scene, &attempt,
                  "api=gone.test:1 empty.test:1 good.test:1 ill.test:1 slow.test:1 gone.test:2", PATIENCE_MS);
    TURN_UNTIL(scene, attempt.ended == 1);
    size_t len = 0;
    for (unsigned i = 0; i < 6; i++) {
        static const char *const servers[] = {"gone.test:1", "empty.test:1", NULL,
                                              "ill.test:1",  "slow.test:1",  "gone.test:2"};
        static const char *const why[] = {"NXDOMAIN, there is no such name",
                                          "the name has no address",
                                          NULL,
                                          "the name servers fail or cannot be reached",
                                          "no answer",
                                          "NXDOMAIN, there is no such name"};
        if (servers[i])
            len +=
                (size_t)snprintf(expected + len, sizeof expected - len,
                                 "%u: upstream api: server %s does not resolve: %s (asked %s); correct the "
                                 "name, or reload when it resolves\n",
                                 7 + i, servers[i], why[i], dns_script_servers(scene->dns));
    }
    assert_string_equal(report_of(scene, &attempt), expected);
    assert_int_equal(logged(scene, "does not resolve"), 0); /* whoever tries says it, once */
    resolver_let_go(scene->resolver);
}

static void patience_has_an_end(void **state)
{
    struct scene *scene = *state;
    struct attempt attempt;
    scene->settings.query_timeout_ms = 5000;
    dns_script_set(scene->dns, "slow.test", DNS_SILENCE, "");
    start(scene);
    long begun_ms = now_ms();
    begin_attempt(scene, &attempt, "api=slow.test:1", 300);
    TURN_UNTIL(scene, attempt.ended == 1);
    assert_in_range(now_ms() - begun_ms, 290, 1500);
    assert_non_null(strstr(report_of(scene, &attempt), "slow.test:1 does not resolve: no answer (asked "));
    dns_script_set(scene->dns, "slow.test", DNS_ADDRESSES, "192.0.2.1");
    turn_for(scene, 100);
    assert_int_equal(attempt.ended, 1);
}

static void what_is_let_go_is_asked_no_more(void **state)
{
    struct scene *scene = *state;
    struct attempt attempt;
    dns_script_set(scene->dns, "slow.test", DNS_SILENCE, "");
    start(scene);
    follow(scene, NULL, 0);
    turn_for(scene, 20);
    begin_attempt(scene, &attempt, "api=gone.test:1 slow.test:1", PATIENCE_MS);
    turn_for(scene, 50);
    resolver_let_go(scene->resolver);
    /* c-ares gives up what it has asked, and nothing is asked again. */
    TURN_UNTIL(scene, event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ADDED) == 0);
    unsigned gone = dns_script_asked(scene->dns, "gone.test"),
             slow = dns_script_asked(scene->dns, "slow.test");
    turn_for(scene, 300); /* three times retry_ms */
    assert_int_equal(dns_script_asked(scene->dns, "gone.test"), gone);
    assert_int_equal(dns_script_asked(scene->dns, "slow.test"), slow);
    assert_int_equal(attempt.ended, 0);
    dns_script_set(scene->dns, "gone.test", DNS_ADDRESSES, "192.0.2.1");
    begin_attempt(scene, &attempt, "api=gone.test:1", PATIENCE_MS); /* as new as before */
    TURN_UNTIL(scene, attempt.ended == 1);
    assert_string_equal(report_of(scene, &attempt), "");
}

static void frees_with_a_trial_under_way(void **state)
{
    struct scene *scene = *state;
    struct attempt attempt;
    scene->settings.query_timeout_ms = 2000;
    dns_script_set(scene->dns, "slow.test", DNS_SILENCE, "");
    for (int turns = 0; turns < 6; turns++) {
        start(scene);
        begin_attempt(scene, &attempt, "api=slow.test:80 nowhere.test:1", turns % 2 ? 1 : PATIENCE_MS);
        turn_for(scene, turns);
        resolver_free(&scene->resolver);
    }
    assert_int_equal(event_base_get_num_events(scene->base, EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
                     0);
}

static void nobody_answers_there(void **state)
{
    struct scene *scene = *state;
    scene->settings.servers = "127.0.0.1:1";
    start(scene);
    FOLLOW(scene, "api=web.test:80 10.0.0.1:81");
    TURN_UNTIL(scene, logged(scene, "upstream api: server web.test:80 does not resolve") == 1);
    turn_for(scene, 250);
    assert_int_equal(logged(scene, " warn "), 1);
    assert_string_equal(text_of(scene, "api"), "10.0.0.1:81");
}

static void refuses_servers_that_are_none(void **state)
{
    struct scene *scene = *state;
    scene->settings.servers = "not an address";
    assert_null(resolver_new(scene->base, &scene->settings));
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(first_publishes_what_is_known),
        SCENE_TEST(long_ttl_is_cut),
        SCENE_TEST(short_ttl_is_stretched),
        SCENE_TEST(ttl_within_bounds_is_kept),
        SCENE_TEST(shuffled_answers_publish_nothing),
        SCENE_TEST(failure_keeps_the_last_addresses),
        SCENE_TEST(failure_is_retried_after_a_while),
        SCENE_TEST(unknown_name_leaves_others_alone),
        SCENE_TEST(hurry_asks_at_once_but_not_always),
        SCENE_TEST(hurry_waits_for_a_question_under_way),
        SCENE_TEST(cut_answers_are_asked_by_tcp),
        SCENE_TEST(many_questions_are_put_in_turns),
        SCENE_TEST(hosts_file_answers_first),
        SCENE_TEST(localhost_is_answered_here),
        SCENE_TEST(resolv_conf_is_read_again),
        SCENE_TEST(follows_a_changed_configuration),
        SCENE_TEST(changed_servers_keep_addresses_until_answered),
        SCENE_TEST(frees_with_questions_under_way),
        SCENE_TEST(new_names_are_known_when_a_trial_ends),
        SCENE_TEST(followed_names_are_not_waited_for),
        SCENE_TEST(every_name_without_address_is_reported),
        SCENE_TEST(patience_has_an_end),
        SCENE_TEST(what_is_let_go_is_asked_no_more),
        SCENE_TEST(frees_with_a_trial_under_way),
        SCENE_TEST(nobody_answers_there),
        SCENE_TEST(refuses_servers_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
