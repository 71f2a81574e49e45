/*
 * The printing behind cli/explain_print.h. Asks the router for its trace and its reading of other spellings;
 * the decision itself has been made. Texts that came with the request are printed so that they cannot steer a
 * terminal.
 */
#include "cli/explain_print.h"

#include "base/check.h"
#include "codec/h1_write.h"
#include "config/print.h"
#include "config/schema.h"

#include <stdarg.h>

enum { LABEL_WIDTH = 10, SITES_PRINTED_MAX = 20 };

/* --- pieces --- */

static struct arena *arena_of(const struct explanation *e)
{
    return e->rehearsal->inbound->arena;
}

/* "label      text" without a line feed; a label of "" continues the topic. */
__attribute__((format(printf, 3, 4))) static void topic(const struct explanation *e, const char *label,
                                                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(e->out, "%-*s ", LABEL_WIDTH, label);
    vfprintf(e->out, format, arguments);
    va_end(arguments);
}

static void end(const struct explanation *e)
{
    fputc('\n', e->out);
}

static void end_with_origin(const struct explanation *e, struct config_origin origin)
{
    if (origin.line > 0)
        fprintf(e->out, "  # %s:%u\n", origin.file, origin.line);
    else
        fprintf(e->out, "  # default\n");
}

/* A text of the configuration: a secret as it was written. */
static struct slice written(struct slice text, struct config_origin origin)
{
    return origin.redacted ? slice_of(origin.redacted) : text;
}

/* A text of the request. */
static struct slice clean(const struct explanation *e, struct slice text)
{
    char *copy = arena_alloc(arena_of(e), 4 * text.len + 1), *at = copy;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c >= 0x7f)
            at += sprintf(at, "\\x%02x", c);
        else
            *at++ = (char)c;
    }
    return slice_make(copy, (size_t)(at - copy));
}

static struct slice pattern_of(const struct explanation *e, const struct config_route *route)
{
    static const char *const kinds[] = {
        [CONFIG_MATCH_PREFIX] = "prefix", [CONFIG_MATCH_EXACT] = "path", [CONFIG_MATCH_REGEX] = "regex"};
    struct slice pattern = clean(e, written(route->pattern, route->pattern_origin));
    return arena_printf(arena_of(e), "%s %.*s", kinds[route->match], SLICE_ARGS(pattern));
}

/* --- who asks --- */

static void print_listeners(const struct explanation *e)
{
    const struct config *config = e->rehearsal->config;
    const char *label = "listener";
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (e->port != 0 && (listener->name.is_unix || listener->name.port != e->port))
            continue;
        struct slice text = written(listener->text, listener->origin);
        topic(e, label, "%.*s", SLICE_ARGS(text));
        end_with_origin(e, listener->origin);
        label = "";
    }
    if (e->secure && e->listener && !e->listener->tls)
        topic(e, "", "speaks no TLS: a handshake is no request\n");
    if (label[0] == '\0')
        return;
    topic(e, label, "none on port %u; what follows holds for a request that reaches another one", e->port);
    end(e);
}

static void print_trusted(const struct explanation *e)
{
    const struct config *config = e->rehearsal->config;
    const struct stream_client *client = e->rehearsal->inbound->client;
    uint32_t i = 0;
    while (!network_contains(&config->trusted_proxies[i], &client->address.any))
        i++;
    const struct config_text *network = &config->trusted_proxy_texts[i];
    struct slice text = written(network->text, network->origin);
    topic(e, "client", "%s is a trusted proxy, one of %.*s", e->from, SLICE_ARGS(text));
    end_with_origin(e, network->origin);
    struct slice asker = clean(e, e->rehearsal->asker);
    topic(e, "", "%.*s asks, by %s\n", SLICE_ARGS(asker),
          fields_find(&e->asked, FIELD_x_forwarded_for) || !fields_find(&e->asked, FIELD_forwarded)
              ? "X-Forwarded-For"
              : "Forwarded");
}

static void print_client(const struct explanation *e)
{
    if (e->rehearsal->trusted) {
        print_trusted(e);
        return;
    }
    topic(e, "client", "%s%s\n", e->from,
          e->from_example ? " (an example; --from ADDRESS names another)" : "");
    if (fields_find(&e->asked, FIELD_x_forwarded_for))
        topic(e, "", "is in none of trusted_proxies: the X-Forwarded-For it sends does not count\n");
}

/* --- site --- */

