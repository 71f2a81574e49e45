/*
 * From the client's request to the one the upstream gets: which route it belongs to, which fields must not
 * travel, which the gateway adds. The request-target stays as received; only routing sees the other spellings
 * of its path.
 */
#include "exchange/internal.h"
#include "http/hop_by_hop.h"
#include "policy/forwarded.h"
#include "policy/trust.h"

static void find_site(struct exchange *x)
{
    x->site = router_find_site(x->pin->router, x->authority.host);
    if (x->site == NULL)
        return;
    admit_enter(x, &x->site->scope);
    x->record.site = x->site->hosts[0].name;
}

void request_suppose_site(struct exchange *x)
{
    if (x->site)
        return;
    const struct config_site *site =
        router_find_site(x->pin->router, stream_told(x->in->client)->server_name);
    if (site)
        pipeline_enter(&x->call, x->pin->pipeline, &site->scope);
}

enum fault request_read_target(struct exchange *x)
{
    struct message *request = &x->in->rx_head;
    x->authority = request->split;
    x->record.host = x->authority.host;
    find_site(x);
    if (request->method == METHOD_TRACE)
        return FAULT_method_refused;
    enum fault fault = target_parse(request->target, request->method, x->arena, &x->target);
    return fault ? fault : (enum fault)x->in->client->refusal;
}

/* An upstream may read the path in another way than we do: every spelling must give the route that the
 * canonical one gave. */
static enum fault check_spelling(struct exchange *x, struct slice path)
{
    const struct config_route *route = NULL;
    enum fault fault = router_find_route(x->pin->router, x->site, path, x->home->scratch, &route);
    return !fault && route == x->route ? FAULT_NONE : FAULT_ambiguous_path;
}

/* A site that asks for client certificates is reached only through a handshake that asked for them (A26). */
static bool is_verified(const struct exchange *x)
{
    const struct config_client_certificates *wanted = &x->site->client_certificates;
    const struct stream_tls *told = stream_told(x->in->client);
    if (wanted->ca.text.len == 0)
        return true;
    bool shown = told->certificate_subject.len > 0 || wanted->verify == CONFIG_VERIFY_OPTIONAL;
    return x->in->client->tls && shown && router_find_site(x->pin->router, told->server_name) == x->site;
}

enum fault request_route(struct exchange *x)
{
    if (x->site == NULL)
        return FAULT_misdirected;
    if (!is_verified(x))
        return FAULT_misdirected_certificate;
    enum fault fault =
        router_find_route(x->pin->router, x->site, x->target.path, x->home->scratch, &x->route);
    if (!fault && x->target.ambiguous)
        fault = check_spelling(x, x->target.raw_path);
    if (!fault && x->target.ambiguous)
        fault = check_spelling(x, x->target.loose_path);
    if (fault)
        return fault;
    admit_enter(x, &x->route->scope);
    terms_of_route(x);
    x->record.route = x->route->pattern;
    if (x->route->upstream == NULL) /* a policy answers */
        return FAULT_NONE;
    x->record.upstream = x->route->upstream->name;
    x->cluster = x->pin->clusters[x->route->upstream->index];
    return FAULT_NONE;
}

/* RFC 9112 section 3.2.2: the authority of an absolute-form target replaces Host; HTTP/1.0 clients may have
 * sent none. */
static void set_host(struct exchange *x)
{
    struct message *request = &x->in->rx_head;
    bool absolute = x->target.form == TARGET_ABSOLUTE;
    if (!absolute && fields_find(&request->fields, FIELD_host))
        return;
    fields_remove(&request->fields, FIELD_host);
    struct slice upstream = x->route->upstream->servers[0].text;
    fields_add_id(&request->fields, x->arena, FIELD_host, absolute ? request->authority : upstream);
}

/* Who asked, how and for what: the client's own words count only when it is a trusted proxy. `chain` is the
 * way to us, as far as that is known. */
static void add_forwarded(struct exchange *x, struct slice chain)
{
    struct fields *fields = &x->in->rx_head.fields;
    struct arena *arena = x->arena;
    struct slice host = x->in->rx_head.authority;
    fields_add_id(fields, arena, FIELD_x_forwarded_for, chain);
    fields_add_id(fields, arena, FIELD_x_real_ip, x->record.client);
    if (!x->trusted || !fields_find(fields, FIELD_x_forwarded_proto))
        fields_add_id(fields, arena, FIELD_x_forwarded_proto,
                      x->call.secure ? SLICE("https") : SLICE("http"));
    if (host.len > 0 && (!x->trusted || !fields_find(fields, FIELD_x_forwarded_host)))
        fields_add_id(fields, arena, FIELD_x_forwarded_host, host);
    if (x->route->scope.forwarded)
        fields_add_id(fields, arena, FIELD_forwarded,
                      forwarded_print(arena, x->record.client, x->call.secure, host));
    fields_add_id(fields, arena, FIELD_x_request_id, x->record.request_id);
}

