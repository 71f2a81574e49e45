/*
 * The plan of cli/load_plan.h: lines from the mix, origins and connections from the lines. What a
 * configuration says about them is load_routes.c's. Called by loadtest.c before anything is sent.
 */
#include "cli/load_plan.h"

#include "http/target.h"
#include "http/websocket.h"
#include "loadtest/mix.h"
#include "loadtest/probe.h"
#include "loadtest/tally.h"

#include <netdb.h>
#include <sys/resource.h>

enum { PORT_HTTP = 80, PORT_HTTPS = 443, FILES_BESIDES = 64 };

/* A plan in the making. */
struct making {
    const struct load_options *options;
    struct load_routes *routes; /* NULL: a URL says where the gateway is */
    struct load_plan *plan;
    struct load_target target; /* where the gateway is, by the URL or the configuration */
    struct mix_entry *entries;
    unsigned entry_count;
};

static bool refuse_mix(const struct mix_error *error)
{
    fprintf(stderr, "portico: --mix, at character %u: %.*s\n", error->column, SLICE_ARGS(error->sentence));
    return false;
}

/* --- where the gateway is --- */

static bool resolve(struct slice host, unsigned port, struct arena *arena, struct address *address_out)
{
    bool is_bracketed = host.len > 2 && host.at[0] == '[';
    struct slice bare = is_bracketed ? slice_make(host.at + 1, host.len - 2) : host;
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found;
    if (address_from_literal(bare, port, address_out))
        return true;
    int error = getaddrinfo(arena_copy(arena, bare), NULL, &wanted, &found);
    if (error) {
        fprintf(stderr, "portico: %.*s: %s\n", SLICE_ARGS(host), gai_strerror(error));
        return false;
    }
    memcpy(&address_out->any, found->ai_addr, found->ai_addrlen);
    address_out->len = found->ai_addrlen;
    if (found->ai_family == AF_INET6)
        address_out->in6.sin6_port = htons((uint16_t)port);
    else
        address_out->in.sin_port = htons((uint16_t)port);
    freeaddrinfo(found);
    return true;
}

static bool refuse_url(const char *url, const char *why)
{
    fprintf(stderr, "portico: %s: %s; write http://HOST[:PORT][/PATH] or https://...\n", url, why);
    return false;
}

static bool take_scheme(struct slice *url, struct slice scheme)
{
    if (url->len < scheme.len || !slice_equal_nocase(slice_make(url->at, scheme.len), scheme))
        return false;
    *url = slice_after(*url, scheme.len);
    return true;
}

static bool take_url(struct making *making)
{
    struct load_target *target = &making->target;
    struct arena *arena = &making->plan->arena;
    struct slice url = slice_make(making->options->url, strcspn(making->options->url, "#"));
    struct authority authority;
    target->secure = take_scheme(&url, SLICE("https://"));
    if (!target->secure && !take_scheme(&url, SLICE("http://")))
        return refuse_url(making->options->url, "not a URL");
    size_t len = 0;
    while (len < url.len && url.at[len] != '/' && url.at[len] != '?')
        len++;
    target->authority = slice_make(url.at, len);
    if (!authority_parse(target->authority, arena, &authority))
        return refuse_url(making->options->url, "no valid host");
    url = slice_after(url, len);
    if (!mix_is_sendable(url))
        return refuse_url(making->options->url, "holds what cannot be sent; percent-encode it");
    target->path = url.len > 0 && url.at[0] == '/' ? url : arena_printf(arena, "/%.*s", SLICE_ARGS(url));
    unsigned port = authority.port ? authority.port : target->secure ? PORT_HTTPS : PORT_HTTP;
    return resolve(authority.host, port, arena, &target->address);
}

/* --- origins --- */

/* NULL: whom the system trusts. */
static const char *trust_for(struct making *making, struct slice host)
{
    if (making->options->ca || making->routes == NULL)
        return making->options->ca;
    struct slice file = reach_trust(&making->routes->reach, host);
    return file.len > 0 ? file.at : NULL;
}

