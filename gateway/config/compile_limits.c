/*
 * Limits from the main file, and the lists of names by which scopes use them. The lists are resolved when
 * everything has been read, because `defaults` may stand before `limits`. What a limit does is known by
 * policy/rate_limit.c.
 */
#include "config/internal.h"

#include "config/names.h"
#include "config/suggest.h"

enum { LIMITS_MAX = 256, SCOPE_LIMITS_MAX = 8, PARTS_MAX = 8, STATUSES_MAX = 16, WINDOW_MAX = 250000 };

/* --- rate and window --- */

/* "15m", or "m" for one. */
static enum value_problem parse_period(struct slice text, uint64_t *period_out)
{
    char one[VALUE_TEXT_MAX];
    if (text.len == 0)
        return VALUE_UNIT_MISSING;
    bool has_number = text.at[0] >= '0' && text.at[0] <= '9';
    if (has_number || text.len >= sizeof one - 1)
        return value_parse(VALUE_DURATION, text, period_out);
    one[0] = '1';
    memcpy(one + 1, text.at, text.len);
    return value_parse(VALUE_DURATION, slice_make(one, text.len + 1), period_out);
}

/* "10/s"; what is wrong as a sentence, or NULL. */
static const char *parse_amount(struct slice text, struct config_limit *limit)
{
    const char *slash = text.len ? memchr(text.at, '/', text.len) : NULL;
    uint64_t count, period;
    if (slash == NULL)
        return "it needs a time: write 10/s, 300/m or 100/15m";
    size_t count_len = (size_t)(slash - text.at);
    enum value_problem counted = value_parse(VALUE_COUNT, slice_make(text.at, count_len), &count);
    enum value_problem timed = parse_period(slice_after(text, count_len + 1), &period);
    if (counted != VALUE_OK)
        return "what stands before the slash is no whole number; write 10/s";
    if (timed != VALUE_OK)
        return "what stands behind the slash is no time; write s, m, h, d or a duration as 15m";
    if (count == 0)
        return "it lets nothing pass; what must not be served is refused by methods or a route, not by a "
               "limit";
    if (count > 1000000 || period > DAYS(30) || period < count)
        return "it is out of range; at most 1000000 requests, at most 30d, at most 1000000 a second";
    if (limit->window && (count > WINDOW_MAX || period < SECONDS(1)))
        return "it is out of range; a window has at most 250000 requests and is at least 1s long";
    limit->count = (uint32_t)count;
    limit->period_us = period;
    return NULL;
}

void config_read_limit_amount(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    struct config_limit *limit = object;
    if (limit->amount.origin.line > 0) {
        config_error(loader->findings, node->key->origin, "a limit has one of rate and window, not both");
        return;
    }
    limit->window = strcmp(row->key, "window") == 0;
    limit->amount = (struct config_text){.origin = config_keep_origin(loader, node->origin)};
    if (!schema_expect(loader->findings, node, YAML_TEXT,
                       limit->window ? "a window, as 100/15m" : "a rate, as 10/s"))
        return;
    limit->amount.text = config_keep(loader, node->text);
    const char *problem = parse_amount(limit->amount.text, limit);
    struct slice shown = schema_shown(node);
    if (problem)
        config_error(loader->findings, node->origin, "\"%.*s\" is no %s: %s", SLICE_ARGS(shown), row->key,
                     problem);
}

void config_read_limit_delay(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                             void *object)
{
    (void)row;
    struct config_limit *limit = object;
    uint64_t number;
    struct slice shown = schema_shown(node);
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a whole number"))
        return;
    if (value_parse(VALUE_COUNT, node->text, &number) != VALUE_OK || number >= CONFIG_LIMIT_NO_DELAY) {
        config_error(loader->findings, node->origin, "expected a whole number, found \"%.*s\"",
                     SLICE_ARGS(shown));
        return;
    }
    limit->delay = (uint32_t)number;
    limit->delay_text =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
}

/* --- key --- */

