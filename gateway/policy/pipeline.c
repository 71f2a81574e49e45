/*
 * Rules in their order: which policies have one in a scope is found out when a configuration is compiled, so
 * that a request pays only for those. Called by the exchange through policy/policy.h; knows the policies by
 * their table alone.
 */
#include "policy/policy.h"

#include <stdlib.h>

enum { PIPELINE_MAGIC = 0x50495045 };

/* A policy with its rule. */
struct policy_entry {
    enum policy_id id;
    const struct policy *policy;
    const void *rule;
};

struct policy_chain {
    uint16_t count;
    struct policy_entry entries[POLICY_COUNT];
};

struct pipeline {
    uint32_t magic;
    struct arena arena;
    void *shared[POLICY_COUNT];
    struct policy_chain **chains; /* by config_scope.index */
};

#define POLICY(name, doc) extern const struct policy policy_##name;
#include "tables/policies.def"
#undef POLICY

static const struct policy *const policies[POLICY_COUNT] = {
#define POLICY(name, doc) [POLICY_##name] = &policy_##name,
#include "tables/policies.def"
#undef POLICY
};

/* --- compiling --- */

static void compile_scope(struct pipeline *pipeline, const struct config *config,
                          const struct config_scope *scope, struct config_findings *findings)
{
    struct policy_chain chain = {.count = 0};
    struct policy_compile given = {
        .arena = &pipeline->arena, .config = config, .scope = scope, .findings = findings};
    for (enum policy_id id = 0; id < POLICY_COUNT; id++) {
        given.shared = pipeline->shared[id];
        const void *rule = policies[id]->compile(&given);
        if (rule)
            chain.entries[chain.count++] = (struct policy_entry){id, policies[id], rule};
    }
    size_t size = offsetof(struct policy_chain, entries) + chain.count * sizeof chain.entries[0];
    pipeline->chains[scope->index] = arena_alloc(&pipeline->arena, size);
    memcpy(pipeline->chains[scope->index], &chain, size);
}

static void pipeline_free(void *part)
{
    struct pipeline *pipeline = MAGIC_CAST(pipeline, part, PIPELINE_MAGIC);
    for (enum policy_id id = 0; id < POLICY_COUNT; id++)
        if (pipeline->shared[id])
            policies[id]->unshare(pipeline->shared[id]);
    arena_fini(&pipeline->arena);
    pipeline->magic = 0;
    free(pipeline);
}

static void *pipeline_compile(const struct config *config, const void *previous,
                              struct config_findings *findings)
{
    const struct pipeline *before = previous;
    struct pipeline *pipeline = calloc(1, sizeof *pipeline);
    CHECK(pipeline != NULL);
    pipeline->magic = PIPELINE_MAGIC;
    arena_init(&pipeline->arena, NULL, 0);
    pipeline->chains = arena_zalloc(&pipeline->arena, config->scope_count * sizeof *pipeline->chains);
    for (enum policy_id id = 0; id < POLICY_COUNT; id++)
        if (policies[id]->share)
            pipeline->shared[id] = policies[id]->share(config, before ? before->shared[id] : NULL, findings);
    compile_scope(pipeline, config, &config->defaults, findings);
    for (uint32_t i = 0; i < config->site_count; i++) {
        const struct config_site *site = &config->sites[i];
        compile_scope(pipeline, config, &site->scope, findings);
        for (uint32_t j = 0; j < site->route_count; j++)
            compile_scope(pipeline, config, &site->routes[j].scope, findings);
    }
    return pipeline;
}

const struct config_module pipeline_module = {.name = "pipeline",
                                              .compile = pipeline_compile,
                                              .free = pipeline_free};

/* --- asking --- */

void pipeline_enter(struct policy_call *call, const struct pipeline *pipeline,
                    const struct config_scope *scope)
{
    call->chain = pipeline->chains[scope->index];
    if (call->chain->count > 0 && call->state == NULL)
        call->state = arena_zalloc(call->arena, POLICY_COUNT * sizeof *call->state);
}

enum policy_verdict pipeline_judge(struct policy_call *call)
{
    const struct policy_chain *chain = call->chain;
    while (call->asked < chain->count) {
        const struct policy_entry *entry = &chain->entries[call->asked];
        enum policy_verdict verdict = POLICY_PASS;
        if (entry->policy->judge)
            verdict = entry->policy->judge(call, entry->rule, &call->state[entry->id]);
        if (verdict != POLICY_WAIT && verdict != POLICY_ASK)
            call->asked++;
        if (verdict != POLICY_PASS)
            return verdict;
    }
    return POLICY_PASS;
}

void pipeline_forward(struct policy_call *call)
{
    for (unsigned i = 0; i < call->chain->count; i++) {
        const struct policy_entry *entry = &call->chain->entries[i];
        if (entry->policy->forward)
            entry->policy->forward(call, entry->rule, &call->state[entry->id]);
    }
}

void pipeline_respond(struct policy_call *call, struct message *response)
{
    for (unsigned i = 0; i < call->chain->count; i++) {
        const struct policy_entry *entry = &call->chain->entries[i];
        if (entry->policy->respond)
            entry->policy->respond(call, entry->rule, &call->state[entry->id], response);
    }
}

void pipeline_finish(struct policy_call *call, unsigned status)
{
    for (unsigned i = 0; i < call->chain->count; i++) {
        const struct policy_entry *entry = &call->chain->entries[i];
        if (entry->policy->finish)
            entry->policy->finish(call, entry->rule, &call->state[entry->id], status);
    }
}

/* --- for policies --- */

void policy_say(struct policy_call *call, const char *policy, struct config_origin origin, const char *format,
                ...)
{
    if (call->trace == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    struct slice text = arena_vprintf(call->arena, format, arguments);
    va_end(arguments);
    call->trace(call->trace_arg, policy, origin, text);
}

bool policy_client_address(const struct policy_call *call, struct address *address_out)
{
    if (call->client.at != call->remote.at)
        return address_from_literal(call->client, 0, address_out);
    *address_out = address_of_remote(&call->connection->address);
    return address_out->any.sa_family != AF_UNIX;
}
