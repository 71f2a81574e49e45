/*
 * config_load: every rule that holds between keys, with the exact place and words of its error; the values
 * that come out; inheritance, secrets and includes.
 */
#include "said.h"

#include "config/yaml_tree.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN    "listen: [':80']\n"
#define UPSTREAMS "upstreams: {app: 'a:1'}\n"
#define SITES     "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app}]}]\n"

static struct config *load(const char *text)
{
    const struct said_case row = {text, ""};
    struct config *config = said_load(&row);
    assert_non_null(config);
    return config;
}

static void assert_slice(struct slice slice, const char *expected)
{
    if (!slice_equal(slice, slice_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARGS(slice), expected);
}

static void whole_file(void **state)
{
    (void)state;
    struct config *config =
        load("process: {threads: 2, shutdown_timeout: 1m}\n"
             "log: {access: off, format: combined, level: debug}\n"
             "client: {fields_max: 50}\n"
             "listen:\n  - \":80\"\n  - {address: \"[::1]:8080\"}\n"
             "trusted_proxies: [10.0.0.0/8, \"::1\"]\n"
             "upstreams:\n"
             "  app: \"127.0.0.1:3000\"\n"
             "  api: {servers: [\"my_api:8000\", \"[::1]:8001\", \"unix:/run/x.sock\"], head_max: 60KiB,\n"
             "    protocol: h2, tls: {ca: /ca.pem, server_name: api.test},\n"
             "    connections_max: 48, queue: {length: 7, timeout: 3s}}\n"
             "sites:\n"
             "  - hosts: [Example.COM, \"*.example.com\"]\n"
             "    routes:\n"
             "      - {path: /caf%C3%A9, upstream: api}\n"
             "      - {regex: '^/u/(?<id>[0-9]+)$', upstream: api}\n"
             "      - {prefix: /, upstream: app}\n");
    assert_int_equal(config->process.threads, 2);
    assert_int_equal(config->process.shutdown_timeout_us, 60000000);
    assert_slice(config->log.access, "off");
    assert_int_equal(config->log.format, CONFIG_LOG_COMBINED);
    assert_int_equal(config->client.fields_max, 50);
    assert_int_equal(config->client.head_timeout_us, 10000000);
    assert_int_equal(config->listener_count, 2);
    assert_int_equal(config->listeners[0].name.port, 80);
    assert_slice(config->listeners[1].name.host, "::1");
    assert_int_equal(config->trusted_proxy_count, 2);
    assert_int_equal(config->trusted_proxies[0].bits, 104);
    assert_int_equal(config->upstream_count, 2);
    assert_slice(config->upstreams[0].servers[0].text, "127.0.0.1:3000");
    assert_int_equal(config->upstreams[1].server_count, 3);
    assert_true(config->upstreams[1].servers[2].name.is_unix);
    assert_int_equal(config->upstreams[1].head_max, 60 << 10);
    assert_int_equal(config->upstreams[0].protocol, CONFIG_PROTOCOL_H1);
    assert_int_equal(config->upstreams[1].protocol, CONFIG_PROTOCOL_H2);
    assert_false(config->upstreams[0].tls.on);
    assert_true(config->upstreams[1].tls.on && config->upstreams[1].tls.verify);
    assert_slice(config->upstreams[1].tls.ca.text, "/ca.pem");
    assert_slice(config->upstreams[1].tls.server_name.text, "api.test");
    const struct config_site *site = config->sites;
    assert_slice(site->hosts[0].name, "example.com");
    assert_int_equal(site->route_count, 3);
    assert_int_equal(site->routes[0].match, CONFIG_MATCH_EXACT);
    assert_slice(site->routes[0].pattern, "/caf\xc3\xa9");
    assert_int_equal(site->routes[1].match, CONFIG_MATCH_REGEX);
    assert_slice(site->routes[1].pattern, "^/u/(?<id>[0-9]+)$");
    assert_ptr_equal(site->routes[1].upstream, &config->upstreams[1]);
    assert_int_equal(site->routes[2].index, 2);
    assert_ptr_equal(site->routes[2].site, site);
    assert_int_equal(site->routes[2].origin.line, 18);
    assert_int_equal(config->upstreams[0].connections_max, 0);
    assert_int_equal(config->upstreams[1].connections_max, 48);
    assert_int_equal(config->upstreams[1].queue.length, 7);
    assert_int_equal(config->upstreams[1].queue.timeout_us, 3000000);
    assert_int_equal(config->upstreams[0].queue.timeout_us, 10000000);
    config_free(&config);
    assert_null(config);
}

static void inheritance(void **state)
{
    (void)state;
    struct config *config = load(LISTEN UPSTREAMS "sites:\n"
                                                  "  - hosts: [a.com]\n"
                                                  "    idle_timeout: 2m\n"
                                                  "    max_body: 2MiB\n"
                                                  "    routes:\n"
                                                  "      - {prefix: /a, upstream: app, max_body: 3MiB}\n"
                                                  "      - {prefix: /, upstream: app}\n"
                                                  "  - hosts: [b.com]\n"
                                                  "    routes: [{prefix: /, upstream: app}]\n"
                                                  "defaults: {max_body: 1MiB, first_byte_timeout: 9s}\n");
    const struct config_route *a = &config->sites[0].routes[0], *b = a + 1, *c = config->sites[1].routes;
    assert_int_equal(a->scope.max_body, 3 << 20);
    assert_int_equal(b->scope.max_body, 2 << 20);
    assert_int_equal(c->scope.max_body, 1 << 20);
    assert_int_equal(a->scope.idle_timeout_us, 120000000);
    assert_int_equal(c->scope.idle_timeout_us, 3600000000);
    assert_int_equal(a->scope.first_byte_timeout_us, 9000000);
    assert_int_equal(config_setting_origin(a->scope.origins, "route", "max_body").line, 8);
    assert_int_equal(config_setting_origin(b->scope.origins, "route", "max_body").line, 6);
    assert_int_equal(config_setting_origin(c->scope.origins, "route", "max_body").line, 12);
    assert_int_equal(config_setting_origin(c->scope.origins, "route", "max_body").column, 22);
    assert_string_equal(config_setting_origin(c->scope.origins, "route", "max_body").file, "t.yaml");
    assert_int_equal(config_setting_origin(c->scope.origins, "route", "idle_timeout").line, 0);
    assert_int_equal(config_setting_origin(c->scope.origins, "route", "nothing").line, 0);
    assert_int_equal(config_setting_origin(config->process.origins, "process", "threads").line, 0);
    config_free(&config);
}

static void top_level(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {"process: {}\n", "1:1: nothing to listen on; add listen: with at least one address\n"
                          "1:1: nothing to serve; add sites: with at least one site\n"},
        {"listen: []\nsites: []\n", "1:1: nothing to listen on; add listen: with at least one address\n"
                                    "1:1: nothing to serve; add sites: with at least one site\n"},
        {LISTEN "upstreams: {app: 'a:1', old: 'b:1'}\n" SITES,
         "2:25: warning: no route uses the upstream \"old\"\n"},
        {LISTEN "listen: [':81', ':82']\n" UPSTREAMS SITES "sites: []\n",
         "2:1: duplicate key \"listen\"; it is already written in line 1\n"
         "5:1: duplicate key \"sites\"; it is already written in line 4\n"},
        {LISTEN UPSTREAMS SITES "include: x.yaml\n", "4:10: include works only in a file\n"},
        {LISTEN UPSTREAMS SITES "include: {a: b}\n",
         "4:10: expected a file or a list of files, found a mapping\n"},
        {LISTEN UPSTREAMS SITES "include: [[a]]\n", "4:11: expected a file, found a list\n"},
        {LISTEN UPSTREAMS SITES "trusted_proxies: [10.0.0.1/8, x, [y], 10.0.0.0/33]\n",
         "4:19: \"10.0.0.1/8\" has bits behind its mask; the network is 10.0.0.0/8\n"
         "4:31: expected a network, as 10.0.0.0/8, found \"x\"\n"
         "4:34: expected a network, as 10.0.0.0/8, found a list\n"
         "4:39: expected a network, as 10.0.0.0/8, found \"10.0.0.0/33\"\n"},
        {LISTEN UPSTREAMS SITES "trusted_proxies: ['2001:db8::1/32']\n",
         "4:19: \"2001:db8::1/32\" has bits behind its mask; the network is 2001:db8::/32\n"},
        {LISTEN UPSTREAMS SITES "trusted_proxies: 10.0.0.0/8\n",
         "4:18: expected a list of networks, found \"10.0.0.0/8\"\n"},
        {LISTEN SITES "upstreams: {app: {servers: ['a:1'], protocol: h2c, tls: true}}\n",
         "3:57: h2c is HTTP/2 in clear; with TLS it is protocol: h2\n"},
        {LISTEN SITES "upstreams: {app: {servers: ['a:1'], protocol: h2, tls: false}}\n",
         "3:56: h2 is HTTP/2 over TLS; in clear it is protocol: h2c\n"},
        {LISTEN SITES "upstreams: {app: {servers: ['a:1'], tls: {server_name: 'a b:443'}}}\n",
         "3:56: \"a b:443\": not a host name or an address\n"},
        {LISTEN SITES "upstreams: {app: {servers: ['a:1'], tls: {server_name: ''}}}\n",
         "3:56: expected a host, found \"\"\n"},
        {LISTEN SITES "upstreams: {app: {servers: ['a:1'], queue: {length: 5}}}\n",
         "3:44: warning: without connections_max nothing ever waits in the queue\n"},
        {LISTEN SITES "upstreams: {app: {servers: ['a:1'], connections_max: 4, queue: {length: 0}}}\n",
         "3:73: 0 is out of range; length may be 1 to 1000000\n"},
        {LISTEN SITES "upstreams: {app: {servers: ['a:1'], connections_max: 4, queue: 5}}\n",
         "3:64: expected a mapping, as { length: 100, timeout: 10s }, found \"5\"\n"},
    };
    SAID_ALL(rows);
}