static const char *const sources[] = {
    [CONFIG_LIMIT_CLIENT_IP] = "client_ip", [CONFIG_LIMIT_HEADER] = "header",
    [CONFIG_LIMIT_COOKIE] = "cookie",       [CONFIG_LIMIT_ROUTE] = "route",
    [CONFIG_LIMIT_HOST] = "host",           [CONFIG_LIMIT_USER] = "user"};

enum { SOURCE_COUNT = sizeof sources / sizeof *sources };

static bool is_named(unsigned source)
{
    return source == CONFIG_LIMIT_HEADER || source == CONFIG_LIMIT_COOKIE;
}

static void report_source(struct loader *loader, const struct yaml_node *node, struct slice word)
{
    struct slice shown = schema_shown(node);
    struct suggestion suggestion = suggest_start(word);
    for (unsigned i = 0; i < SOURCE_COUNT; i++)
        suggest_offer(&suggestion, slice_of(sources[i]));
    if (suggestion.best.len > 0)
        config_error(loader->findings, node->origin, "unknown key \"%.*s\"; did you mean \"%.*s\"?",
                     SLICE_ARGS(shown), SLICE_ARGS(suggestion.best));
    else
        config_error(
            loader->findings, node->origin,
            "unknown key \"%.*s\"; known are: client_ip, header NAME, cookie NAME, route, host, user",
            SLICE_ARGS(shown));
}

/* The name of a header in lower case, as requests have it in HTTP/2; cookies keep theirs. */
static struct slice keep_name(struct loader *loader, unsigned source, struct slice name)
{
    char *kept = arena_copy(&loader->config->arena, name);
    for (size_t i = 0; i < name.len && source == CONFIG_LIMIT_HEADER; i++)
        kept[i] = ascii_lower(kept[i]);
    return slice_make(kept, name.len);
}

static void read_source(struct loader *loader, const struct yaml_node *node, struct config_limit_part *part)
{
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a source, as client_ip"))
        return;
    struct slice rest = node->text, word = {NULL, 0}, name = {NULL, 0}, shown = schema_shown(node);
    bool has_name = schema_next_word(&rest, &word) && schema_next_word(&rest, &name);
    unsigned source = 0;
    while (source < SOURCE_COUNT && !slice_equal(word, slice_of(sources[source])))
        source++;
    part->text =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
    if (source == SOURCE_COUNT) {
        report_source(loader, node, word);
        return;
    }
    bool is_right =
        has_name == is_named(source) && slice_trim(rest).len == 0 && (!has_name || names_is_token(name));
    if (!is_right)
        config_error(loader->findings, node->origin,
                     is_named(source)
                         ? "\"%.*s\": write %s and one name, as header X-Api-Key or cookie session"
                         : "\"%.*s\": %s stands alone",
                     SLICE_ARGS(shown), sources[source]);
    part->source = (enum config_limit_source)source;
    part->name = keep_name(loader, source, name);
}

void config_read_limit_key(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                           void *object)
{
    (void)row;
    struct config_limit *limit = object;
    bool is_list = node->kind == YAML_LIST;
    uint32_t count = is_list ? node->count : 1;
    if (count == 0 || count > PARTS_MAX) {
        config_error(loader->findings, node->origin, "a key has 1 to %d parts", PARTS_MAX);
        return;
    }
    limit->parts = arena_zalloc(&loader->config->arena, count * sizeof *limit->parts);
    limit->part_count = count;
    const struct yaml_node *child = is_list ? node->children : node;
    for (uint32_t i = 0; i < count; i++, child = child->next)
        read_source(loader, child, &limit->parts[i]);
}

static void set_default_key(struct loader *loader, struct config_limit *limit)
{
    limit->parts = arena_zalloc(&loader->config->arena, sizeof *limit->parts);
    limit->parts[0].text.text = SLICE("client_ip");
    limit->part_count = 1;
}

/* What explanations call the key; a name from ${env:} is shown as it was written. */
static struct slice describe_key(struct loader *loader, const struct config_limit *limit)
{
    struct slice text = {NULL, 0};
    for (uint32_t i = 0; i < limit->part_count; i++) {
        const struct config_text *part = &limit->parts[i].text;
        struct slice shown = part->origin.redacted ? slice_of(part->origin.redacted) : part->text;
        text = arena_printf(&loader->config->arena, "%.*s%s%.*s", SLICE_ARGS(text), i > 0 ? ", " : "",
                            SLICE_ARGS(shown));
    }
    return text;
}