static bool is_wildcard_of(struct slice name, struct slice host)
{
    if (!slice_starts_with(name, SLICE("*.")) || host.len < name.len)
        return false;
    struct slice tail = slice_after(name, 1);
    return slice_equal(slice_after(host, host.len - tail.len), tail);
}

/* Which of the site's names the host was found by: the exact one, the longest wildcard, or "*". */
static const struct config_host *name_found(const struct config_site *site, struct slice host)
{
    const struct config_host *best = NULL;
    for (uint32_t i = 0; i < site->host_count; i++) {
        const struct config_host *name = &site->hosts[i];
        if (slice_equal(name->name, host))
            return name;
        bool matches = is_wildcard_of(name->name, host) || slice_equal(name->name, SLICE("*"));
        if (matches && (best == NULL || name->name.len > best->name.len))
            best = name;
    }
    return best;
}

static void print_sites(const struct explanation *e)
{
    const struct config *config = e->rehearsal->config;
    topic(e, "site", "none has this host, and none has \"*\"\n");
    for (uint32_t i = 0; i < config->site_count && i < SITES_PRINTED_MAX; i++) {
        const struct config_host *host = &config->sites[i].hosts[0];
        struct slice name = written(host->name, host->origin);
        topic(e, "", "no   %.*s%s", SLICE_ARGS(name), config->sites[i].host_count > 1 ? ", ..." : "");
        end_with_origin(e, host->origin);
    }
    if (config->site_count > SITES_PRINTED_MAX)
        topic(e, "", "... and %u more\n", config->site_count - SITES_PRINTED_MAX);
}

static void print_site(const struct explanation *e)
{
    struct slice host = clean(e, e->rehearsal->authority.host);
    topic(e, "host", "%.*s\n", SLICE_ARGS(host));
    if (e->rehearsal->site == NULL) {
        print_sites(e);
        return;
    }
    const struct config_host *found = name_found(e->rehearsal->site, e->rehearsal->authority.host);
    CHECK(found != NULL);
    const char *why = slice_equal(found->name, SLICE("*")) ? "no site has this host; \"*\" takes it"
                      : slice_starts_with(found->name, SLICE("*."))
                          ? "no site has exactly this host; the longest wildcard takes it"
                          : "has exactly this host";
    struct slice name = written(found->name, found->origin);
    topic(e, "site", "%.*s: %s", SLICE_ARGS(name), why);
    end_with_origin(e, found->origin);
}

/* --- route --- */

static void print_path(const struct explanation *e)
{
    const struct target *target = &e->rehearsal->target;
    struct slice path = clean(e, target->path), raw = clean(e, target->raw_path);
    if (slice_equal(path, raw))
        topic(e, "path", "%.*s\n", SLICE_ARGS(path));
    else
        topic(e, "path", "%.*s, sent as %.*s\n", SLICE_ARGS(path), SLICE_ARGS(raw));
}

/* Where the trace prints, and the label of its next line. */
struct trace {
    const struct explanation *explanation;
    const char *label;
};

static void print_tried(void *arg, const struct config_route *route, bool matched, const char *why)
{
    struct trace *trace = arg;
    struct slice pattern = pattern_of(trace->explanation, route);
    topic(trace->explanation, trace->label, "%-4s %.*s: %s", matched ? "yes" : "no", SLICE_ARGS(pattern),
          why);
    end_with_origin(trace->explanation, route->pattern_origin);
    trace->label = "";
}

static void print_routes(const struct explanation *e)
{
    const struct rehearsal *rehearsal = e->rehearsal;
    struct trace trace = {e, "routes"};
    struct router_query query = {rehearsal->router, rehearsal->site, rehearsal->target.path,
                                 rehearsal->scratch};
    const struct config_route *route = NULL;
    enum fault fault = router_explain(&query, print_tried, &trace, &route);
    CHECK(fault || rehearsal->route == NULL || route == rehearsal->route);
}

static void print_reading(const struct explanation *e, const char *label, const char *who, struct slice path)
{
    const struct rehearsal *rehearsal = e->rehearsal;
    const struct config_route *route = NULL;
    enum fault fault =
        router_find_route(rehearsal->router, rehearsal->site, path, rehearsal->scratch, &route);
    struct slice pattern = fault ? slice_of("no route") : pattern_of(e, route), shown = clean(e, path);
    topic(e, label, "%s: %.*s -> %.*s\n", who, SLICE_ARGS(shown), SLICE_ARGS(pattern));
}