static void listeners(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {"listen: [':80', '0.0.0.0:80', '127.0.0.1:80', '127.0.0.1:80', 'unix:/a', 'unix:/a', "
         "':81']\n" UPSTREAMS SITES,
         "1:17: this address is already listened on by line 1\n"
         "1:47: this address is already listened on by line 1\n"
         "1:74: this address is already listened on by line 1\n"},
        {"listen: ['[::1]:80', '[0::1]:80', '[::]:80', ':80']\n" UPSTREAMS SITES,
         "1:22: this address is already listened on by line 1\n"
         "1:46: this address is already listened on by line 1\n"},
        {"listen: ['localhost:80']\n" UPSTREAMS SITES,
         "1:10: \"localhost:80\" is not an IP address and port; write \"127.0.0.1:80\" or \":80\"\n"},
        {"listen: [80, ':0', ':65536', 'http://:80', 'unix:', {}, [':80']]\n" UPSTREAMS SITES,
         "1:10: \"80\" is no address; write host:port, as \"127.0.0.1:3000\", or unix:/path\n"
         "1:14: \":0\" is no address; write host:port, as \"127.0.0.1:3000\", or unix:/path\n"
         "1:20: \":65536\" is no address; write host:port, as \"127.0.0.1:3000\", or unix:/path\n"
         "1:30: \"http://:80\" is no address; write it without scheme, as \"app:3000\"\n"
         "1:44: \"unix:\" is no address; write host:port, as \"127.0.0.1:3000\", or unix:/path\n"
         "1:53: missing key \"address\" in a listener\n"
         "1:57: expected an address, as \"127.0.0.1:3000\", found a list\n"},
        {"listen: "
         "['unix:/"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxx']\n" UPSTREAMS SITES,
         "1:10: the path of a Unix socket may have 107 bytes, this one has 111\n"},
    };
    SAID_ALL(rows);
}