/* --- count --- */

static void read_status(struct loader *loader, const struct yaml_node *node,
                        struct config_limit_status *status)
{
    uint64_t number = 0;
    if (!schema_expect(loader->findings, node, YAML_TEXT, "a status, as 401"))
        return;
    struct slice shown = schema_shown(node);
    if (value_parse(VALUE_COUNT, node->text, &number) != VALUE_OK || number < 200 || number > 599)
        config_error(loader->findings, node->origin, "\"%.*s\" is no status of a response; 200 to 599 are",
                     SLICE_ARGS(shown));
    status->status = (uint32_t)number;
    status->text =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
}

void config_read_limit_count(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                             void *object)
{
    (void)row;
    struct config_limit *limit = object;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of statuses, as [401, 403]"))
        return;
    if (node->count > STATUSES_MAX) {
        config_error(loader->findings, node->origin, "more than %d statuses", STATUSES_MAX);
        return;
    }
    limit->statuses = arena_zalloc(&loader->config->arena, (node->count + 1) * sizeof *limit->statuses);
    for (const struct yaml_node *child = node->children; child; child = child->next)
        read_status(loader, child, &limit->statuses[limit->status_count++]);
}

/* --- limits --- */

static void check_rate(struct loader *loader, const struct config_limit *limit)
{
    struct slice name = limit->name;
    bool is_slow = limit->period_us > MINUTES(1) && limit->count > 1 && limit->burst == 0;
    if (limit->delay != CONFIG_LIMIT_NO_DELAY && limit->delay >= limit->burst)
        config_error(loader->findings, limit->delay_text.origin,
                     "nobody waits behind %u requests of a burst of %u; delay must be below burst",
                     limit->delay, limit->burst);
    if (is_slow)
        config_warning(
            loader->findings, limit->amount.origin,
            "the rate of \"%.*s\" lets one request pass every %.1f s; for %u at any time write window: "
            "instead of rate:",
            SLICE_ARGS(name), (double)limit->period_us / 1e6 / limit->count, limit->count);
}

static void check_limit(struct loader *loader, const struct config_limit *limit)
{
    struct config_origin burst = config_setting_origin(limit->origins, "limit", "burst");
    if (limit->amount.origin.line == 0)
        config_error(loader->findings, limit->origin,
                     "a limit needs a rate, as 10/s, or a window, as 100/15m");
    else if (!limit->window)
        check_rate(loader, limit);
    else if (limit->burst > 0)
        config_error(loader->findings, burst, "a window has no burst: all of it may come at once");
    else if (limit->delay != CONFIG_LIMIT_NO_DELAY)
        config_error(loader->findings, limit->delay_text.origin,
                     "nobody waits for a window; delay is for rates");
}

static void read_limit(struct loader *loader, const struct yaml_node *node, struct config_limit *limit)
{
    limit->name = config_keep(loader, node->key->text);
    limit->origin = config_keep_origin(loader, node->key->origin);
    limit->origins = config_new_origins(loader, SECTION_limit);
    limit->delay = CONFIG_LIMIT_NO_DELAY;
    schema_set_defaults(SECTION_limit, limit);
    const char *problem = names_check_name(limit->name);
    if (problem)
        config_error(loader->findings, limit->origin, "%s", problem);
    struct section_target target = {.object = limit, .settings = limit, .origins = limit->origins};
    if (!schema_expect(loader->findings, node, YAML_MAP, "a mapping, as { rate: 10/s, burst: 20 }"))
        return;
    bool all_known = config_read_section(loader, SECTION_limit, node, target);
    if (limit->part_count == 0)
        set_default_key(loader, limit);
    limit->parts_text = describe_key(loader, limit);
    if (all_known)
        check_limit(loader, limit);
}