static bool make_tls(struct making *making, struct load_origin *origin)
{
    const struct load_options *options = making->options;
    struct arena *arena = &making->plan->arena;
    struct authority authority = {.port = 0};
    struct tls_error error;
    if (!authority_parse(origin->authority, arena, &authority)) {
        fprintf(stderr, "portico: \"%.*s\" is no host\n", SLICE_ARGS(origin->authority));
        return false;
    }
    const char *trust = trust_for(making, authority.host);
    struct slice host = authority.host;
    if (host.len > 2 && host.at[0] == '[')
        host = slice_make(host.at + 1, host.len - 2);
    struct tls_client_settings settings = {.verify = !options->insecure,
                                           .ca_path = trust,
                                           .partial_chains = true,
                                           .server_name = slice_of(arena_copy(arena, host))};
    origin->tls = tls_client_new(&settings, &error);
    settings.offer_h2 = true;
    origin->tls_h2 = origin->tls ? tls_client_new(&settings, &error) : NULL;
    if (origin->tls_h2 == NULL)
        fprintf(stderr, "portico: %s %s\n", trust ? trust : "the system's certificates", error.text);
    return origin->tls_h2 != NULL;
}

static struct load_origin *origin_of(struct making *making, struct slice authority)
{
    struct load_plan *plan = making->plan;
    for (unsigned i = 0; i < plan->origin_count; i++)
        if (slice_equal_nocase(plan->origins[i].authority, authority))
            return &plan->origins[i];
    struct load_origin *origin = &plan->origins[plan->origin_count++];
    *origin = (struct load_origin){.authority = authority, .secure = making->target.secure};
    return !origin->secure || make_tls(making, origin) ? origin : NULL;
}

/* --- lines --- */

/* Names in lower case, as HTTP/2 wants them. */
static void add_header(struct fields *fields, struct slice text, struct arena *arena)
{
    size_t name_len = (size_t)((const char *)memchr(text.at, ':', text.len) - text.at);
    char *name = arena_copy(arena, slice_make(text.at, name_len));
    for (size_t i = 0; i < name_len; i++)
        name[i] = ascii_lower(name[i]);
    struct slice value = slice_trim(slice_after(text, name_len + 1));
    enum field_id id = field_id_of(slice_make(name, name_len));
    if (id == FIELD_user_agent || id == FIELD_accept)
        fields_remove(fields, id); /* instead of ours */
    fields_add(fields, arena, slice_make(name, name_len), value);
}

static void make_handshake(struct message *request, struct arena *arena)
{
    static const unsigned char nonce[WEBSOCKET_NONCE_LEN] = "portico-loadtest";
    char *key = arena_alloc(arena, WEBSOCKET_KEY_LEN + 1);
    websocket_key_of(nonce, key);
    request->wants_upgrade = true;
    fields_add_id(&request->fields, arena, FIELD_sec_websocket_version, SLICE("13"));
    fields_add_id(&request->fields, arena, FIELD_sec_websocket_key, slice_make(key, WEBSOCKET_KEY_LEN));
}

static void make_content(struct message *request, const struct load_options *options)
{
    bool has_body = options->body_bytes > 0;
    request->method_text = options->method.len ? options->method : has_body ? SLICE("POST") : SLICE("GET");
    request->method = method_of(request->method_text);
    if (has_body)
        request->framing = (struct framing){FRAMING_LENGTH, true, options->body_bytes};
}

static void make_request(struct making *making, struct load_line *line, struct slice target)
{
    struct arena *arena = &making->plan->arena;
    const struct load_options *options = making->options;
    struct message *request = &line->request;
    *request = (struct message){.method = METHOD_GET,
                                .method_text = SLICE("GET"),
                                .target = target,
                                .version_minor = 1,
                                .authority = line->origin->authority};
    fields_add_id(&request->fields, arena, FIELD_host, line->origin->authority);
    fields_add_id(&request->fields, arena, FIELD_user_agent, SLICE("portico-loadtest"));
    if (load_is_events(line->protocol))
        fields_add_id(&request->fields, arena, FIELD_accept, SLICE("text/event-stream"));
    for (unsigned i = 0; i < options->header_count; i++)
        add_header(&request->fields, options->headers[i], arena);
    if (load_is_websocket(line->protocol))
        make_handshake(request, arena);
    else if (!load_is_events(line->protocol))
        make_content(request, options);
}

/* Requests of HTTP/1.1 to one origin share a connection of each client, those of HTTP/2 another. */
static unsigned seat_of(struct load_plan *plan, const struct load_line *line)
{
    if (load_is_events(line->protocol))
        return 0; /* it has none */
    for (const struct load_line *other = plan->lines; other < line; other++)
        if (other->origin == line->origin && other->protocol == line->protocol && line->protocol <= LOAD_H2)
            return other->seat;
    return plan->seat_count++;
}