/* Listeners, certificates and sites must agree about TLS. */
static void tls(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {"listen: [{address: ':443', tls: true}]\n" UPSTREAMS SITES,
         "1:20: a listener with tls: true needs tls.certificates\n"},
        {"listen: [{address: ':443', tls: true, redirect: https}]\n"
         "tls: {certificates: [{chain: a, key: b}]}\n" UPSTREAMS SITES,
         "1:20: a listener with tls: true cannot redirect to https\n"},
        {"listen: [{address: ':80', redirect: http}]\n" UPSTREAMS SITES,
         "1:37: unknown redirect \"http\"; did you mean \"https\"?\n"},
        {"listen: [{address: ':80', proxy_protocol: true}, {address: 'unix:/a', proxy_protocol: "
         "true}]\n" UPSTREAMS SITES,
         "1:20: proxy_protocol needs trusted_proxies: without one, nobody may connect\n"},
        {"listen: [':80']\n"
         "tls: {certificates: [{chain: a, key: b}], min_version: 1.1}\n" UPSTREAMS SITES,
         "2:56: unknown min_version \"1.1\"; did you mean \"1.2\"?\n"},
        {"listen: [{address: ':443', tls: true}]\n"
         "tls: {certificates: [{chain: a}, b, {chain: [], key: {}}]}\n" UPSTREAMS SITES,
         "2:22: missing key \"key\" in a certificate\n"
         "2:34: expected a mapping, as { chain: fullchain.pem, key: privkey.pem }, found \"b\"\n"
         "2:45: expected a file, found a list\n"
         "2:54: expected a file, found a mapping\n"},
        {"listen: [':80']\n" UPSTREAMS "sites: [{hosts: ['*'], client_certificates: {ca: a, verify: maybe}, "
         "routes: [{prefix: /, upstream: app}]}]\n",
         "3:61: unknown verify \"maybe\"; known are: require optional\n"},
        {"listen: [':80']\n" UPSTREAMS
         "sites: [{hosts: ['*'], client_certificates: {ca: a}, routes: [{prefix: /, upstream: app}]}]\n",
         "3:50: client_certificates needs a listener with tls: true\n"},
    };
    SAID_ALL(rows);
}

