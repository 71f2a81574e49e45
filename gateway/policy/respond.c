/*
 * Routes that are answered here (`respond: 404`): a status, a text and its type, the same for every request.
 * Called through policy/policy.h.
 */
#include "policy/policy.h"

#include "http/status.h"

/* The rule of a route. */
struct respond_rule {
    struct policy_answer answer;
    struct config_origin origin;
};

static const void *compile(const struct policy_compile *given)
{
    const struct config_respond *respond = given->scope->respond;
    if (respond == NULL)
        return NULL;
    struct respond_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    struct policy_answer *answer = &rule->answer;
    struct slice phrase = status_phrase(respond->status);
    rule->origin = respond->origin;
    answer->status = respond->status;
    answer->text = respond->body.text;
    answer->type = respond->type.text;
    bool is_empty = status_has_no_content(respond->status) || respond->status == 205;
    if (respond->body.origin.line == 0 && !is_empty)
        answer->text = arena_printf(given->arena, "%u %.*s\n", respond->status, SLICE_ARGS(phrase));
    if (respond->type.origin.line == 0 && answer->text.len > 0)
        answer->type = SLICE("text/plain; charset=utf-8");
    return rule;
}

static enum policy_verdict judge(struct policy_call *call, const void *rule_pointer, void **state)
{
    (void)state;
    const struct respond_rule *rule = rule_pointer;
    policy_say(call, "respond", rule->origin, "the route is answered here: %u, %zu bytes of %.*s",
               rule->answer.status, rule->answer.text.len,
               SLICE_ARGS(rule->answer.type.len > 0 ? rule->answer.type : SLICE("nothing")));
    call->answer = rule->answer;
    return POLICY_ANSWER;
}

const struct policy policy_respond = {.name = "respond", .compile = compile, .judge = judge};
