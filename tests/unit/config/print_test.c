/*
 * config/print.h and config/reference.h: what is printed says where it comes from, shows no secret, and loads
 * again to the same; the reference has a row for every key.
 */
#include "printed.h"

#include "config/reference.h"
#include "config/schema.h"

#include <stdlib.h>

static char *print_text(const char *yaml)
{
    const struct said_case row = {yaml, ""};
    struct config *config = said_load(&row);
    char *text = print(config);
    config_free(&config);
    return text;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in\n%s", part, text);
}

static void whole(void **state)
{
    (void)state;
    char *text = print_text("listen: [':80']\n"
                            "upstreams: {app: 'a:1'}\n"
                            "defaults: {max_body: 1MiB}\n"
                            "client: {head_timeout: 5s}\n"
                            "sites:\n"
                            "- hosts: ['*']\n"
                            "  idle_timeout: 2m\n"
                            "  routes:\n"
                            "  - {prefix: /x, upstream: app, max_body: 0}\n"
                            "  - {regex: '^/\"$', upstream: app}\n");
    assert_string_equal(text, "# t.yaml, as it takes effect\n"
                              "process:\n"
                              "  threads: 0  # default\n"
                              "  shutdown_timeout: 30s  # default\n"
                              "  pidfile: off  # default\n"
                              "  memory_max: 0  # default\n"
                              "  sandbox: on  # default\n"
                              "log:\n"
                              "  access: stdout  # default\n"
                              "  format: json  # default\n"
                              "  level: info  # default\n"
                              "client:\n"
                              "  head_timeout: 5s  # t.yaml:4\n"
                              "  keep_alive_timeout: 75s  # default\n"
                              "  write_timeout: 1m  # default\n"
                              "  half_close_timeout: 5s  # default\n"
                              "  body_min_rate: 240B  # default\n"
                              "  body_grace: 10s  # default\n"
                              "  request_line_max: 16KiB  # default\n"
                              "  head_max: 32KiB  # default\n"
                              "  fields_max: 100  # default\n"
                              "  connections_max: 0  # default\n"
                              "  connections_per_client: 0  # default\n"
                              "listen:\n"
                              "  - address: \":80\"  # t.yaml:1\n"
                              "    tls: false  # default\n"
                              "    redirect: off  # default\n"
                              "    proxy_protocol: false  # default\n"
                              "tls:\n"
                              "  certificates: []\n"
                              "  min_version: 1.2  # default\n"
                              "  strict_sni: false  # default\n"
                              "  handshakes_max: 1024  # default\n"
                              "  ocsp_stapling: true  # default\n"
                              "  acme_challenge: off  # default\n"
                              "trusted_proxies: []\n"
                              "upstreams:\n"
                              "  app:  # t.yaml:2\n"
                              "    servers:\n"
                              "      - \"a:1\"  # t.yaml:2\n"
                              "    connect_timeout: 5s  # default\n"
                              "    idle_timeout: 4s  # default\n"
                              "    idle_max: 256  # default\n"
                              "    connections_max: 0  # default\n"
                              "    head_max: 32KiB  # default\n"
                              "    protocol: h1  # default\n"
                              "defaults:\n"
                              "  first_byte_timeout: 1m  # default\n"
                              "  between_bytes_timeout: 1m  # default\n"
                              "  idle_timeout: 1h  # default\n"
                              "  max_body: 1MiB  # t.yaml:3\n"
                              "  forwarded: false  # default\n"
                              "sites:\n"
                              "  - hosts:\n"
                              "      - \"*\"  # t.yaml:6\n"
                              "    routes:\n"
                              "      - prefix: \"/x\"  # t.yaml:9\n"
                              "        upstream: app  # t.yaml:9\n"
                              "        first_byte_timeout: 1m  # default\n"
                              "        between_bytes_timeout: 1m  # default\n"
                              "        idle_timeout: 2m  # t.yaml:7\n"
                              "        max_body: 0  # t.yaml:9\n"
                              "        forwarded: false  # default\n"
                              "      - regex: \"^/\\\"$\"  # t.yaml:10\n"
                              "        upstream: app  # t.yaml:10\n"
                              "        first_byte_timeout: 1m  # default\n"
                              "        between_bytes_timeout: 1m  # default\n"
                              "        idle_timeout: 2m  # t.yaml:7\n"
                              "        max_body: 1MiB  # t.yaml:3\n"
                              "        forwarded: false  # default\n"
                              "    first_byte_timeout: 1m  # default\n"
                              "    between_bytes_timeout: 1m  # default\n"
                              "    idle_timeout: 2m  # t.yaml:7\n"
                              "    max_body: 1MiB  # t.yaml:3\n"
                              "    forwarded: false  # default\n");
    free(text);
}