static void too_many_listeners(void **state)
{
    (void)state;
    char text[2048];
    int used = sprintf(text, UPSTREAMS SITES "listen: [");
    for (int i = 0; i < 65; i++)
        used += sprintf(text + used, "':%d',", 1000 + i);
    sprintf(text + used, "]\n");
    const struct said_case row = {text, "3:9: more than 64 listeners\n"};
    said_all(&row, 1);
}

static void upstreams(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {LISTEN SITES "upstreams: {app: {servers: []}}\n", "3:28: an upstream needs at least one server\n"},
        {LISTEN SITES "upstreams: {app: {}}\n", "3:18: missing key \"servers\" in an upstream\n"},
        {LISTEN SITES "upstreams: {app: [a]}\n", "3:18: expected a mapping or an address, found a list\n"},
        {LISTEN SITES "upstreams:\n  app:\n", "4:7: expected a mapping or an address, found nothing\n"},
        {LISTEN SITES "upstreams: {app: {servers: 'a:1'}}\n",
         "3:28: expected a list of addresses, found \"a:1\"\n"},
        {LISTEN SITES "upstreams: {app: 'a:1', 'b c': 'a:1'}\n",
         "3:25: a name is made of letters, digits, '-', '_' and '.'\n"},
        {LISTEN SITES "upstreams: {app: 'a:1', '': 'a:1'}\n", "3:25: a name has 1 to 64 characters\n"},
        {LISTEN SITES
         "upstreams: {app: {servers: [a, ':80', 'http://a:1', '1.2.3.4.5:1', 'a..b:1', '-a:1', 'ok:1']}}\n",
         "3:29: \"a\" is no address; write host:port, as \"127.0.0.1:3000\", or unix:/path\n"
         "3:32: \":80\": a server needs a host, as \"127.0.0.1:3000\"\n"
         "3:39: \"http://a:1\" is no address; write it without scheme, as \"app:3000\"\n"
         "3:53: \"1.2.3.4.5:1\": not a host name or an address\n"
         "3:68: \"a..b:1\": not a host name or an address\n"
         "3:78: \"-a:1\": not a host name or an address\n"},
        {LISTEN SITES "upstreams: {app: 'a:1', app: 'b:1'}\n",
         "3:25: duplicate key \"app\"; it is already written in line 3\n"},
        {LISTEN SITES "upstreams: {app: {servers: ['a:1'], head_max: 61KiB, connect_timeout: 0}}\n",
         "3:47: 61KiB is out of range; head_max may be 512B to 60KiB\n"
         "3:71: 0 is out of range; connect_timeout may be 1ms to 1h\n"},
        {LISTEN "upstreams: {streaming: 'a:1', api: 'a:1'}\n"
                "sites: [{hosts: ['*'], routes: [{prefix: /a, upstream: streeming}, {prefix: /, upstream: "
                "nothing}]}]\n",
         "3:56: no upstream is called \"streeming\"; did you mean \"streaming\"?\n"
         "3:90: no upstream is called \"nothing\"\n"},
    };
    SAID_ALL(rows);
}

#define HOST(h) LISTEN UPSTREAMS "sites: [{hosts: [" h "], routes: [{prefix: /, upstream: app}]}]\n"

