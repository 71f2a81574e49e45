/*
 * What clients and watchers are told of limits: fields, the members of a problem, the line for fail2ban.
 * Names of limits are words, so they need no escaping in any of these.
 */
#include "policy/rate_limit.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { SECOND_US = 1000000, DIGITS_MAX = 20 };

static uint64_t ceil_seconds(uint64_t us)
{
    return (us + SECOND_US - 1) / SECOND_US;
}

/* What the policy promises: of a rate, its burst in the time that the burst takes to come back. */
static uint64_t quota_of(const struct config_limit *limit)
{
    return limit->window ? limit->count : limit->burst > 0 ? limit->burst : 1;
}

static bool binds(const struct config_limit *limit)
{
    return limit->mode == CONFIG_LIMIT_ENFORCE;
}

struct slice rate_limit_policy_field(struct arena *arena, const struct config_scope_limits *limits)
{
    struct slice field = {NULL, 0};
    for (uint32_t i = 0; i < limits->count; i++) {
        const struct config_limit *limit = limits->limits[i];
        uint64_t quota = quota_of(limit);
        uint64_t period_us = limit->window ? limit->period_us : quota * limit->period_us / limit->count;
        if (!binds(limit))
            continue;
        field = arena_printf(arena, "%.*s%s\"%.*s\";q=%" PRIu64 ";w=%" PRIu64, SLICE_ARGS(field),
                             field.len > 0 ? ", " : "", SLICE_ARGS(limit->name), quota,
                             period_us < SECOND_US ? 1 : ceil_seconds(period_us));
        if (!limit->window)
            field = arena_printf(arena, "%.*s;portico-burst=%u", SLICE_ARGS(field), limit->burst + 1);
    }
    return field;
}

void rate_limit_prepare(struct arena *arena, const struct config_limit *config, struct rate_limit *limit_out)
{
    *limit_out = (struct rate_limit){.config = config, .quota = quota_of(config)};
    if (binds(config))
        limit_out->item = arena_printf(arena, "\"%.*s\";r=", SLICE_ARGS(config->name));
}

static char *put_before(char *end, struct slice text)
{
    return memcpy(end - text.len, text.at, text.len);
}

static char *put_number_before(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return end;
}

/* By hand, as every response of a limited route has it; from its end, where the digits of a number begin. */
struct slice rate_limit_field(struct arena *arena, const struct rate_asked *asked)
{
    size_t size = 0;
    for (unsigned i = 0; i < asked->count; i++)
        size += asked->limits[i]->item.len + sizeof ";t=, " + 2 * DIGITS_MAX;
    char *end = (char *)arena_alloc(arena, size) + size, *at = end;
    for (unsigned i = asked->count; i-- > 0;) {
        const struct rate_limit *limit = asked->limits[i];
        const struct limiter_check *check = &asked->checks[i];
        if (limit->item.len == 0)
            continue;
        if (at < end)
            at = put_before(at, SLICE(", "));
        at = put_number_before(at, ceil_seconds(check->more_us));
        at = put_before(at, SLICE(";t="));
        at = put_number_before(at, check->left < limit->quota ? check->left : limit->quota);
        at = put_before(at, limit->item);
    }
    return slice_make(at, (size_t)(end - at));
}

uint64_t rate_limit_retry_after(const struct rate_asked *asked)
{
    uint64_t longest = 1;
    for (unsigned i = 0; i < asked->count; i++) {
        uint64_t seconds = rate_limit_rejects(asked, i) ? ceil_seconds(asked->checks[i].more_us) : 0;
        longest = seconds > longest ? seconds : longest;
    }
    return longest;
}

struct slice rate_limit_problem(struct arena *arena, const struct rate_asked *asked)
{
    struct slice names = {NULL, 0};
    for (unsigned i = 0; i < asked->count; i++)
        if (rate_limit_rejects(asked, i))
            names = arena_printf(arena, "%.*s%s\"%.*s\"", SLICE_ARGS(names), names.len > 0 ? "," : "",
                                 SLICE_ARGS(asked->limits[i]->config->name));
    return arena_printf(arena,
                        "\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\","
                        "\"violated-policies\":[%.*s]",
                        SLICE_ARGS(names));
}

/* Without the query, which may hold secrets. nginx has a connection's number where the process' id stands the
 * third time. */
struct slice rate_limit_report(const struct policy_call *call, const struct rate_asked *asked, unsigned index)
{
    const struct limiter_check *check = &asked->checks[index];
    struct slice server = call->site ? call->site->hosts[0].name : SLICE("");
    unsigned version = call->request->version;
    int process = getpid();
    return arena_printf(call->arena,
                        "[error] %d#%d: *%d limiting requests,%s excess: %" PRIu64 ".%03u by zone \"%.*s\", "
                        "client: %.*s, server: %.*s, request: \"%.*s %.*s HTTP/%u.%u\", host: \"%.*s\"",
                        process, process, process, check->only_tells ? " dry run," : "", check->excess / 1000,
                        (unsigned)(check->excess % 1000), SLICE_ARGS(asked->limits[index]->config->name),
                        SLICE_ARGS(call->client), SLICE_ARGS(server), SLICE_ARGS(call->request->method_text),
                        SLICE_ARGS(call->target->raw_path), version / 10, version % 10,
                        SLICE_ARGS(call->authority->host));
}
