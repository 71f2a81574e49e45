/*
 * portico explain: what would become of a request, and why. The request is written as a client would send it
 * and goes through the parser, the matcher and the preparation that serve; only the trace is extra. Starts
 * nothing, resolves nothing.
 */
#include "cli/cli.h"
#include "cli/explain_print.h"
#include "cli/modules.h"
#include "codec/h1_parse.h"

enum { FIELDS_GIVEN_MAX = 256, PORT_HTTP = 80, PORT_HTTPS = 443 };

/* Documentation addresses (RFC 5737) are nobody's and in no list of proxies. */
static const char EXAMPLE_CLIENT[] = "192.0.2.1";

/* What is asked. */
struct question {
    const char *path;
    const char *method;
    const char *url;
    const char *fields[FIELDS_GIVEN_MAX]; /* "Name: value" */
    unsigned field_count;
    const char *from;    /* the client's address */
    const char *unknown; /* the word that is none of these */

    struct slice authority, target; /* of the URL */
    bool secure;
    unsigned port;                          /* 0 when the URL does not say */
    const struct config_listener *listener; /* that takes the request; NULL when it is not known */
};

/* --- the request --- */

static bool take_scheme(struct slice *url, struct slice scheme)
{
    if (url->len < scheme.len || !slice_equal_nocase(slice_make(url->at, scheme.len), scheme))
        return false;
    *url = slice_after(*url, scheme.len);
    return true;
}

/* Splits an absolute URL, or takes a path as it is; fragments are never sent. */
static bool split_url(struct question *question, struct arena *arena)
{
    struct slice url = slice_make(question->url, strcspn(question->url, "#"));
    question->target = url;
    if (url.len > 0 && (url.at[0] == '/' || url.at[0] == '*'))
        return true;
    question->secure = take_scheme(&url, SLICE("https://"));
    if (!question->secure && !take_scheme(&url, SLICE("http://")))
        return false;
    size_t authority_len = 0;
    while (authority_len < url.len && url.at[authority_len] != '/' && url.at[authority_len] != '?')
        authority_len++;
    question->authority = slice_make(url.at, authority_len);
    url = slice_after(url, authority_len);
    bool has_path = url.len > 0 && url.at[0] == '/';
    question->target = has_path ? url : arena_printf(arena, "/%.*s", SLICE_ARGS(url));
    return true;
}

static unsigned port_of(const struct question *question, struct arena *arena)
{
    struct authority authority;
    if (question->authority.len == 0 || !authority_parse(question->authority, arena, &authority))
        return 0;
    return authority.port ? authority.port : question->secure ? PORT_HTTPS : PORT_HTTP;
}

static bool is_host(const char *field)
{
    struct slice text = slice_of(field), name = SLICE("host:");
    return text.len >= name.len && slice_equal_nocase(slice_make(text.at, name.len), name);
}

/* The head as a client sends it; a Host that is given replaces the URL's. */
static struct slice write_head(const struct question *question, struct arena *arena)
{
    bool has_host = question->authority.len == 0;
    struct slice head =
        arena_printf(arena, "%s %.*s HTTP/1.1\r\n", question->method, SLICE_ARGS(question->target));
    for (unsigned i = 0; i < question->field_count; i++)
        has_host = has_host || is_host(question->fields[i]);
    if (!has_host)
        head = arena_printf(arena, "%.*sHost: %.*s\r\n", SLICE_ARGS(head), SLICE_ARGS(question->authority));
    for (unsigned i = 0; i < question->field_count; i++)
        head = arena_printf(arena, "%.*s%s\r\n", SLICE_ARGS(head), question->fields[i]);
    return arena_printf(arena, "%.*s\r\n", SLICE_ARGS(head));
}

static enum fault read_head(const struct config *config, struct slice head, struct stream *inbound)
{
    const struct config_client *client = &config->client;
    struct h1_limits limits = {(uint32_t)client->request_line_max, (uint32_t)client->head_max,
                               (uint16_t)client->fields_max};
    struct h1_scan scan = {0};
    size_t len = 0;
    enum fault fault = h1_head_scan(head, &limits, &scan, &len);
    return fault ? fault : h1_parse_request(slice_make(head.at, len), inbound->arena, &inbound->rx_head);
}

/* The fields as they are now; what is changed later is changed in another array. */
static struct fields keep_fields(const struct fields *fields, struct arena *arena)
{
    struct fields kept = *fields;
    size_t size = (fields->count + 1u) * sizeof *fields->at;
    kept.at = arena_alloc(arena, size);
    if (fields->count > 0)
        memcpy(kept.at, fields->at, fields->count * sizeof *fields->at);
    return kept;
}

/* --- the answer --- */

static void keep_finding(void *arg, const char *policy, struct config_origin origin, struct slice text)
{
    struct explanation *explanation = arg;
    if (explanation->policy_count < EXPLAIN_POLICIES_MAX)
        explanation->policies[explanation->policy_count++] = (struct finding_of_policy){policy, origin, text};
}

/* What the listener takes the first bytes for, which are a request in clear or a handshake. */
static enum fault wrong_scheme(const struct question *question)
{
    return question->secure ? FAULT_bad_request_line : FAULT_plain_on_tls;
}

