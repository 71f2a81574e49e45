/*
 * Fields that a scope changes in requests and responses (`headers`). What says where a message ends, what
 * belongs to one connection and what the gateway says about the client is nobody else's: changing it is an
 * error of the configuration. Called through policy/policy.h.
 */
#include "policy/cookies.h"
#include "policy/template.h"

/* One change. */
struct change {
    enum config_header_action action;
    enum field_id id;
    struct slice name;
    const struct template *value; /* NULL with REMOVE */
    const struct config_header_change *source;
};

/* The changes of one direction. */
struct changes {
    uint32_t count;
    struct change *at;
};

/* The changes of a scope. */
struct headers_rule {
    struct changes request, response;
    const struct config_cookies *cookies; /* NULL: they stay as they are */
};

/* --- compiling --- */

/* Each of these says something about the client that services believe. */
static bool is_testimony(enum field_id id)
{
    return id == FIELD_x_forwarded_for || id == FIELD_x_real_ip || id == FIELD_forwarded ||
           id == FIELD_x_client_cert_subject || id == FIELD_x_client_cert_verify || id == FIELD_x_request_id;
}

static bool is_of_websocket(struct slice name)
{
    struct slice prefix = SLICE("sec-websocket-");
    return name.len >= prefix.len && slice_equal_nocase(slice_make(name.at, prefix.len), prefix);
}

/* NULL, or why a field of a request must not be changed so. */
static const char *check_request(const struct config_header_change *change, enum field_id id)
{
    bool brings = change->action != CONFIG_HEADER_REMOVE;
    if (is_testimony(id) && brings)
        return "is what the gateway says about the client; it can be removed, not set";
    if (id == FIELD_host && change->action == CONFIG_HEADER_REMOVE)
        return "cannot be removed: every request has it";
    if ((field_traits(id) & TRAIT_OWNED) && change->action == CONFIG_HEADER_ADD)
        return "stands once in a request; use `set`";
    if (id == FIELD_expect)
        return "is answered by the gateway";
    return NULL;
}

static const char *check_change(const struct config_header_change *change, enum field_id id, bool of_request)
{
    if (field_traits(id) & TRAIT_FRAMING)
        return "is the gateway's own: it says where a message ends";
    if ((field_traits(id) & TRAIT_HOP) || id == FIELD_trailer)
        return "is the gateway's own: it concerns one connection";
    if (is_of_websocket(change->name.text))
        return "belongs to the WebSocket handshake";
    return of_request ? check_request(change, id) : NULL;
}

static void compile_changes(const struct policy_compile *given, const struct config_header_changes *from,
                            struct changes *to)
{
    bool of_request = from == &given->scope->headers->request;
    to->at = arena_zalloc(given->arena, (from->count + 1u) * sizeof *to->at);
    for (uint32_t i = 0; i < from->count; i++) {
        const struct config_header_change *source = &from->changes[i];
        if (source->action == CONFIG_HEADER_KEEP)
            continue;
        struct change *change = &to->at[to->count++];
        *change =
            (struct change){source->action, field_id_of(source->name.text), source->name.text, NULL, source};
        const char *problem = check_change(source, change->id, of_request);
        if (problem)
            config_error(given->findings, source->name.origin, "%.*s %s", SLICE_ARGS(source->name.text),
                         problem);
        if (source->action != CONFIG_HEADER_REMOVE)
            change->value = template_compile(given->arena, &source->value, given->findings);
    }
}

static const void *compile(const struct policy_compile *given)
{
    const struct config_headers *headers = given->scope->headers;
    if (headers == NULL)
        return NULL;
    struct headers_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    const struct config_cookies *cookies = &headers->cookies;
    compile_changes(given, &headers->request, &rule->request);
    compile_changes(given, &headers->response, &rule->response);
    bool has_cookies =
        cookies->secure || cookies->http_only || cookies->same_site != CONFIG_SAME_SITE_UNCHANGED;
    rule->cookies = has_cookies ? cookies : NULL;
    return rule->request.count + rule->response.count > 0 || has_cookies ? rule : NULL;
}

/* --- changing --- */

/* Marks the fields of the name as gone; whether there were any. */
static bool remove_fields(struct fields *fields, const struct change *change)
{
    bool found = false;
    for (unsigned i = 0; i < fields->count; i++) {
        struct field *field = &fields->at[i];
        bool is_it = change->id != FIELD_other ? field->id == change->id
                                               : slice_equal_nocase(field_name(field), change->name);
        if (is_it && !(field->marks & FIELD_GONE)) {
            field->marks |= FIELD_GONE;
            found = true;
        }
    }
    return found;
}

static void say(struct policy_call *call, const char *message, const struct change *change, const char *done)
{
    const struct config_text *value = &change->source->value;
    struct slice shown = value->origin.redacted ? slice_of(value->origin.redacted) : value->text;
    policy_say(call, "headers", change->source->name.origin, "%s: %s %.*s%s%.*s", message, done,
               SLICE_ARGS(change->name), shown.len > 0 ? ": " : "", SLICE_ARGS(shown));
}

/* Host stays when there is nothing to put in its place: every request has it. */
static void make_change(struct policy_call *call, const struct change *change, struct fields *fields,
                        const char *message)
{
    static const char *const done[] = {"sets", "adds", "replaces", "removes"};
    struct slice value;
    bool has_value = change->value && template_field_value(change->value, call, &value);
    bool stays = change->id == FIELD_host && !has_value;
    bool is_due = has_value;
    if (change->action != CONFIG_HEADER_ADD && !stays) {
        bool found = remove_fields(fields, change);
        is_due = has_value && (change->action != CONFIG_HEADER_REPLACE || found);
    }
    if (is_due)
        fields_add(fields, call->arena, change->name, value);
    if (call->trace)
        say(call, message, change, change->value && !has_value ? "has no value for" : done[change->action]);
}

static void make_changes(struct policy_call *call, const struct changes *changes, struct fields *fields,
                         const char *message)
{
    for (uint32_t i = 0; i < changes->count; i++)
        make_change(call, &changes->at[i], fields, message);
}

static void fix_cookies(struct policy_call *call, const struct config_cookies *cookies, struct fields *fields)
{
    for (unsigned i = 0; i < fields->count; i++) {
        struct field *field = &fields->at[i];
        if (field->id != FIELD_set_cookie || (field->marks & FIELD_GONE))
            continue;
        struct slice value = cookie_fix(cookies, field_value(field), call->arena);
        field->value = value.at;
        field->value_len = (uint32_t)value.len;
    }
}

static void forward(struct policy_call *call, const void *rule, void **state)
{
    (void)state;
    make_changes(call, &((const struct headers_rule *)rule)->request, &call->request->fields, "request");
}

static void respond(struct policy_call *call, const void *rule_pointer, void **state,
                    struct message *response)
{
    (void)state;
    const struct headers_rule *rule = rule_pointer;
    make_changes(call, &rule->response, &response->fields, "response");
    if (rule->cookies)
        fix_cookies(call, rule->cookies, &response->fields);
}

const struct policy policy_headers = {.name = "headers",
                                      .compile = compile,
                                      .forward = forward,
                                      .respond = respond};