void config_read_limits(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                        void *object)
{
    (void)row;
    struct config *config = object;
    if (!schema_expect(loader->findings, node, YAML_MAP, "a mapping of names"))
        return;
    if (node->count > LIMITS_MAX) {
        config_error(loader->findings, node->origin, "more than %d limits", LIMITS_MAX);
        return;
    }
    config->limits = arena_zalloc(&config->arena, (node->count + 1) * sizeof *config->limits);
    for (const struct yaml_node *child = node->children; child; child = child->next) {
        struct config_limit *limit = &config->limits[config->limit_count];
        limit->index = config->limit_count++;
        read_limit(loader, child, limit);
    }
}

/* --- of a scope --- */

static void read_name(struct loader *loader, const struct yaml_node *node, struct config_scope_limits *limits)
{
    if (!schema_expect(loader->findings, node, YAML_TEXT, "the name of a limit"))
        return;
    struct slice shown = schema_shown(node);
    for (uint32_t i = 0; i < limits->count; i++)
        if (slice_equal(limits->names[i].text, node->text))
            config_error(loader->findings, node->origin, "\"%.*s\" is on the list already",
                         SLICE_ARGS(shown));
    limits->names[limits->count++] =
        (struct config_text){config_keep(loader, node->text), config_keep_origin(loader, node->origin)};
}

void config_read_scope_limits(struct loader *loader, const struct setting *row, const struct yaml_node *node,
                              void *object)
{
    (void)row;
    struct config_scope *scope = object;
    if (!schema_expect(loader->findings, node, YAML_LIST, "a list of limits, as [api]"))
        return;
    if (node->count > SCOPE_LIMITS_MAX) {
        config_error(loader->findings, node->origin, "more than %d limits in one place", SCOPE_LIMITS_MAX);
        return;
    }
    struct arena *arena = &loader->config->arena;
    struct config_scope_limits *limits = arena_zalloc(arena, sizeof *limits);
    limits->names = arena_zalloc(arena, (node->count + 1) * sizeof *limits->names);
    limits->limits = arena_zalloc(arena, (node->count + 1) * sizeof *limits->limits);
    limits->origin = config_keep_origin(loader, node->origin);
    for (const struct yaml_node *child = node->children; child; child = child->next)
        read_name(loader, child, limits);
    limits->next = loader->scope_limits;
    loader->scope_limits = limits;
    scope->limits = limits;
}

/* --- names --- */

static const struct config_limit *find_limit(struct loader *loader, const struct config_text *name)
{
    const struct config *config = loader->config;
    struct suggestion suggestion = suggest_start(name->text);
    struct slice shown = name->origin.redacted ? slice_of(name->origin.redacted) : name->text;
    for (uint32_t i = 0; i < config->limit_count; i++) {
        if (slice_equal(config->limits[i].name, name->text))
            return &config->limits[i];
        suggest_offer(&suggestion, config->limits[i].name);
    }
    if (suggestion.best.len > 0)
        config_error(loader->findings, name->origin, "no limit is called \"%.*s\"; did you mean \"%.*s\"?",
                     SLICE_ARGS(shown), SLICE_ARGS(suggestion.best));
    else
        config_error(loader->findings, name->origin,
                     "no limit is called \"%.*s\"; limits: at the top level defines them", SLICE_ARGS(shown));
    return NULL;
}

void config_link_limits(struct loader *loader)
{
    const struct config *config = loader->config;
    bool *used = arena_zalloc(&loader->trees, config->limit_count + 1);
    if (loader->is_incomplete)
        return;
    for (struct config_scope_limits *limits = loader->scope_limits; limits; limits = limits->next)
        for (uint32_t i = 0; i < limits->count; i++) {
            limits->limits[i] = find_limit(loader, &limits->names[i]);
            if (limits->limits[i])
                used[limits->limits[i]->index] = true;
        }
    for (uint32_t i = 0; i < config->limit_count && loader->findings->errors == 0; i++)
        if (!used[i])
            config_warning(loader->findings, config->limits[i].origin, "nothing uses the limit \"%.*s\"",
                           SLICE_ARGS(config->limits[i].name));
}