/* Everything over HTTP/2 to one origin shares a connection of each client. */
static unsigned session_of(const struct load_plan *plan, const struct load_line *line)
{
    for (const struct load_line *other = plan->lines; other < line; other++)
        if (other->origin == line->origin && load_is_h2(other->protocol) && !load_is_events(other->protocol))
            return other->session;
    return line->seat;
}

/* That the route is there; of a trial, that the stand-in of its upstream says its name. */
static bool ask_routes(struct making *making, const struct mix_entry *entry, struct load_line *line)
{
    const struct config_route *route;
    if (making->routes == NULL)
        return true;
    if (!load_routes_find(making->routes, line->origin->authority, entry, &route))
        return false;
    bool is_told = making->options->expect.len == 0 && making->options->trial && line->protocol <= LOAD_H2;
    if (is_told && route->upstream)
        line->expected =
            arena_printf(&making->plan->arena, "\"upstream\": \"%.*s\"", SLICE_ARGS(route->upstream->name));
    return true;
}

static bool add_line(struct making *making, const struct mix_entry *entry)
{
    struct load_plan *plan = making->plan;
    struct load_line *line = &plan->lines[plan->line_count];
    const struct load_options *options = making->options;
    *line = (struct load_line){.weight = entry->weight, .expected = options->expect, .name = entry->target};
    line->protocol = entry->has_protocol ? entry->protocol : options->protocol;
    struct slice usual = making->target.authority;
    struct slice authority = entry->authority.len ? entry->authority : usual;
    if (!slice_equal(authority, usual))
        line->name = arena_printf(&plan->arena, "%.*s%.*s", SLICE_ARGS(authority), SLICE_ARGS(entry->target));
    line->origin = origin_of(making, authority);
    if (line->origin == NULL || !ask_routes(making, entry, line))
        return false;
    make_request(making, line, entry->target);
    line->seat = seat_of(plan, line);
    line->session = session_of(plan, line);
    plan->line_count++;
    plan->has_websockets = plan->has_websockets || load_is_websocket(line->protocol);
    return true;
}

static bool make_lines(struct making *making)
{
    struct load_plan *plan = making->plan;
    unsigned weights[LOAD_LINES_MAX] = {0};
    bool has_h2 = false;
    plan->lines = arena_zalloc(&plan->arena, making->entry_count * sizeof *plan->lines);
    plan->origins = arena_zalloc(&plan->arena, (making->entry_count + 1) * sizeof *plan->origins);
    for (unsigned i = 0; i < making->entry_count; i++) {
        if (!add_line(making, &making->entries[i]))
            return false;
        enum load_protocol protocol = plan->lines[i].protocol;
        weights[i] = load_is_events(protocol) ? 0 : plan->lines[i].weight;
        has_h2 = has_h2 || (load_is_h2(protocol) && !load_is_events(protocol));
    }
    plan->streams = has_h2 ? (unsigned)making->options->streams : 1;
    plan->cycle_len = mix_cycle(weights, plan->line_count, &plan->arena, &plan->cycle);
    if (plan->cycle_len > 0 || plan->rate.count == 0)
        return true;
    fputs("portico: --rate needs something in the mix besides event streams\n", stderr);
    return false;
}

static bool read_mix(struct making *making)
{
    struct mix_error error;
    struct arena *arena = &making->plan->arena;
    if (making->options->mix.at)
        return mix_parse(making->options->mix, arena, &making->entries, &making->entry_count, &error) ||
               refuse_mix(&error);
    if (making->routes)
        return load_routes_mix(making->routes, &making->entries, &making->entry_count);
    making->entries = arena_alloc(arena, sizeof *making->entries);
    making->entries[0] = (struct mix_entry){.target = making->target.path, .weight = 1};
    making->entry_count = 1;
    return true;
}

static void copy_options(const struct load_options *options, struct load_plan *plan)
{
    plan->connections = (unsigned)options->connections;
    plan->threads = (unsigned)options->threads;
    plan->rate = options->rate;
    plan->warmup_us = options->warmup_us;
    plan->duration_us = options->duration_us;
    plan->timeout_us = options->timeout_us;
    plan->message_bytes = (uint32_t)options->message_bytes;
    plan->unverified = options->insecure;
}