/* An upstream may read the path in another way: all readings must lead to one route. */
static void print_readings(const struct explanation *e)
{
    const struct target *target = &e->rehearsal->target;
    if (!target->ambiguous)
        return;
    print_reading(e, "readings", "as routed", target->path);
    print_reading(e, "", "as sent", target->raw_path);
    print_reading(e, "", "with everything decoded", target->loose_path);
}

/* --- policies --- */

static void print_policies(const struct explanation *e)
{
    const char *label = "policies";
    for (unsigned i = 0; i < e->policy_count; i++) {
        const struct finding_of_policy *finding = &e->policies[i];
        struct slice text = clean(e, finding->text);
        topic(e, label, "%s: %.*s", finding->policy, SLICE_ARGS(text));
        end_with_origin(e, finding->origin);
        label = "";
    }
}

/* What the policies do to every response. */
static void print_response(const struct explanation *e)
{
    const struct fields *fields = &e->rehearsal->response.fields;
    const char *label = "response";
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (field->marks & FIELD_GONE)
            continue;
        struct slice name = field_name(field), value = clean(e, field_value(field));
        topic(e, label, "%-9s %.*s: %.*s\n", "set", SLICE_ARGS(name), SLICE_ARGS(value));
        label = "";
    }
}

/* --- upstream and settings --- */

/* Those of a section in the object; `of` stands before each key. */
static void print_settings(const struct explanation *e, enum section_id section, const char *of,
                           const void *object, const struct config_origin *origins)
{
    size_t count;
    const struct setting *rows = schema_rows(section, &count);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].type >= SETTING_PART)
            continue;
        struct config_origin origin = origins[schema_slot(&rows[i])];
        struct slice value = written(schema_print_scalar(arena_of(e), &rows[i], object), origin);
        topic(e, "", "%s%s: %.*s", of, rows[i].key, SLICE_ARGS(value));
        end_with_origin(e, origin);
    }
}

static void print_upstream(const struct explanation *e, const struct config_upstream *upstream)
{
    topic(e, "upstream", "%.*s", SLICE_ARGS(upstream->name));
    end_with_origin(e, upstream->origin);
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        struct slice text = written(upstream->servers[i].text, upstream->servers[i].origin);
        topic(e, "", "server %.*s", SLICE_ARGS(text));
        end_with_origin(e, upstream->servers[i].origin);
    }
    print_settings(e, SECTION_upstream, "", upstream, upstream->origins);
    if (upstream->connections_max > 0)
        print_settings(e, SECTION_queue, "queue ", &upstream->queue, upstream->queue.origins);
}

static void print_destination(const struct explanation *e)
{
    const struct config_route *route = e->rehearsal->route;
    if (route->upstream)
        print_upstream(e, route->upstream);
    else
        topic(e, "upstream", "none: the route is answered here\n");
    topic(e, "settings", "of the route\n");
    config_print_route_settings(route, e->out, LABEL_WIDTH + 1);
}

/* --- the request as forwarded --- */

static bool has_line(const struct fields *fields, struct slice name, struct slice value)
{
    for (unsigned i = 0; i < fields->count; i++)
        if (slice_equal_nocase(field_name(&fields->at[i]), name) &&
            slice_equal(field_value(&fields->at[i]), value))
            return true;
    return false;
}

static bool has_name(const struct fields *fields, struct slice name)
{
    for (unsigned i = 0; i < fields->count; i++)
        if (slice_equal_nocase(field_name(&fields->at[i]), name))
            return true;
    return false;
}

/* The fields of a head that was written, which has no surprises. */
static struct fields read_lines(struct arena *arena, struct slice lines)
{
    struct fields fields = {.count = 0};
    const char *end_of_line;
    while ((end_of_line = memmem(lines.at, lines.len, "\r\n", 2)) != lines.at) {
        struct slice line = slice_make(lines.at, (size_t)(end_of_line - lines.at));
        size_t name_len = (size_t)((const char *)memchr(line.at, ':', line.len) - line.at);
        fields_add(&fields, arena, slice_make(line.at, name_len),
                   slice_trim(slice_after(line, name_len + 1)));
        lines = slice_after(lines, line.len + 2);
    }
    return fields;
}

static bool is_copied(const struct config_forward_auth *auth, struct slice name)
{
    for (uint32_t i = 0; auth && i < auth->copy_count; i++)
        if (slice_equal_nocase(auth->copy[i].text, name))
            return true;
    return false;
}

