/*
 * portico try: serves a configuration as `run` does, on ports that need no privilege and with a stand-in for
 * every upstream inside the process, and prints what to paste. An address that --override gives is taken as
 * it is: one real service among stand-ins, or a listener of one's own choice.
 */
#include "cli/cli.h"
#include "cli/lift.h"
#include "cli/lines.h"
#include "cli/serve.h"
#include "cli/standin.h"
#include "config/override.h"

#include <errno.h>

/* A trial. */
struct trial {
    const char *path;
    struct slice given[CONFIG_OVERRIDES_MAX]; /* right sides of --override */
    unsigned given_count;
    struct slice *written; /* listeners as the file has them */
    struct standins *standins;
};

/* Who stands in for the upstreams of one configuration, while anything is served from it. */
struct cast {
    struct standins *standins;
    uint32_t count;
    struct slice names[];
};

/* Whether the address is `given` as the configuration has it: there, the path of a Unix socket is absolute.
 */
static bool is_same(struct slice given, struct slice address)
{
    if (!slice_starts_with(given, SLICE("unix:")) || !slice_starts_with(address, SLICE("unix:/")))
        return slice_equal(given, address);
    struct slice path = slice_after(given, 5);
    return address.len > path.len && slice_equal(slice_after(address, address.len - path.len), path);
}

static bool is_given(const struct trial *trial, struct slice address)
{
    for (unsigned i = 0; i < trial->given_count; i++)
        if (is_same(trial->given[i], address))
            return true;
    return false;
}

static struct endpoint_name name_of(struct slice text)
{
    struct endpoint_name name;
    CHECK(endpoint_name_parse(text, &name));
    return name;
}

/* --- before anything starts --- */

static bool is_given_to(void *arg, struct slice text)
{
    return is_given(arg, text);
}

static void arrange_listeners(struct trial *trial, struct config *config)
{
    trial->written = arena_alloc(&config->arena, (config->listener_count + 1) * sizeof *trial->written);
    for (uint32_t i = 0; i < config->listener_count; i++)
        trial->written[i] = config->listeners[i].text;
    lift_listeners(config, is_given_to, trial);
}

static void dismiss(void *arg)
{
    struct cast *cast = arg;
    for (uint32_t i = 0; i < cast->count; i++)
        standins_give_back(cast->standins, cast->names[i]);
}

/* Nobody yet. */
static struct cast *new_cast(struct trial *trial, struct snapshot *snapshot)
{
    struct config *config = snapshot->config;
    struct cast *cast =
        arena_alloc(&config->arena, sizeof *cast + config->upstream_count * sizeof cast->names[0]);
    cast->standins = trial->standins;
    cast->count = 0;
    snapshot->end = (struct snapshot_end){dismiss, cast};
    return cast;
}

static unsigned engage(struct cast *cast, struct slice upstream)
{
    unsigned port = standins_take(cast->standins, upstream, 0);
    if (port > 0)
        cast->names[cast->count++] = upstream;
    else
        fprintf(stderr, "portico: no stand-in for %.*s: %s\n", SLICE_ARGS(upstream), strerror(errno));
    return port;
}

/* One stand-in for each upstream, whatever its servers are called: it knows whom it stands for. */
static bool arrange_upstream(const struct trial *trial, struct cast *cast, struct arena *arena,
                             struct config_upstream *upstream)
{
    struct slice text = {NULL, 0};
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        struct config_server *server = &upstream->servers[i];
        if (is_given(trial, server->text))
            continue;
        unsigned port = text.len > 0 ? 0 : engage(cast, upstream->name);
        if (text.len == 0 && port == 0)
            return false;
        if (port > 0)
            text = arena_printf(arena, "127.0.0.1:%u", port);
        server->text = text;
        server->name = name_of(text);
    }
    return true;
}

static bool arrange(void *arg, struct snapshot *snapshot)
{
    struct trial *trial = arg;
    struct config *config = snapshot->config;
    arrange_listeners(trial, config);
    if (trial->standins == NULL)
        trial->standins = standins_new();
    struct cast *cast = new_cast(trial, snapshot);
    for (uint32_t i = 0; i < config->upstream_count; i++)
        if (!arrange_upstream(trial, cast, &config->arena, &config->upstreams[i]))
            return false;
    return true;
}

/* --- when every listener accepts --- */

static void print_listeners(const struct trial *trial, const struct config *config)
{
    for (uint32_t i = 0; i < config->listener_count; i++) {
        struct slice text = config->listeners[i].text;
        printf("%s %.*s", i == 0 ? " on" : ",", SLICE_ARGS(text));
        if (!slice_equal(text, trial->written[i]))
            printf(" (%.*s in the file)", SLICE_ARGS(trial->written[i]));
    }
    puts(".");
}

static void print_servers(const struct trial *trial, const struct config_upstream *upstream)
{
    for (uint32_t i = 0; i < upstream->server_count; i++)
        if (is_given(trial, upstream->servers[i].text))
            printf("Not a stand-in: %.*s at %.*s, as --override says.\n", SLICE_ARGS(upstream->name),
                   SLICE_ARGS(upstream->servers[i].text));
}

static void print_ready(void *arg, const struct snapshot *snapshot)
{
    const struct trial *trial = arg;
    const struct config *config = snapshot->config;
    printf("\nPortico serves %s", trial->path);
    print_listeners(trial, config);
    puts("Every upstream is a stand-in inside this process: it says its name and what it received, sends an "
         "event a\n"
         "second to who accepts them, and gives WebSocket messages back. Control-C stops everything.");
    for (uint32_t i = 0; i < config->upstream_count; i++)
        print_servers(trial, &config->upstreams[i]);
    lines_print(snapshot, stdout);
    fflush(stdout);
}

/* --- the command --- */

static bool add_override(struct trial *trial, const char *text)
{
    if (text == NULL || !config_override_add(text))
        return false;
    trial->given[trial->given_count++] = slice_of(strchr(text, '=') + 1);
    return true;
}

static int run(int argc, char **argv)
{
    struct trial trial = {.path = NULL};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--override") == 0) {
            if (!add_override(&trial, argv[++i])) /* argv ends with NULL */
                return cli_usage(&try_command, NULL);
        } else if (argv[i][0] == '-' || trial.path) {
            return cli_usage(&try_command, argv[i]);
        } else {
            trial.path = argv[i];
        }
    }
    if (trial.path == NULL)
        return cli_usage(&try_command, NULL);
    int code = cli_serve(
        trial.path, &(struct serve_hooks){.arrange = arrange, .ready = print_ready, .arg = &trial}, argv - 1);
    standins_stop(&trial.standins);
    return code;
}

const struct cli_command try_command = {
    .name = "try",
    .usage = "FILE [--override OLD=NEW]...",
    .sentence =
        "serve on ports that need no privilege, with a stand-in for every upstream; prints lines to paste",
    .run = run,
};
