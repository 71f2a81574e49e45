/*
 * Everything is answered with 503 (`maintenance: true`) but for those who work on it. Called through
 * policy/policy.h.
 */
#include "policy/policy.h"

#include "http/status.h"

static const struct slice SENTENCE = {"this service is being worked on; please come back later\n",
                                      sizeof "this service is being worked on; please come back later\n" - 1};

/* The rule of a scope. */
struct maintenance_rule {
    const struct config_maintenance *maintenance;
    struct policy_answer answer;
    struct slice retry_after; /* seconds; empty: none */
};

static const void *compile(const struct policy_compile *given)
{
    const struct config_maintenance *maintenance = given->scope->maintenance;
    if (maintenance == NULL || !maintenance->on)
        return NULL;
    struct maintenance_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    struct policy_answer *answer = &rule->answer;
    bool is_file = maintenance->file.origin.line > 0;
    rule->maintenance = maintenance;
    answer->status = maintenance->status;
    answer->text = is_file                             ? maintenance->page
                   : maintenance->body.origin.line > 0 ? maintenance->body.text
                                                       : SENTENCE;
    answer->type = maintenance->type.origin.line > 0 ? maintenance->type.text
                   : is_file                         ? SLICE("text/html; charset=utf-8")
                                                     : SLICE("text/plain; charset=utf-8");
    uint64_t seconds = (maintenance->retry_after_us + 999999) / 1000000;
    if (seconds > 0)
        rule->retry_after = arena_printf(given->arena, "%llu", (unsigned long long)seconds);
    return rule;
}

/* The network that lets the client through, as written; NULL when none does. */
static const struct config_text *network_of(const struct config_maintenance *maintenance,
                                            const struct policy_call *call)
{
    struct address address;
    if (maintenance->allow_count == 0 || !policy_client_address(call, &address))
        return NULL;
    for (uint32_t i = 0; i < maintenance->allow_count; i++)
        if (network_contains(&maintenance->allow[i], &address.any))
            return &maintenance->allow_texts[i];
    return NULL;
}

static enum policy_verdict judge(struct policy_call *call, const void *rule_pointer, void **state)
{
    const struct maintenance_rule *rule = rule_pointer;
    const struct config_text *network = network_of(rule->maintenance, call);
    if (network) {
        struct slice text = network->origin.redacted ? slice_of(network->origin.redacted) : network->text;
        policy_say(call, "maintenance", network->origin, "%.*s passes, being in %.*s",
                   SLICE_ARGS(call->client), SLICE_ARGS(text));
        return POLICY_PASS;
    }
    policy_say(call, "maintenance", rule->maintenance->origin, "answered here with %u%s", rule->answer.status,
               rule->maintenance->allow_count > 0 ? "; the client is in none of the networks that pass" : "");
    call->answer = rule->answer;
    *state = call; /* the answer is ours */
    return POLICY_ANSWER;
}

static void replace(struct policy_call *call, struct message *response, enum field_id id, struct slice value)
{
    fields_remove(&response->fields, id);
    if (value.len > 0)
        fields_add_id(&response->fields, call->arena, id, value);
}

static void respond(struct policy_call *call, const void *rule_pointer, void **state,
                    struct message *response)
{
    const struct maintenance_rule *rule = rule_pointer;
    if (*state == NULL)
        return;
    replace(call, response, FIELD_retry_after, rule->retry_after);
    replace(call, response, FIELD_cache_control, SLICE("no-store"));
}

const struct policy policy_maintenance = {.name = "maintenance",
                                          .compile = compile,
                                          .judge = judge,
                                          .respond = respond};