static const char *why_removed(const struct explanation *e, const struct field *field)
{
    if (is_copied(e->rehearsal->route->scope.forward_auth, field_name(field)))
        return "only the service that `forward_auth` asks says this";
    if (field->id == FIELD_authorization && e->rehearsal->route->scope.basic_auth)
        return "it was for `basic_auth`, which does not forward it";
    unsigned traits = field->id == FIELD_other ? 0 : field_traits((enum field_id)field->id);
    if (traits & TRAIT_HOP)
        return "concerns this connection only";
    if (traits & TRAIT_OWNED)
        return "only a trusted proxy may send it";
    return "`headers` or Connection names it, or it could be taken for one of the gateway's own";
}

static void print_forwarded(const struct explanation *e, const struct fields *forwarded)
{
    for (unsigned i = 0; i < forwarded->count; i++) {
        struct slice name = field_name(&forwarded->at[i]), value = field_value(&forwarded->at[i]);
        const char *mark = has_line(&e->asked, name, value) ? "kept"
                           : has_name(&e->asked, name)      ? "replaced"
                                                            : "added";
        struct slice shown = clean(e, value);
        topic(e, "", "%-9s %.*s: %.*s\n", mark, SLICE_ARGS(name), SLICE_ARGS(shown));
    }
    for (unsigned i = 0; i < e->asked.count; i++) {
        const struct field *field = &e->asked.at[i];
        if (!has_name(forwarded, field_name(field)))
            topic(e, "", "%-9s %.*s: %s\n", "removed", (int)field->name_len, field->name,
                  why_removed(e, field));
    }
}

/* Written by the codec itself, then taken apart: what is printed is what leaves. */
static void print_request(const struct explanation *e)
{
    const struct message *request = &e->rehearsal->inbound->rx_head;
    char *text = arena_alloc(arena_of(e), h1_head_bound(request));
    size_t len = h1_write_request(request, request->wants_upgrade ? H1_UPGRADE : H1_KEEP_ALIVE, text);
    struct slice head = slice_make(text, len);
    size_t line_len = (size_t)((const char *)memmem(head.at, head.len, "\r\n", 2) - head.at);
    struct fields forwarded = read_lines(arena_of(e), slice_after(head, line_len + 2));
    struct slice line = clean(e, slice_make(head.at, line_len));
    topic(e, "request", "%.*s\n", SLICE_ARGS(line));
    print_forwarded(e, &forwarded);
}

/* --- everything --- */

/* Whether the listener has answered, with a redirect or an ACME challenge; then no route was looked for. */
static bool is_listeners(const struct explanation *e)
{
    return e->rehearsal->answer.status != 0 && e->rehearsal->route == NULL;
}

static void print_answer(const struct explanation *e)
{
    const struct policy_answer *answer = &e->rehearsal->answer;
    struct slice location = clean(e, answer->location);
    topic(e, "answered", "%u here%s%.*s", answer->status, location.len > 0 ? ", see " : "",
          SLICE_ARGS(location));
    if (is_listeners(e)) {
        end_with_origin(e, e->listener->origin);
        return;
    }
    struct slice pattern = pattern_of(e, e->rehearsal->route);
    fprintf(e->out, ", by %.*s", SLICE_ARGS(pattern));
    end_with_origin(e, e->rehearsal->route->origin);
}

static void print_verdict(const struct explanation *e)
{
    const struct fault_row *row = fault_row(e->fault);
    if (e->fault) {
        topic(e, "refused", "%d %s: %s%s\n", row->status, row->name, row->sentence,
              row->closes ? "; the connection is closed" : "");
        return;
    }
    if (e->rehearsal->answer.status != 0) {
        print_answer(e);
        return;
    }
    struct slice pattern = pattern_of(e, e->rehearsal->route), name = e->rehearsal->route->upstream->name;
    topic(e, "routed", "to %.*s, by %.*s", SLICE_ARGS(name), SLICE_ARGS(pattern));
    end_with_origin(e, e->rehearsal->route->origin);
}

void explain_print(const struct explanation *e)
{
    const struct rehearsal *rehearsal = e->rehearsal;
    print_listeners(e);
    if (e->was_read)
        print_client(e);
    if (rehearsal->target.path.len > 0)
        print_path(e);
    if (rehearsal->site || e->fault == FAULT_misdirected)
        print_site(e);
    if (rehearsal->site && !is_listeners(e)) {
        print_routes(e);
        print_readings(e);
    }
    print_policies(e);
    if (rehearsal->route && e->fault != FAULT_ambiguous_path)
        print_destination(e);
    if (!e->fault && rehearsal->answer.status == 0)
        print_request(e);
    print_response(e);
    print_verdict(e);
}
