/*
 * The reading of loadtest/mix.h, and the order of requests: "smooth weighted round robin", by which nobody
 * comes twice in a row who need not. Called once by the command.
 */
#include "loadtest/mix.h"

#include "config/value.h"
#include "http/authority.h"

static const char *const names[LOAD_PROTOCOLS] = {
    [LOAD_H1] = "h1",      [LOAD_H2] = "h2",         [LOAD_WEBSOCKET] = "ws", [LOAD_WEBSOCKET_H2] = "ws2",
    [LOAD_EVENTS] = "sse", [LOAD_EVENTS_H2] = "sse2"};

const char *load_protocol_name(enum load_protocol protocol)
{
    return protocol < LOAD_PROTOCOLS ? names[protocol] : "all";
}

/* Where the reading stands. */
struct reading {
    struct slice text, rest;
    struct arena *arena;
    struct mix_error *error;
};

static bool refuse(struct reading *reading, struct slice at, struct slice sentence)
{
    *reading->error = (struct mix_error){(unsigned)(at.at - reading->text.at) + 1, sentence};
    return false;
}

/* "ws:" and the like at the beginning. A host has a dot, a slash or a port behind it: it is none of these. */
static void take_protocol(struct slice *rest, struct mix_entry *entry)
{
    for (enum load_protocol protocol = 0; protocol < LOAD_PROTOCOLS; protocol++) {
        struct slice name = slice_of(names[protocol]);
        if (!slice_starts_with(*rest, name) || rest->len == name.len || rest->at[name.len] != ':')
            continue;
        entry->has_protocol = true;
        entry->protocol = protocol;
        *rest = slice_after(*rest, name.len + 1);
        return;
    }
}

static bool take_weight(struct reading *reading, struct slice *rest, struct mix_entry *entry)
{
    const char *equals = rest->len ? memrchr(rest->at, '=', rest->len) : NULL;
    bool has_query = rest->len && memchr(rest->at, '?', rest->len) != NULL;
    uint64_t weight;
    if (equals == NULL || has_query)
        return true;
    struct slice number = slice_after(*rest, (size_t)(equals - rest->at) + 1);
    if (value_parse(VALUE_COUNT, number, &weight) != VALUE_OK || weight == 0 || weight > LOAD_WEIGHT_MAX)
        return refuse(reading, number,
                      arena_printf(reading->arena,
                                   "\"%.*s\" is no weight; write a number from 1 to %d behind the =",
                                   SLICE_ARGS(number), LOAD_WEIGHT_MAX));
    entry->weight = (unsigned)weight;
    rest->len = (size_t)(equals - rest->at);
    return true;
}

bool mix_is_sendable(struct slice target)
{
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.at[i] <= ' ' || (unsigned char)target.at[i] >= 0x7f || target.at[i] == '#')
            return false;
    return true;
}

/* None is the test's own. A port that is left out has no colon: then it is a protocol that there is not. */
static bool is_host(struct slice text, struct arena *arena)
{
    struct authority authority;
    return text.len == 0 || (text.at[text.len - 1] != ':' && authority_parse(text, arena, &authority));
}

static bool take_entry(struct reading *reading, struct slice text, struct mix_entry *entry)
{
    struct slice rest = text;
    *entry = (struct mix_entry){.weight = 1, .column = (unsigned)(text.at - reading->text.at) + 1};
    take_protocol(&rest, entry);
    if (!take_weight(reading, &rest, entry))
        return false;
    const char *slash = rest.len ? memchr(rest.at, '/', rest.len) : NULL;
    if (slash == NULL)
        return refuse(
            reading, text,
            arena_printf(reading->arena,
                         "\"%.*s\" has no path; write [h1:|h2:|ws:|ws2:|sse:|sse2:][HOST]/PATH[=WEIGHT]",
                         SLICE_ARGS(text)));
    entry->authority = slice_make(rest.at, (size_t)(slash - rest.at));
    entry->target = slice_after(rest, entry->authority.len);
    if (!mix_is_sendable(rest))
        return refuse(reading, text,
                      arena_printf(reading->arena, "\"%.*s\" holds what cannot be sent; percent-encode it",
                                   SLICE_ARGS(rest)));
    return is_host(entry->authority, reading->arena) ||
           refuse(reading, text,
                  arena_printf(reading->arena, "\"%.*s\" is no host, nor one of h1: h2: ws: ws2: sse: sse2:",
                               SLICE_ARGS(entry->authority)));
}

bool mix_parse(struct slice text, struct arena *arena, struct mix_entry **entries_out, unsigned *count_out,
               struct mix_error *error_out)
{
    struct reading reading = {.text = text, .rest = text, .arena = arena, .error = error_out};
    struct mix_entry *entries = arena_alloc(arena, LOAD_LINES_MAX * sizeof *entries);
    unsigned count = 0;
    struct slice element;
    while (slice_next_element(&reading.rest, &element)) {
        if (count == LOAD_LINES_MAX)
            return refuse(&reading, element, arena_printf(arena, "more than %d entries", LOAD_LINES_MAX));
        if (!take_entry(&reading, element, &entries[count++]))
            return false;
    }
    *entries_out = entries;
    *count_out = count;
    return true;
}

/* The line that is furthest behind its share comes next. */
static unsigned choose(int64_t *credit, const unsigned *weights, unsigned count, unsigned total)
{
    unsigned best = 0;
    for (unsigned i = 0; i < count; i++) {
        credit[i] += weights[i];
        if (credit[i] > credit[best])
            best = i;
    }
    credit[best] -= total;
    return best;
}

unsigned mix_cycle(const unsigned *weights, unsigned count, struct arena *arena, const uint16_t **cycle_out)
{
    int64_t *credit = arena_zalloc(arena, (count + 1) * sizeof *credit);
    unsigned total = 0;
    for (unsigned i = 0; i < count; i++)
        total += weights[i];
    uint16_t *cycle = arena_alloc(arena, (total + 1) * sizeof *cycle);
    for (unsigned i = 0; i < total; i++)
        cycle[i] = (uint16_t)choose(credit, weights, count, total);
    *cycle_out = cycle;
    return total;
}