static void hosts(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {HOST("'*', a, a.b, A-1.example.com, '*.x.y', 10.0.0.1, '[::1]', xn--bcher-kva.example"), ""},
        {HOST("'a:80'"), "3:18: \"a:80\": a host is written without port (listen has the ports)\n"},
        {HOST("'https://a.com'"),
         "3:18: \"https://a.com\": a host is written without scheme and path, as example.com\n"},
        {HOST("a.com/x"), "3:18: \"a.com/x\": a host is written without scheme and path, as example.com\n"},
        {HOST("a.com."), "3:18: \"a.com.\": a host is written without the dot at its end\n"},
        {HOST("'*a.com'"),
         "3:18: \"*a.com\": \"*\" stands alone or for the first labels, as *.example.com\n"},
        {HOST("'a.*'"), "3:18: \"a.*\": \"*\" stands alone or for the first labels, as *.example.com\n"},
        {HOST("'*.'"), "3:18: \"*.\": \"*\" stands alone or for the first labels, as *.example.com\n"},
        {HOST("''"), "3:18: expected a host, found \"\"\n"},
        {HOST("[a]"), "3:18: expected a host, found a list\n"},
        {HOST("'a b'"), "3:18: \"a b\": not a host name\n"},
        {HOST("a..b"), "3:18: \"a..b\": not a host name\n"},
        {HOST("-a"), "3:18: \"-a\": not a host name\n"},
        {HOST("a-.b"), "3:18: \"a-.b\": not a host name\n"},
        {HOST("1.2.3"), "3:18: \"1.2.3\": not an IPv4 address\n"},
        {HOST("999.1.1.1"), "3:18: \"999.1.1.1\": not an IPv4 address\n"},
        {HOST("b\xc3\xbc"
              "cher.example"),
         "3:18: \"b\xc3\xbc"
         "cher.example\": a host is written in ASCII, as browsers send it (xn--...)\n"},
        {HOST("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.a"),
         "3:18: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": not a host name\n"},
        {HOST(""), "3:17: a site needs at least one host; \"*\" stands for any\n"},
        {LISTEN UPSTREAMS "sites: [{hosts: a, routes: [{prefix: /, upstream: app}]}, {routes: []}, 7]\n",
         "3:17: expected a list of hosts, found \"a\"\n"
         "3:59: missing key \"hosts\" in a site\n"
         "3:68: a site needs at least one route\n"
         "3:73: expected a mapping with hosts and routes, found \"7\"\n"},
    };
    SAID_ALL(rows);
}

#define ROUTE(r) LISTEN UPSTREAMS "sites: [{hosts: ['*'], routes: [{upstream: app, " r "}]}]\n"

static void routes(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {ROUTE("path: /"), ""},
        {ROUTE("prefix: '/a b%20c/'"), ""},
        {ROUTE("path: '/a%3Fb%23'"), ""},
        {ROUTE("prefix: '/a.b/..c/.../x'"), ""},
        {ROUTE("idle_timeout: 1h"), "3:33: a route needs one of prefix, path and regex\n"},
        {ROUTE("prefx: /"), "3:49: unknown key \"prefx\" in a route; did you mean \"prefix\"?\n"},
        {ROUTE("prefix: /, path: /"), "3:60: a route has one of prefix, path and regex, not two\n"},
        {ROUTE("prefix: api"), "3:57: \"api\": a path begins with \"/\"\n"},
        {ROUTE("path: ''"), "3:55: expected a path or an expression, found \"\"\n"},
        {ROUTE("regex: [a]"), "3:56: expected a path or an expression, found a list\n"},
        {ROUTE("prefix: '/a?b'"),
         "3:57: \"/a?b\": a path holds no \"?\" or \"#\"; routes do not compare the query\n"},
        {ROUTE("prefix: '/a#b'"),
         "3:57: \"/a#b\": a path holds no \"?\" or \"#\"; routes do not compare the query\n"},
        {ROUTE("prefix: /a/../b"),
         "3:57: \"/a/../b\": a path must not hold \".\" or \"..\" segments; they are resolved "
         "before routes are compared\n"},
        {ROUTE("prefix: /a/."),
         "3:57: \"/a/.\": a path must not hold \".\" or \"..\" segments; they are resolved before "
         "routes are compared\n"},
        {ROUTE("prefix: '/%2e%2E/b'"),
         "3:57: \"/%2e%2E/b\": a path must not hold \".\" or \"..\" segments; they are "
         "resolved before routes are compared\n"},
        {ROUTE("prefix: /a%2Fb"),
         "3:57: \"/a%2Fb\": a path must not hold a backslash or an encoded slash; requests with "
         "them are refused\n"},
        {ROUTE("prefix: /a%5cb"),
         "3:57: \"/a%5cb\": a path must not hold a backslash or an encoded slash; requests with "
         "them are refused\n"},
        {ROUTE("prefix: '/a\\b'"),
         "3:57: \"/a\\b\": a path must not hold a backslash or an encoded slash; requests with "
         "them are refused\n"},
        {ROUTE("prefix: /a%zz"), "3:57: \"/a%zz\": \"%\" must be followed by two hexadecimal digits\n"},
        {ROUTE("prefix: /a%2"), "3:57: \"/a%2\": \"%\" must be followed by two hexadecimal digits\n"},
        {ROUTE("prefix: /a%00"), "3:57: \"/a%00\": a path must not hold control characters\n"},
        {ROUTE("prefix: /api/*"),
         "3:57: warning: \"*\" is an ordinary character here; a prefix matches everything below "
         "it without one\n"},
        {ROUTE("prefix: /, max_body: 10"), "3:70: a size needs a unit: write 10B\n"},
        {LISTEN UPSTREAMS "sites: [{hosts: ['*'], routes: [{prefix: /}, 7, {prefix: /, upstream: [app]}]}]\n",
         "3:33: a route needs one of upstream, redirect and respond\n"
         "3:46: expected a mapping, as { prefix: /, upstream: app }, found \"7\"\n"
         "3:71: expected the name of an upstream, found a list\n"},
    };
    SAID_ALL(rows);
}

