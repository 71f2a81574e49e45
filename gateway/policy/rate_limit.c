/*
 * How often requests may come (`limits:`): all limits of a scope are asked in one instant, and the request
 * counts only if none rejects it; but those that count users are asked behind them, when it is known who the
 * user is (policy/user_limit.c). The tables outlive a configuration as long as what they count stays the
 * same. Called through policy/policy.h; how a table decides stands in policy/limiter.c, who is counted in
 * policy/limit_key.c, what clients are told in policy/rate_limit_fields.c.
 */
#include "policy/rate_limit.h"

#include "policy/limit_key.h"

#include <stdlib.h>

_Static_assert((uint32_t)CONFIG_LIMIT_NO_DELAY == (uint32_t)LIMITER_NO_DELAY, "one word for no delay");

/* Lines for fail2ban a second: enough to ban by, too few to fill a disk. */
enum { REPORTS_PER_SECOND = 100 };

/* The tables of a configuration. */
struct rate_tables {
    const struct config *config;
    struct limiter *reports;
    struct limiter **limiters; /* by config_limit.index; NULL: mode off */
};

/* The limits of a scope. */
struct rate_rule {
    struct limiter *reports;
    struct slice policy_field; /* empty: clients are told nothing */
    uint32_t count, others;    /* those that count users stand behind the others */
    struct rate_limit limits[LIMITER_CHECKS_MAX];
    struct limiter_check checks[LIMITER_CHECKS_MAX]; /* as they begin, without a key */
};

/* --- tables --- */

static bool same_parts(const struct config_limit *a, const struct config_limit *b)
{
    bool is_same = a->part_count == b->part_count;
    for (uint32_t i = 0; is_same && i < a->part_count; i++)
        is_same = a->parts[i].source == b->parts[i].source && slice_equal(a->parts[i].name, b->parts[i].name);
    return is_same;
}

/* Whether what one has counted means the same to the other. */
static bool same_counts(const struct config_limit *a, const struct config_limit *b)
{
    return slice_equal(a->name, b->name) && a->window == b->window && a->count == b->count &&
           a->period_us == b->period_us && a->memory == b->memory && same_parts(a, b);
}

static struct limiter *find_limiter(const struct rate_tables *tables, const struct config_limit *limit)
{
    for (uint32_t i = 0; tables && i < tables->config->limit_count; i++)
        if (tables->limiters[i] && same_counts(&tables->config->limits[i], limit))
            return limiter_ref(tables->limiters[i]);
    struct limiter_terms terms = {.count = limit->count,
                                  .period_us = limit->period_us,
                                  .window = limit->window,
                                  .memory = limit->memory};
    return limiter_new(&terms, clock_monotonic_us());
}

static struct limiter *new_reports(void)
{
    struct limiter_terms terms = {
        .count = REPORTS_PER_SECOND, .period_us = 1000000, .memory = LIMITER_MEMORY_MIN};
    return limiter_new(&terms, clock_monotonic_us());
}

static void *share(const struct config *config, const void *previous, struct config_findings *findings)
{
    (void)findings;
    const struct rate_tables *before = previous;
    if (config->limit_count == 0)
        return NULL;
    struct rate_tables *tables = calloc(1, sizeof *tables);
    CHECK(tables != NULL);
    tables->config = config;
    tables->reports = before ? limiter_ref(before->reports) : new_reports();
    tables->limiters = calloc(config->limit_count, sizeof *tables->limiters);
    CHECK(tables->limiters != NULL);
    for (uint32_t i = 0; i < config->limit_count; i++)
        if (config->limits[i].mode != CONFIG_LIMIT_OFF)
            tables->limiters[i] = find_limiter(before, &config->limits[i]);
    return tables;
}

static void unshare(void *shared)
{
    struct rate_tables *tables = shared;
    for (uint32_t i = 0; i < tables->config->limit_count; i++)
        limiter_unref(&tables->limiters[i]);
    limiter_unref(&tables->reports);
    free(tables->limiters);
    free(tables);
}

bool rate_limit_counts_users(const struct config_limit *limit)
{
    for (uint32_t i = 0; i < limit->part_count; i++)
        if (limit->parts[i].source == CONFIG_LIMIT_USER)
            return true;
    return false;
}

