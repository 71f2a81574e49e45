/*
 * Who may come in by address (`access: { allow: [...], deny: [...] }`): the most specific network that holds
 * the client's address decides, so that the order of writing does not matter. Others are answered with 403,
 * or with `satisfy: any` have to prove who they are to the policies behind this one. Called through
 * policy/policy.h.
 */
#include "base/network_set.h"
#include "policy/policy.h"

/* What stands in a scope. Denied networks stand before allowed ones, so that they win when they are equal. */
struct access_rule {
    const struct config_access *access;
    struct network_set set;
    const struct config_place **places; /* by network of the set */
    uint32_t denied;                    /* how many of them are; those behind are allowed */
    const struct config_place *sockets; /* what decides about clients of Unix sockets, or NULL */
    bool sockets_denied;
    bool is_one_of_several; /* others may let in whom this does not, and need not be asked about whom it does
                             */
};

/* The networks of a rule while it is made. */
struct draft {
    struct access_rule *rule;
    struct network *networks;
    uint32_t count;
};

/* Every IPv4 address and every IPv6 address. */
static const struct network everywhere[] = {{.bytes = {[10] = 0xff, [11] = 0xff}, .bits = 96}, {.bits = 0}};

static void add_network(struct draft *draft, const struct network *network, const struct config_place *place)
{
    draft->rule->places[draft->count] = place;
    draft->networks[draft->count++] = *network;
}

static void add_socket(struct access_rule *rule, const struct config_place *place, bool denied)
{
    bool specific = place->kind == CONFIG_PLACE_UNIX;
    if (rule->sockets && (rule->sockets->kind == CONFIG_PLACE_UNIX || !specific))
        return;
    rule->sockets = place;
    rule->sockets_denied = denied;
}

static void add_places(struct draft *draft, const struct config_places *places, bool denied)
{
    for (uint32_t i = 0; i < places->count; i++) {
        const struct config_place *place = &places->at[i];
        if (place->kind == CONFIG_PLACE_NETWORK)
            add_network(draft, &place->network, place);
        else
            add_socket(draft->rule, place, denied);
        for (size_t j = 0; place->kind == CONFIG_PLACE_ALL && j < 2; j++)
            add_network(draft, &everywhere[j], place);
    }
}

static bool has_others(const struct config_scope *scope)
{
    return (scope->basic_auth && scope->basic_auth->user_count > 0) ||
           (scope->forward_auth && scope->forward_auth->upstream);
}

static const void *compile(const struct policy_compile *given)
{
    const struct config_access *access = given->scope->access;
    if (access == NULL || access->allow.count + access->deny.count == 0)
        return NULL;
    size_t most = 2 * ((size_t)access->allow.count + access->deny.count);
    struct access_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    rule->access = access;
    rule->is_one_of_several = access->satisfy == CONFIG_SATISFY_ANY && has_others(given->scope);
    rule->places = arena_alloc(given->arena, most * sizeof *rule->places);
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    struct draft draft = {.rule = rule, .networks = arena_alloc(&scratch, most * sizeof *draft.networks)};
    add_places(&draft, &access->deny, true);
    rule->denied = draft.count;
    add_places(&draft, &access->allow, false);
    network_set_build(&rule->set, given->arena, draft.networks, draft.count);
    arena_fini(&scratch);
    return rule;
}

/* What decides about the client, or NULL when nothing that is written does. */
static const struct config_place *decide(const struct policy_call *call, const struct access_rule *rule,
                                         bool *denied_out)
{
    struct address address;
    *denied_out = rule->sockets ? rule->sockets_denied : rule->access->allow.count > 0;
    if (!policy_client_address(call, &address))
        return rule->sockets;
    uint32_t network = network_set_find(&rule->set, &address);
    *denied_out = network == NETWORK_NONE ? rule->access->allow.count > 0 : network < rule->denied;
    return network == NETWORK_NONE ? NULL : rule->places[network];
}

static void say(struct policy_call *call, const struct access_rule *rule, const struct config_place *place,
                bool denied)
{
    struct config_origin origin = place ? place->text.origin : rule->access->origin;
    struct slice text = place ? place->text.text : SLICE("none of the networks");
    if (place && origin.redacted)
        text = slice_of(origin.redacted);
    policy_say(call, "access", origin, "%.*s is in %.*s: %s", SLICE_ARGS(call->client), SLICE_ARGS(text),
               rule->is_one_of_several
                   ? (denied ? "has to prove who it is" : "may come in without a password")
               : denied ? "refused"
                        : "may come in");
}

static enum policy_verdict judge(struct policy_call *call, const void *given, void **state)
{
    (void)state;
    const struct access_rule *rule = given;
    bool denied;
    const struct config_place *place = decide(call, rule, &denied);
    say(call, rule, place, denied);
    if (rule->is_one_of_several) {
        call->let_in = !denied;
        return POLICY_PASS;
    }
    call->fault = denied ? FAULT_access_denied : FAULT_NONE;
    return denied ? POLICY_REFUSE : POLICY_PASS;
}

const struct policy policy_access = {.name = "access", .compile = compile, .judge = judge};