static void all_at_once(void **state)
{
    (void)state;
    static const struct said_case rows[] = {
        {"sites:\n"
         "  - hosts: [a.com:80]\n"
         "    routes:\n"
         "      - { prefix: api, upsteam: web }\n"
         "      - { prefix: /, upstream: wbe, max_body: 10 }\n"
         "upstreams:\n"
         "  web: { servers: [web] }\n"
         "client: { head_timeout: 10 }\n",
         "1:1: nothing to listen on; add listen: with at least one address\n"
         "2:13: \"a.com:80\": a host is written without port (listen has the ports)\n"
         "4:19: \"api\": a path begins with \"/\"\n"
         "4:24: unknown key \"upsteam\" in a route; did you mean \"upstream\"?\n"
         "5:32: no upstream is called \"wbe\"; did you mean \"web\"?\n"
         "5:47: a size needs a unit: write 10B\n"
         "7:20: \"web\" is no address; write host:port, as \"127.0.0.1:3000\", or unix:/path\n"
         "8:25: a duration needs a unit: write 10s\n"},
    };
    SAID_ALL(rows);
}

static void environment(void **state)
{
    (void)state;
    setenv("PORTICO_T_PORT", "3000", 1);
    setenv("PORTICO_T_REF", "${env:PORTICO_T_PORT}", 1);
    unsetenv("PORTICO_T_NONE");
    struct config *config =
        load(LISTEN "upstreams: {app: 'a:${env:PORTICO_T_PORT}'}\n"
                    "sites: [{hosts: ['*'], routes: [{prefix: '/$${x}', upstream: app}]}]\n");
    assert_slice(config->upstreams[0].servers[0].text, "a:3000");
    assert_string_equal(config->upstreams[0].servers[0].origin.redacted, "a:${env:PORTICO_T_PORT}");
    assert_slice(config->sites[0].routes[0].pattern, "/${x}");
    assert_null(config->sites[0].routes[0].pattern_origin.redacted);
    config_free(&config);
    static const struct said_case rows[] = {
        {LISTEN "upstreams: {app: 'a:${env:PORTICO_T_NONE}'}\n" SITES,
         "2:18: the environment variable \"PORTICO_T_NONE\" is not set\n"
         "2:18: \"a:${env:PORTICO_T_NONE}\" is no address; write host:port, as \"127.0.0.1:3000\", or "
         "unix:/path\n"},
        {LISTEN UPSTREAMS SITES "process: {threads: '${env:PORTICO_T_PORT}'}\n",
         "4:20: ${env:PORTICO_T_PORT} is out of range; threads may be 0 to 256\n"},
        {LISTEN UPSTREAMS SITES "client: {head_timeout: '${env:PORTICO_T_PORT}'}\n",
         "4:24: a duration needs a unit: write ${env:PORTICO_T_PORT}s\n"},
        {LISTEN UPSTREAMS SITES "process: {threads: '${env:PORTICO_T_REF}'}\n",
         "4:20: expected a whole number, found \"${env:PORTICO_T_REF}\"\n"},
        {LISTEN UPSTREAMS SITES "process: {threads: '${PORT}'}\n",
         "4:20: unknown \"${PORT}\"; known are ${env:NAME} and ${file:path}, and $${ stands for ${\n"
         "4:20: expected a whole number, found \"${PORT}\"\n"},
        {LISTEN UPSTREAMS SITES "process: {threads: '4${env:X'}\n",
         "4:20: \"${\" has no closing \"}\"; $${ stands for ${\n"},
        {LISTEN UPSTREAMS SITES "process: {threads: '4${file:/etc/hostname}'}\n",
         "4:20: ${file:} works only in a file\n"},
    };
    SAID_ALL(rows);
}