static int judge(const struct question *question, const struct snapshot *snapshot, struct stream *inbound)
{
    struct rehearsal rehearsal = {.config = snapshot->config,
                                  .router = snapshot_part(snapshot, &route_module),
                                  .pipeline = snapshot_part(snapshot, &pipeline_module),
                                  .scratch = router_scratch_new(),
                                  .inbound = inbound};
    struct explanation explanation = {.rehearsal = &rehearsal,
                                      .port = question->port,
                                      .listener = question->listener,
                                      .secure = question->secure,
                                      .from = question->from,
                                      .from_example = question->from == EXAMPLE_CLIENT,
                                      .out = stdout};
    rehearsal.trace = keep_finding;
    rehearsal.trace_arg = &explanation;
    explanation.fault = question->listener && question->listener->tls != question->secure
                            ? wrong_scheme(question)
                            : read_head(snapshot->config, write_head(question, inbound->arena), inbound);
    explanation.was_read = explanation.fault == FAULT_NONE;
    explanation.asked = keep_fields(&inbound->rx_head.fields, inbound->arena);
    if (explanation.was_read)
        explanation.fault = exchange_rehearse(&rehearsal);
    explain_print(&explanation);
    router_scratch_free(&rehearsal.scratch);
    return explanation.fault ? CLI_FAILED : 0;
}

static void assume_handshake(const struct question *question, struct arena *arena,
                             struct stream_tls *told_out)
{
    struct authority authority;
    *told_out = (struct stream_tls){.certificate_subject = SLICE("CN=example")};
    if (authority_parse(question->authority, arena, &authority))
        told_out->server_name = authority.host;
}

/* The first listener on the URL's port, if one there speaks the URL's scheme, the first that does. */
static void find_listener(struct question *question, const struct config *config, struct arena *arena)
{
    question->port = port_of(question, arena);
    for (uint32_t i = 0; i < config->listener_count && question->port != 0; i++) {
        const struct config_listener *listener = &config->listeners[i], *found = question->listener;
        if (listener->name.is_unix || listener->name.port != question->port)
            continue;
        if (found == NULL || (found->tls != question->secure && listener->tls == question->secure))
            question->listener = listener;
    }
}

static int explain(struct question *question, const struct snapshot *snapshot)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct stream_client client = {.redirects = false};
    struct stream_tls told;
    struct address address;
    struct stream inbound = {.client = &client, .arena = &arena};
    int code = CLI_USAGE;
    if (!split_url(question, &arena))
        fprintf(stderr, "portico: \"%s\" is no URL; write http://host/path, or /path and -H 'Host: host'\n",
                question->url);
    else if (!address_from_literal(slice_of(question->from), 0, &address))
        fprintf(stderr, "portico: \"%s\" is no address; write --from 203.0.113.7\n", question->from);
    else {
        find_listener(question, snapshot->config, &arena);
        client.address = address_remote(&address);
        client.redirects = question->listener && question->listener->redirect == CONFIG_REDIRECT_HTTPS;
        if (question->secure) /* by a handshake for the host, with whatever certificate it asks for */
            assume_handshake(question, &arena, &told), client.tls = &told;
        code = judge(question, snapshot, &inbound);
    }
    arena_fini(&arena);
    return code;
}

static int load_and_explain(struct question *question)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct snapshot *snapshot = snapshot_new(question->path, config_modules, NULL, &findings);
    cli_print_findings(&findings, stderr);
    config_findings_fini(&findings);
    int code = snapshot ? explain(question, snapshot) : CLI_FAILED;
    snapshot_unref(&snapshot);
    return code;
}

/* --- the command --- */

static bool take_field(struct question *question, const char *text)
{
    if (text == NULL || strchr(text, ':') == NULL || question->field_count == FIELDS_GIVEN_MAX)
        return false;
    question->fields[question->field_count++] = text;
    return true;
}

/* FILE, METHOD and URL, in this order. */
static bool take_word(struct question *question, const char *word)
{
    const char **empty = !question->path     ? &question->path
                         : !question->method ? &question->method
                         : !question->url    ? &question->url
                                             : NULL;
    if (empty == NULL || word[0] == '-')
        empty = &question->unknown;
    *empty = word;
    return question->unknown == NULL;
}

static bool take_arguments(struct question *question, char **argv)
{
    bool good = true;
    for (int i = 1; good && argv[i]; i++) {
        if (strcmp(argv[i], "-H") == 0)
            good = take_field(question, argv[++i]);
        else if (strcmp(argv[i], "--from") == 0)
            good = (question->from = argv[++i]) != NULL;
        else
            good = take_word(question, argv[i]);
    }
    return good && question->url != NULL;
}

static int run(int argc, char **argv)
{
    (void)argc; /* argv ends with NULL */
    struct question question = {.from = EXAMPLE_CLIENT};
    return take_arguments(&question, argv) ? load_and_explain(&question)
                                           : cli_usage(&explain_command, question.unknown);
}

const struct cli_command explain_command = {
    .name = "explain",
    .usage = "FILE METHOD URL [-H 'Name: value']... [--from ADDRESS]",
    .sentence = "say what would become of a request and why: listener, site, route, upstream, limits, fields",
    .run = run,
};