static void without_comments(char *text)
{
    char *to = text;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *comment = strstr(line, "  # ");
        size_t length = comment ? (size_t)(comment - line) : strlen(line);
        memmove(to, line, length);
        to += length;
        *to++ = '\n';
    }
    *to = '\0';
}

/* Printing what was printed gives the same but for the origins. */
static void loads_again(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "listen: [':80']\nupstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: "
        "app}]}]\n",
        "listen: [{address: 'unix:/run/a b.sock'}, '[::1]:80']\n"
        "trusted_proxies: [10.0.0.0/8, '::1']\n"
        "log: {access: /var/log/a.log, format: combined, level: error}\n"
        "process: {threads: 3, shutdown_timeout: 1500ms}\n"
        "upstreams: {'-': 'a:1', 'true': {servers: ['b:1', 'c:2'], idle_max: 0, head_max: 60KiB, "
        "connections_max: 8, queue: {length: 5}}, x.y: "
        "'unix:/s'}\n"
        "sites:\n"
        "- {hosts: [a.com, '*.b.com'], max_body: 1MB, routes: [{path: '/%C3%A4%3F%23%25%20x', upstream: "
        "'-'}]}\n"
        "- {hosts: ['*'], routes: [{regex: '^/[a-z]{2}\\.\"$${x}\t', upstream: 'true'}, {prefix: '/', "
        "upstream: x.y}]}\n",
        "listen: [':80']\nupstreams: {app: 'a:1'}\n"
        "defaults: {cors: {origins: ['https://a.test'], methods: [], max_age: 0}, security_headers: strict, "
        "headers: {response: {set: {X-A: a}, remove: [Server]}}}\n"
        "sites:\n"
        "- hosts: ['*']\n"
        "  security_headers: {remove: [csp], coep: require-corp}\n"
        "  headers: {request: {add: {X-B: [b, '%{host} $${x}']}, replace: {X-C: c}}, cookies: {secure: "
        "true}}\n"
        "  routes:\n"
        "  - {prefix: /a, upstream: app, security_headers: off, cors: off, headers: {response: {keep: "
        "[X-A]}}}\n"
        "  - {prefix: /, upstream: app, headers: {cookies: {same_site: strict}, request: {remove: [x-b]}}}\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *once = print_text(rows[i]), *twice = print_text(once);
        without_comments(once);
        without_comments(twice);
        assert_string_equal(once + strcspn(once, "\n"), twice + strcspn(twice, "\n"));
        free(once);
        free(twice);
    }
}

static void secrets_are_not_printed(void **state)
{
    (void)state;
    setenv("PORTICO_T_HOST", "secret-name", 1);
    setenv("PORTICO_T_SIZE", "7777B", 1);
    char *text = print_text(
        "listen: [':80']\n"
        "log: {access: '/var/${env:PORTICO_T_HOST}.log'}\n"
        "upstreams: {app: '${env:PORTICO_T_HOST}:1', old: {servers: ['${env:PORTICO_T_HOST}:2']}}\n"
        "sites:\n"
        "- hosts: ['${env:PORTICO_T_HOST}']\n"
        "  max_body: ${env:PORTICO_T_SIZE}\n"
        "  routes:\n"
        "  - {prefix: '/${env:PORTICO_T_HOST}', upstream: app}\n"
        "  - {prefix: '/', upstream: old}\n");
    if (strstr(text, "secret-name") || strstr(text, "7777"))
        fail_msg("%s", text);
    assert_has(text, "  access: \"/var/${env:PORTICO_T_HOST}.log\"  # t.yaml:2\n");
    assert_has(text, "      - \"${env:PORTICO_T_HOST}:1\"  # t.yaml:3\n");
    assert_has(text, "      - \"${env:PORTICO_T_HOST}\"  # t.yaml:5\n");
    assert_has(text, "      - prefix: \"/${env:PORTICO_T_HOST}\"  # t.yaml:8\n");
    assert_has(text, "        max_body: \"${env:PORTICO_T_SIZE}\"  # t.yaml:6\n");
    char *again = print_text(text);
    free(again);
    free(text);
}