/* A folder of its own, the current one while the test runs. */
static int enter_folder(void **state)
{
    char folder[] = "/tmp/portico-config-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("conf.d", 0700), 0);
    *state = strdup(folder);
    return 0;
}

static int leave_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", (char *)*state);
    int result = chdir("/");
    free(*state);
    return result || system(command);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct config *load_file(const char *path, const char *expected)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *config = config_load(path, &findings);
    said_compare(&(struct said_case){path, expected}, &findings);
    config_findings_fini(&findings);
    return config;
}

static void secrets_from_files(void **state)
{
    (void)state;
    write_file("port", "3000\r\n");
    write_file("lines", "30\n00\n\n");
    write_file("sub", "x");
    write_file("conf.d/t.yaml", LISTEN "upstreams: {app: 'a:${file:../port}'}\n" SITES);
    struct config *config = load_file("conf.d/t.yaml", "");
    assert_slice(config->upstreams[0].servers[0].text, "a:3000");
    config_free(&config);
    write_file("t.yaml",
               LISTEN UPSTREAMS SITES "process: {threads: '${file:none}'}\n"
                                      "client: {fields_max: '${file:conf.d}', head_max: '${file:lines}'}\n");
    assert_null(load_file("t.yaml", "4:20: ./none cannot be read: No such file or directory\n"
                                    "4:20: expected a whole number, found \"${file:none}\"\n"
                                    "5:22: ./conf.d is not a regular file\n"
                                    "5:22: expected a whole number, found \"${file:conf.d}\"\n"
                                    "5:50: expected a size, as 16KiB, found \"${file:lines}\"\n"));
    char *large = malloc(70000);
    memset(large, 'x', 69999);
    large[69999] = '\0';
    write_file("large", large);
    free(large);
    write_file("t.yaml", LISTEN UPSTREAMS SITES "process: {threads: '1${file:large}'}\n");
    assert_null(load_file("t.yaml", "4:20: ./large is larger than 64KiB\n"));
}

static void unfit_files(void **state)
{
    (void)state;
    assert_null(load_file("none.yaml", "none.yaml:0:0: cannot be read: No such file or directory\n"));
    assert_null(load_file("conf.d", "conf.d:0:0: is not a regular file\n"));
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_null(load_file("fifo", "fifo:0:0: is not a regular file\n"));
    assert_null(load_file("/dev/zero", "/dev/zero:0:0: is not a regular file\n"));
    write_file("empty.yaml", "");
    assert_null(load_file("empty.yaml", "empty.yaml:1:1: the file is empty\n"));
    char *large = malloc((1 << 20) + 2);
    memset(large, '#', (1 << 20) + 1);
    large[(1 << 20) + 1] = '\0';
    write_file("large.yaml", large);
    free(large);
    assert_null(load_file("large.yaml", "large.yaml:0:0: is larger than 1MiB\n"));
}

static void text_is_bounded_too(void **state)
{
    (void)state;
    struct config_findings findings;
    config_findings_init(&findings);
    char *large = malloc(YAML_FILE_MAX + 1);
    assert_non_null(large);
    memset(large, '#', YAML_FILE_MAX + 1);
    assert_null(config_load_text("t.yaml", slice_make(large, YAML_FILE_MAX + 1), &findings));
    assert_string_equal(said(&findings), "0:0: is larger than 1MiB\n");
    config_findings_fini(&findings);
    free(large);
}

