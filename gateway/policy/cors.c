/*
 * Cross-origin requests (`cors`), by the CORS protocol of the Fetch standard: a preflight is answered here,
 * other requests pass, and every response says what the scope allows in the place of what the service says.
 * Called through policy/policy.h.
 */
#include "policy/cors.h"

/* The rule of a scope: its fields ready to be sent. */
struct cors_rule {
    const struct config_cors *cors;
    bool any;
    struct slice max_age; /* seconds */
};

static const void *compile(const struct policy_compile *given)
{
    const struct config_cors *cors = given->scope->cors;
    if (cors == NULL || cors->origins == NULL)
        return NULL;
    struct cors_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    rule->cors = cors;
    rule->any = slice_equal(cors->origins[0].text, SLICE("*"));
    rule->max_age = arena_printf(given->arena, "%llu", (unsigned long long)(cors->max_age_us / 1000000));
    return rule;
}

static bool is_preflight(const struct message *request)
{
    return request->method == METHOD_OPTIONS && fields_find(&request->fields, FIELD_origin) &&
           fields_find(&request->fields, FIELD_access_control_request_method);
}

bool cors_answers(const struct policy_call *call)
{
    return call->route && call->route->scope.cors && call->route->scope.cors->origins &&
           is_preflight(call->request);
}

/* The origins are sorted. */
static const struct config_text *find_origin(const struct config_cors *cors, struct slice origin)
{
    uint32_t first = 0, end = cors->origin_count;
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        struct slice text = cors->origins[middle].text;
        int order = memcmp(origin.at, text.at, origin.len < text.len ? origin.len : text.len);
        if (order == 0 && origin.len == text.len)
            return &cors->origins[middle];
        if (order < 0 || (order == 0 && origin.len < text.len))
            end = middle;
        else
            first = middle + 1;
    }
    return NULL;
}

/* The text that allows the request's origin; NULL when nothing does, or it names none. */
static const struct config_text *find_allowed(const struct policy_call *call, const struct cors_rule *rule)
{
    const struct field *origin = fields_find(&call->request->fields, FIELD_origin);
    if (origin == NULL || origin->value_len == 0 || fields_count(&call->request->fields, FIELD_origin) > 1)
        return NULL;
    return rule->any ? &rule->cors->origins[0] : find_origin(rule->cors, field_value(origin));
}

static enum policy_verdict judge(struct policy_call *call, const void *rule_pointer, void **state)
{
    (void)state;
    const struct cors_rule *rule = rule_pointer;
    const struct field *origin = fields_find(&call->request->fields, FIELD_origin);
    if (origin && call->trace) {
        const struct config_text *found = find_allowed(call, rule);
        policy_say(call, "cors", found ? found->origin : rule->cors->origin, "%.*s %s",
                   SLICE_ARGS(field_value(origin)), found ? "may read responses" : "is none of the origins");
    }
    if (!is_preflight(call->request))
        return POLICY_PASS;
    call->answer = (struct policy_answer){.status = 204};
    return POLICY_ANSWER;
}

static void add(struct policy_call *call, struct message *response, enum field_id id, struct slice value)
{
    if (value.len > 0)
        fields_add_id(&response->fields, call->arena, id, value);
}

/* What the service says about it is replaced, whatever it is. */
static void remove_all(struct fields *fields)
{
    for (unsigned i = 0; i < fields->count; i++) {
        struct slice name = field_name(&fields->at[i]), prefix = SLICE("access-control-");
        if (name.len > prefix.len && slice_equal_nocase(slice_make(name.at, prefix.len), prefix))
            fields->at[i].marks |= FIELD_GONE;
    }
}

static void respond(struct policy_call *call, const void *rule_pointer, void **state,
                    struct message *response)
{
    (void)state;
    const struct cors_rule *rule = rule_pointer;
    const struct config_cors *cors = rule->cors;
    const struct config_text *allowed = find_allowed(call, rule);
    remove_all(&response->fields);
    if (!fields_list_has(&response->fields, FIELD_vary, SLICE("Origin")) &&
        !fields_list_has(&response->fields, FIELD_vary, SLICE("*")))
        add(call, response, FIELD_vary, SLICE("Origin"));
    if (allowed == NULL)
        return;
    add(call, response, FIELD_access_control_allow_origin, allowed->text);
    if (cors->credentials)
        add(call, response, FIELD_access_control_allow_credentials, SLICE("true"));
    add(call, response, FIELD_access_control_expose_headers, cors->expose);
    if (!is_preflight(call->request))
        return;
    add(call, response, FIELD_access_control_allow_methods, cors->methods);
    add(call, response, FIELD_access_control_allow_headers, cors->headers);
    add(call, response, FIELD_access_control_max_age, rule->max_age);
}

const struct policy policy_cors = {.name = "cors", .compile = compile, .judge = judge, .respond = respond};