static void add_limits(const struct policy_compile *given, struct rate_rule *rule, bool users)
{
    const struct config_scope_limits *limits = given->scope->limits;
    const struct rate_tables *tables = given->shared;
    for (uint32_t i = 0; i < limits->count; i++) {
        const struct config_limit *limit = limits->limits[i];
        struct limiter *limiter = tables->limiters[limit->index];
        if (limiter == NULL || rate_limit_counts_users(limit) != users)
            continue;
        rate_limit_prepare(given->arena, limit, &rule->limits[rule->count]);
        rule->checks[rule->count++] =
            (struct limiter_check){.limiter = limiter,
                                   .burst = limit->window ? limit->count - 1 : limit->burst,
                                   .delay_from = limit->delay,
                                   .only_looks = limit->status_count > 0,
                                   .only_tells = limit->mode == CONFIG_LIMIT_SHADOW,
                                   .passes_when_full = limit->when_full == CONFIG_LIMIT_FULL_PASS};
    }
}

static const void *compile(const struct policy_compile *given)
{
    const struct config_scope_limits *limits = given->scope->limits;
    const struct rate_tables *tables = given->shared;
    if (limits == NULL || limits->count == 0)
        return NULL;
    struct rate_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    rule->reports = tables->reports;
    rule->policy_field = rate_limit_policy_field(given->arena, limits);
    add_limits(given, rule, false);
    rule->others = rule->count;
    add_limits(given, rule, true);
    return rule->count > 0 ? rule : NULL;
}

/* --- asking --- */

static void say(struct policy_call *call, const struct config_limit *limit, bool is_counted)
{
    static const char *const modes[] = {"", "; only watches", ""};
    struct slice amount =
        limit->amount.origin.redacted ? slice_of(limit->amount.origin.redacted) : limit->amount.text;
    if (call->trace == NULL)
        return;
    struct slice burst =
        limit->window ? SLICE("") : arena_printf(call->arena, " and %u more at once", limit->burst);
    struct slice key = is_counted ? limit_key_text(limit, call) : limit->parts_text;
    policy_say(call, "rate_limit", limit->origin, "%.*s: %s %.*s%.*s, by %.*s%s%s", SLICE_ARGS(limit->name),
               limit->window ? "at most" : "rate", SLICE_ARGS(amount), SLICE_ARGS(burst), SLICE_ARGS(key),
               is_counted ? "" : ", which this request has not: no limit", modes[limit->mode]);
}

static struct rate_asked *new_asked(struct policy_call *call, const struct rate_rule *rule)
{
    size_t size = sizeof(struct rate_asked) + rule->count * sizeof(struct limiter_check);
    struct rate_asked *asked = arena_alloc(call->arena, size);
    asked->rule = rule;
    asked->listed = asked->count = 0;
    asked->admitted = true;
    return asked;
}

/* Lists those of the rule's limits from this one to that which have somebody to count. */
static void list_checks(struct policy_call *call, struct rate_asked *asked, uint32_t from, uint32_t to)
{
    const struct rate_rule *rule = asked->rule;
    for (uint32_t i = from; i < to; i++) {
        const struct rate_limit *limit = &rule->limits[i];
        struct limiter_check *check = &asked->checks[asked->listed];
        *check = rule->checks[i];
        check->only_looks = check->only_looks || call->trace != NULL;
        bool is_counted = limit_key(limit->config, call, limiter_seed(check->limiter), &check->key);
        say(call, limit->config, is_counted);
        if (is_counted)
            asked->limits[asked->listed++] = limit;
    }
}

/* What a limit found weighs more the more it does to the request. */
static unsigned weight_of(const struct limiter_check *check)
{
    return check->outcome == LIMITER_REJECTED  ? (check->only_tells ? 2 : 3)
           : check->outcome == LIMITER_DELAYED ? 1
                                               : 0;
}

/* The limit that the request's fate hangs on: the first of those that do the most to it. */
static unsigned deciding(const struct rate_asked *asked)
{
    unsigned first = 0;
    for (unsigned i = 1; i < asked->count; i++)
        if (weight_of(&asked->checks[i]) > weight_of(&asked->checks[first]))
            first = i;
    return first;
}

static void note(struct policy_call *call, const struct rate_asked *asked, unsigned index)
{
    static const char *const names[][2] = {[LIMITER_PASSED] = {"PASSED", "PASSED"},
                                           [LIMITER_DELAYED] = {"DELAYED", "DELAYED_DRY_RUN"},
                                           [LIMITER_REJECTED] = {"REJECTED", "REJECTED_DRY_RUN"}};
    const struct limiter_check *check = &asked->checks[index];
    call->limit = asked->limits[index]->config->name;
    call->limit_outcome = names[check->outcome][check->only_tells];
}

static void report(struct policy_call *call, const struct rate_asked *asked, unsigned index)
{
    struct limiter_check check = {
        .limiter = asked->rule->reports, .burst = REPORTS_PER_SECOND - 1, .delay_from = LIMITER_NO_DELAY};
    if (call->trace == NULL && limiter_admit(&check, 1, clock_now_us(&call->loop->clock)))
        call->report = rate_limit_report(call, asked, index);
}