/* Who the client has proved to be. */
static void add_certificate(struct exchange *x)
{
    struct fields *fields = &x->in->rx_head.fields;
    if (x->site->client_certificates.ca.text.len == 0)
        return;
    struct slice subject = stream_told(x->in->client)->certificate_subject;
    fields_add_id(fields, x->arena, FIELD_x_client_cert_verify,
                  subject.len > 0 ? SLICE("SUCCESS") : SLICE("NONE"));
    if (subject.len > 0)
        fields_add_id(fields, x->arena, FIELD_x_client_cert_subject, subject);
}

/* A31: applications that fold '-', '_' and '.' together must not read X_Forwarded_For as ours. */
static bool is_alias(const struct field *field)
{
    return memchr(field->name, '_', field->name_len) || memchr(field->name, '.', field->name_len);
}

/* What only a proxy says, in names that the gateway itself has no use for: X-Forwarded-Ssl and -Scheme, which
 * Rack believes, X-Forwarded-Prefix, and the paths that some frameworks serve instead of the target. */
static bool speaks_of_proxy(const struct field *field)
{
    struct slice name = field_name(field), prefix = SLICE("x-forwarded-");
    if (name.len < prefix.len || ascii_lower(name.at[0]) != 'x')
        return false;
    return slice_equal_nocase(slice_make(name.at, prefix.len), prefix) ||
           slice_equal_nocase(name, SLICE("x-original-url")) ||
           slice_equal_nocase(name, SLICE("x-rewrite-url"));
}

static bool is_unwanted(const struct field *field, bool trusted)
{
    return is_alias(field) || (!trusted && speaks_of_proxy(field));
}

#define BITS_OF_OURS                                                                              \
    (FIELD_BIT(FIELD_x_forwarded_for) | FIELD_BIT(FIELD_x_real_ip) | FIELD_BIT(FIELD_forwarded) | \
     FIELD_BIT(FIELD_x_request_id) | FIELD_BIT(FIELD_x_client_cert_subject) |                     \
     FIELD_BIT(FIELD_x_client_cert_verify))
#define BITS_OF_PROXIES                                                       \
    (FIELD_BIT(FIELD_x_forwarded_proto) | FIELD_BIT(FIELD_x_forwarded_host) | \
     FIELD_BIT(FIELD_x_forwarded_port))
_Static_assert(FIELD_x_request_id < 64, "the gateway's own fields share their bits with no other below 64");

/* Drops what the client must not say: what the gateway itself does, and what proxies do unless it is one that
 * is trusted. */
static void drop_presumed(struct fields *fields, bool trusted)
{
    uint64_t presumed = trusted ? BITS_OF_OURS : BITS_OF_OURS | BITS_OF_PROXIES;
    if (!(fields->seen & (presumed | FIELD_BIT(FIELD_other))))
        return;
    for (unsigned i = 0; i < fields->count; i++) {
        struct field *field = &fields->at[i];
        bool is_presumed = field->id < 64 && (presumed & FIELD_BIT(field->id));
        if (field->id == FIELD_other ? is_unwanted(field, trusted) : is_presumed)
            field->marks |= FIELD_GONE;
    }
}

enum fault request_prepare(struct exchange *x)
{
    struct message *request = &x->in->rx_head;
    CHECK(x->route->upstream != NULL);
    if (x->route->scope.max_body && request->framing.has_length &&
        request->framing.length > x->route->scope.max_body)
        return FAULT_body_too_large;
    if (request->wants_upgrade && x->route->upstream->protocol != CONFIG_PROTOCOL_H1)
        return FAULT_upgrade_unsupported;
    enum fault fault = hop_by_hop_strip(&request->fields);
    if (fault)
        return fault;
    struct slice chain = x->remote;
    if (x->trusted)
        chain = trust_chain(&request->fields, x->arena, x->record.client, x->remote);
    drop_presumed(&request->fields, x->trusted);
    request->target = x->target.raw;
    set_host(x);
    add_forwarded(x, chain);
    add_certificate(x);
    pipeline_forward(&x->call);
    return FAULT_NONE;
}
