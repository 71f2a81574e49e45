/*
 * Which methods a scope serves (`methods: [GET, HEAD]`): others are answered with 405 and the list (RFC 9110
 * section 15.5.6). Called through policy/policy.h.
 */
#include "policy/cors.h"

static const void *compile(const struct policy_compile *given)
{
    const struct config_methods *methods = given->scope->methods;
    return methods && methods->count > 0 ? methods : NULL;
}

static bool is_served(const struct config_methods *methods, struct slice method)
{
    for (uint32_t i = 0; i < methods->count; i++)
        if (slice_equal(methods->names[i], method))
            return true;
    return false;
}

static enum policy_verdict judge(struct policy_call *call, const void *rule, void **state)
{
    (void)state;
    const struct config_methods *methods = rule;
    bool served = is_served(methods, call->request->method_text) || cors_answers(call);
    policy_say(call, "methods", methods->origin, "%.*s is %sone of %.*s",
               SLICE_ARGS(call->request->method_text), served ? "" : "not ", SLICE_ARGS(methods->text));
    call->fault = served ? FAULT_NONE : FAULT_method_not_allowed;
    return served ? POLICY_PASS : POLICY_REFUSE;
}

static void respond(struct policy_call *call, const void *rule, void **state, struct message *response)
{
    (void)state;
    const struct config_methods *methods = rule;
    if (call->fault != FAULT_method_not_allowed)
        return;
    fields_remove(&response->fields, FIELD_allow);
    fields_add_id(&response->fields, call->arena, FIELD_allow, methods->text);
}

const struct policy policy_methods = {.name = "methods",
                                      .compile = compile,
                                      .judge = judge,
                                      .respond = respond};