static uint64_t longest_delay_us(const struct rate_asked *asked, unsigned first)
{
    uint64_t longest = 0;
    for (unsigned i = first; i < asked->count; i++) {
        const struct limiter_check *check = &asked->checks[i];
        bool waits = check->outcome == LIMITER_DELAYED && !check->only_tells;
        longest = waits && check->delay_us > longest ? check->delay_us : longest;
    }
    return longest;
}

/* Those that are listed and have not been asked. */
static enum policy_verdict ask(struct policy_call *call, struct rate_asked *asked)
{
    unsigned first = asked->count;
    if (asked->listed == first)
        return POLICY_PASS;
    uint64_t now_us = clock_now_us(&call->loop->clock);
    asked->count = asked->listed;
    asked->admitted = limiter_admit(&asked->checks[first], asked->count - first, now_us);
    unsigned index = deciding(asked);
    note(call, asked, index);
    if (asked->checks[index].outcome == LIMITER_REJECTED && index >= first)
        report(call, asked, index);
    if (!asked->admitted) {
        call->fault = FAULT_rate_limited;
        call->status = asked->limits[index]->config->status;
        call->problem = rate_limit_problem(call->arena, asked);
        return POLICY_REFUSE;
    }
    call->delay_us = call->trace ? 0 : longest_delay_us(asked, first);
    return call->delay_us > 0 ? POLICY_DELAY : POLICY_PASS;
}

/* What a table keeps of a key is seldom in the cache: it is sent for, and whoever else is ready goes on while
 * it comes. */
static bool lets_others_go_first(struct policy_call *call, struct rate_asked *asked)
{
    if (call->trace || asked->listed == 0 || !task_others_ready(&call->loop->tasks))
        return false;
    for (unsigned i = 0; i < asked->listed; i++)
        limiter_expect(&asked->checks[i]);
    task_wake(call->task);
    return true;
}

static enum policy_verdict judge(struct policy_call *call, const void *given, void **state)
{
    const struct rate_rule *rule = given;
    struct rate_asked *asked = *state;
    if (asked == NULL) {
        asked = *state = new_asked(call, rule);
        list_checks(call, asked, 0, rule->others);
        if (lets_others_go_first(call, asked))
            return POLICY_WAIT;
    }
    return ask(call, asked);
}

enum policy_verdict rate_limit_judge_users(struct policy_call *call)
{
    struct rate_asked *asked = call->state[POLICY_rate_limit];
    if (asked == NULL) /* all are off */
        return POLICY_PASS;
    list_checks(call, asked, asked->rule->others, asked->rule->count);
    return ask(call, asked);
}

static void replace(struct policy_call *call, struct message *response, enum field_id id, struct slice value)
{
    fields_remove(&response->fields, id);
    if (value.len > 0)
        fields_add_id(&response->fields, call->arena, id, value);
}

static void respond(struct policy_call *call, const void *given, void **state, struct message *response)
{
    const struct rate_rule *rule = given;
    const struct rate_asked *asked = *state;
    if (asked == NULL || asked->count == 0)
        return;
    if (rule->policy_field.len > 0) {
        replace(call, response, FIELD_ratelimit_policy, rule->policy_field);
        replace(call, response, FIELD_ratelimit, rate_limit_field(call->arena, asked));
    }
    if (!asked->admitted)
        replace(call, response, FIELD_retry_after,
                arena_printf(call->arena, "%llu", (unsigned long long)rate_limit_retry_after(asked)));
}

static bool has_status(const struct config_limit *limit, unsigned status)
{
    for (uint32_t i = 0; i < limit->status_count; i++)
        if (limit->statuses[i].status == status)
            return true;
    return false;
}

/* Guards of logins count now that the answer is known. */
static void finish(struct policy_call *call, const void *given, void **state, unsigned status)
{
    (void)given;
    struct rate_asked *asked = *state;
    for (unsigned i = 0; asked && asked->admitted && i < asked->count; i++) {
        if (!has_status(asked->limits[i]->config, status))
            continue;
        asked->checks[i].only_looks = false;
        bool admitted = limiter_admit(&asked->checks[i], 1, clock_now_us(&call->loop->clock));
        (void)admitted; /* it is over already */
    }
}

const struct policy policy_rate_limit = {.name = "rate_limit",
                                         .share = share,
                                         .unshare = unshare,
                                         .compile = compile,
                                         .judge = judge,
                                         .respond = respond,
                                         .finish = finish};