static void route_settings(void **state)
{
    (void)state;
    const struct said_case row = {
        "listen: [':80']\nupstreams: {app: 'a:1'}\n"
        "sites: [{hosts: ['*'], routes: [{prefix: /, upstream: app, idle_timeout: 5s}]}]\n",
        ""};
    struct config *config = said_load(&row);
    char text[1024] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_non_null(out);
    config_print_route_settings(config->sites[0].routes, out, 4);
    fclose(out);
    assert_string_equal(text, "    first_byte_timeout: 1m  # default\n"
                              "    between_bytes_timeout: 1m  # default\n"
                              "    idle_timeout: 5s  # t.yaml:3\n"
                              "    max_body: 100MiB  # default\n"
                              "    forwarded: false  # default\n");
    config_free(&config);
}

static void reference(void **state)
{
    (void)state;
    FILE *out = printed_open();
    config_reference(out);
    char *text = printed_close(out);
    for (size_t i = 0; i < schema_setting_count; i++) {
        char key[128];
        snprintf(key, sizeof key, "\n| `%s` | ", schema_settings[i].key);
        assert_has(text, key);
        assert_has(text, schema_settings[i].sentence);
    }
    assert_has(text, "| `head_max` | size | `32KiB` | 512B to 60KiB | yes | ");
    assert_has(text, "| `threads` | number (threads) | `0` | 0 to 256 | restart | ");
    assert_has(text, "| `format` | `json`, `combined` | `json` |  | restart | ");
    free(text);
}

/* The examples of the reference are configurations, or become one with what they leave out. */
static void examples_load(void **state)
{
    (void)state;
    static const struct {
        enum section_id section;
        const char *rest;
    } rows[] = {
        {SECTION_root, ""},
        {SECTION_included, "listen: [':80']\nupstreams: {app: 'a:1'}\n"},
        {SECTION_process,
         "listen: [':80']\nupstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, "
         "upstream: app}]}]\n"},
        {SECTION_log,
         "listen: [':80']\nupstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: "
         "app}]}]\n"},
        {SECTION_client,
         "listen: [':80']\nupstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: "
         "app}]}]\n"},
        {SECTION_listener,
         "upstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: app}]}]\n"},
        {SECTION_upstream,
         "listen: [':80']\nsites: [{hosts: ['*'], routes: [{prefix: /a, upstream: app}, {prefix: /, "
         "upstream: api}]}]\n"},
        {SECTION_inherited,
         "listen: [':80']\nupstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, "
         "upstream: app}]}]\n"},
        {SECTION_site, "listen: [':80']\nupstreams: {app: 'a:1'}\n"},
        {SECTION_tls,
         "upstreams: {app: 'a:1'}\nsites: [{hosts: ['*'], routes: [{prefix: /, upstream: app}]}]\n"},
        {SECTION_certificate, "listen: [{address: ':443', tls: true}]\nupstreams: {app: 'a:1'}\nsites: "
                              "[{hosts: ['*'], routes: [{prefix: "
                              "/, upstream: app}]}]\n"},
        {SECTION_client_certificates, "listen: [{address: ':443', tls: true}]\nupstreams: {app: 'a:1'}\n"
                                      "tls: {certificates: [{chain: c.pem, key: k.pem}]}\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s%s", schema_sections[rows[i].section].example, rows[i].rest);
        free(print_text(text));
    }
    char text[2048] = "listen: [':80']\nupstreams: {app: 'a:1', api: 'a:1'}\nsites:\n- hosts: ['*']\n";
    const char *at = schema_sections[SECTION_route].example;
    for (size_t used = strlen(text); *at; at += strcspn(at, "\n") + 1)
        used += (size_t)sprintf(text + used, "  %.*s\n", (int)strcspn(at, "\n"), at);
    free(print_text(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(loads_again),
        cmocka_unit_test(secrets_are_not_printed),
        cmocka_unit_test(route_settings),
        cmocka_unit_test(reference),
        cmocka_unit_test(examples_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
