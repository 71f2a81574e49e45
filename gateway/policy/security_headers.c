/*
 * What browsers are told with every response of a scope (`security_headers`): each field once, ours instead
 * of the service's. The last of the policies, so that no other one's response goes without. Called through
 * policy/policy.h.
 */
#include "policy/policy.h"

static const enum field_id ids[CONFIG_SECURITY_COUNT] = {
#define SECURITY_HEADER(key, id, recommended, strict, sentence) [CONFIG_SECURITY_##key] = FIELD_##id,
#include "tables/security_headers.def"
#undef SECURITY_HEADER
};

/* One field. */
struct line {
    enum field_id id;
    struct slice value;
    struct config_origin origin;
};

/* The fields of a scope, and which ones of a response they replace. */
struct security_rule {
    bool replaces[FIELD_ID_COUNT];
    uint32_t count;
    struct line lines[CONFIG_SECURITY_COUNT];
};

static const void *compile(const struct policy_compile *given)
{
    const struct config_security_headers *headers = given->scope->security_headers;
    if (headers == NULL)
        return NULL;
    struct security_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    for (unsigned i = 0; i < CONFIG_SECURITY_COUNT; i++) {
        const struct config_text *value = &headers->values[i];
        if (value->text.len == 0)
            continue;
        rule->lines[rule->count++] = (struct line){ids[i], value->text, value->origin};
        rule->replaces[ids[i]] = true;
    }
    return rule->count > 0 ? rule : NULL;
}

/* RFC 6797 section 7.2: a client that does not use TLS must not be told to. */
static bool is_due(const struct policy_call *call, const struct line *line)
{
    return line->id != FIELD_strict_transport_security || call->secure;
}

static void explain(struct policy_call *call, const struct security_rule *rule)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        const struct line *line = &rule->lines[i];
        struct slice name = field_id_name(line->id);
        struct slice value = line->origin.redacted ? slice_of(line->origin.redacted) : line->value;
        policy_say(call, "security_headers", line->origin, "%s %.*s: %.*s",
                   is_due(call, line) ? "sets" : "would set over TLS", SLICE_ARGS(name), SLICE_ARGS(value));
    }
}

static void respond(struct policy_call *call, const void *rule_pointer, void **state,
                    struct message *response)
{
    (void)state;
    const struct security_rule *rule = rule_pointer;
    struct fields *fields = &response->fields;
    for (unsigned i = 0; i < fields->count; i++)
        if (rule->replaces[fields->at[i].id])
            fields->at[i].marks |= FIELD_GONE;
    for (uint32_t i = 0; i < rule->count; i++)
        if (is_due(call, &rule->lines[i]))
            fields_add_id(fields, call->arena, rule->lines[i].id, rule->lines[i].value);
    if (call->trace)
        explain(call, rule);
}

const struct policy policy_security_headers = {.name = "security_headers",
                                               .compile = compile,
                                               .respond = respond};