/* Every client has a connection for each seat of HTTP/1.1 and each of its requests at a time, and one for all
 * that it asks an origin over HTTP/2. */
static uint64_t sockets_of(const struct load_plan *plan)
{
    uint64_t events = 0, clients = 0;
    unsigned seats = 0;
    for (unsigned i = 0; i < plan->line_count; i++) {
        const struct load_line *line = &plan->lines[i];
        bool is_h2 = load_is_h2(line->protocol), is_events = load_is_events(line->protocol);
        bool is_new = !is_events && line->seat == seats;
        seats += is_new;
        if (is_events)
            events += is_h2 ? line->weight / LOAD_STREAMS_MAX + plan->threads : line->weight;
        else if (is_new)
            clients += is_h2 ? line->session == line->seat : plan->streams;
    }
    return events + clients * plan->connections;
}

static bool has_room(const struct load_plan *plan)
{
    struct rlimit files;
    uint64_t needed = sockets_of(plan) + FILES_BESIDES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= needed)
        return true;
    fprintf(
        stderr,
        "portico: the test needs up to %llu open files, and %llu are allowed: raise the limit (ulimit -n), "
        "or "
        "take fewer --connections, or hosts and WebSockets in the mix, of which every client has its own\n",
        (unsigned long long)needed, (unsigned long long)files.rlim_cur);
    return false;
}

bool load_plan_make(const struct load_options *options, struct load_routes *routes,
                    struct load_plan *plan_out)
{
    struct making making = {.options = options, .routes = routes, .plan = plan_out};
    *plan_out = (struct load_plan){0};
    arena_init(&plan_out->arena, NULL, 0);
    copy_options(options, plan_out);
    if (!(routes ? load_routes_target(routes, &making.target) : take_url(&making)))
        return false;
    if (options->host.len > 0)
        making.target.authority = options->host;
    plan_out->address = making.target.address;
    return read_mix(&making) && make_lines(&making) && has_room(plan_out);
}

void load_plan_fini(struct load_plan *plan)
{
    for (unsigned i = 0; i < plan->origin_count; i++) {
        tls_client_unref(&plan->origins[i].tls);
        tls_client_unref(&plan->origins[i].tls_h2);
    }
    arena_fini(&plan->arena);
}

/* --- whether it is there --- */

static const char *sentence_of(enum fault fault)
{
    switch (fault) {
    case FAULT_connect_refused: return "nobody listens there: start the gateway, or let --try start one";
    case FAULT_connect_timeout: return "no connection within --timeout";
    case FAULT_upstream_certificate_untrusted:
        return "its certificate is not signed by anybody who is trusted: --ca FILE says whom to trust, "
               "--insecure "
               "trusts anybody";
    case FAULT_upstream_certificate_name:
        return "its certificate is for another name: --host or the mix must name a host that it is for";
    case FAULT_upstream_certificate_expired: return "its certificate has expired or is not valid yet";
    case FAULT_upstream_tls_failed:
        return "the TLS handshake failed: is it an http:// listener, or has it no certificate for this host?";
    case FAULT_upstream_not_http2: return "it does not speak HTTP/2";
    case FAULT_upstream_closed:
    case FAULT_upstream_reset:
    case FAULT_upstream_malformed: return "it does not speak HTTP/2 in clear, or not on this port";
    default: return fault_row(fault)->sentence;
    }
}

bool load_plan_probe(const struct load_plan *plan)
{
    char address[ADDRESS_TEXT_MAX];
    address_print(&plan->address, address);
    for (unsigned i = 0; i < plan->line_count; i++) {
        const struct load_line *line = &plan->lines[i];
        bool is_known = false;
        for (unsigned j = 0; j < i && !is_known; j++)
            is_known = plan->lines[j].origin == line->origin &&
                       load_is_h2(plan->lines[j].protocol) == load_is_h2(line->protocol);
        enum fault fault = is_known ? FAULT_NONE : load_probe(plan, line);
        if (fault == FAULT_NONE)
            continue;
        fprintf(stderr, "portico: %s://%.*s at %s: %s\n", line->origin->secure ? "https" : "http",
                SLICE_ARGS(line->origin->authority), address, sentence_of(fault));
        return false;
    }
    return true;
}