static void includes(void **state)
{
    (void)state;
    write_file("t.yaml", LISTEN UPSTREAMS SITES "include: conf.d/*.yaml\n");
    write_file("conf.d/b.yaml", "sites: [{hosts: [b.com], routes: [{prefix: /, upstream: shared}]}]\n");
    write_file("conf.d/a.yaml", "upstreams: {shared: 'unix:run/a.sock'}\n"
                                "sites: [{hosts: [a.com], routes: [{prefix: /, upstream: app}]}]\n");
    write_file("conf.d/a.txt", "not read");
    struct config *config = load_file("t.yaml", "");
    assert_non_null(config);
    assert_int_equal(config->site_count, 3);
    assert_slice(config->sites[1].hosts[0].name, "a.com");
    assert_slice(config->sites[2].hosts[0].name, "b.com");
    assert_string_equal(config->sites[2].origin.file, "conf.d/b.yaml");
    assert_ptr_equal(config->sites[2].routes[0].upstream, &config->upstreams[1]);
    char absolute[256];
    snprintf(absolute, sizeof absolute, "%s/conf.d/run/a.sock", (char *)*state);
    assert_slice(config->upstreams[1].servers[0].name.host, absolute);
    config_free(&config);
}

static void bad_includes(void **state)
{
    (void)state;
    write_file("t.yaml",
               LISTEN UPSTREAMS SITES "include: [conf.d/*.yaml, none.yaml, 'no*.yaml', t.yaml, conf.d]\n");
    write_file("conf.d/a.yaml", "upstreams: {app: 'a:1'}\nlisten: [':81']\ninclude: b.yaml\nsits: 1\n");
    write_file("conf.d/b.yaml", "sites: [\n");
    assert_null(load_file(
        "t.yaml",
        "4:26: no file \"none.yaml\"\n"
        "4:37: warning: no file matches \"no*.yaml\"\n"
        "4:49: the file includes itself\n"
        "4:57: conf.d is not a regular file\n"
        "conf.d/a.yaml:1:13: the upstream \"app\" is already defined at t.yaml:2\n"
        "conf.d/a.yaml:2:1: unknown key \"listen\" in an included file; it belongs in the main file\n"
        "conf.d/a.yaml:3:1: unknown key \"include\" in an included file; it belongs in the main file\n"
        "conf.d/a.yaml:4:1: unknown key \"sits\" in an included file; did you mean \"sites\"?\n"
        "conf.d/b.yaml:2:1: not valid YAML: did not find expected node content\n"));
}

static void relative_paths(void **state)
{
    write_file("conf.d/t.yaml", LISTEN UPSTREAMS SITES "log: {access: ../access.log}\n");
    struct config *config = load_file("conf.d/t.yaml", "");
    char absolute[256];
    snprintf(absolute, sizeof absolute, "%s/conf.d/../access.log", (char *)*state);
    assert_slice(config->log.access, absolute);
    config_free(&config);
    snprintf(absolute, sizeof absolute, "%s/conf.d/t.yaml", (char *)*state);
    config = load_file(absolute, "");
    snprintf(absolute, sizeof absolute, "%s/conf.d/../access.log", (char *)*state);
    assert_slice(config->log.access, absolute);
    config_free(&config);
}

static void ten_thousand(void **state)
{
    (void)state;
    char *text = malloc(1 << 20);
    assert_non_null(text);
    int used = sprintf(text, LISTEN "upstreams:\n");
    for (int i = 0; i < 8000; i++)
        used += sprintf(text + used, "  u%d: 'a:1'\n", i);
    used += sprintf(text + used, "sites:\n- hosts: ['*']\n  routes:\n");
    for (int i = 0; i < 10000; i++)
        used += sprintf(text + used, "  - {prefix: /p%d, upstream: u%d}\n", i, i % 8000);
    struct config *config = load(text);
    assert_int_equal(config->sites[0].route_count, 10000);
    assert_ptr_equal(config->sites[0].routes[9999].upstream, &config->upstreams[1999]);
    config_free(&config);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_file),
        cmocka_unit_test(inheritance),
        cmocka_unit_test(top_level),
        cmocka_unit_test(listeners),
        cmocka_unit_test(tls),
        cmocka_unit_test(too_many_listeners),
        cmocka_unit_test(upstreams),
        cmocka_unit_test(hosts),
        cmocka_unit_test(routes),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(environment),
        cmocka_unit_test_setup_teardown(secrets_from_files, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(unfit_files, enter_folder, leave_folder),
        cmocka_unit_test(text_is_bounded_too),
        cmocka_unit_test_setup_teardown(includes, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(bad_includes, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(relative_paths, enter_folder, leave_folder),
        cmocka_unit_test(ten_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
