/*
 * The table of options of cli/load_options.h: what each is called, of which kind its value is and where it
 * goes. Called by loadtest.c.
 */
#include "cli/load_options.h"

#include "config/override.h"
#include "config/suggest.h"
#include "config/value.h"
#include "http/bytes.h"

#include <stddef.h>

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_COUNT,
    OPTION_DURATION,
    OPTION_SIZE,
    OPTION_RATE,
    OPTION_PROTOCOL,
    OPTION_OVERRIDE,
    OPTION_METHOD,
    OPTION_HEADER
};

/* A row of the table. */
struct option {
    const char *name;
    const char *value; /* what it is called in the list; NULL: none */
    enum option_kind kind;
    size_t place;  /* in struct load_options */
    uint64_t most; /* of counts, sizes and durations */
    const char *sentence;
};

#define PLACE(member) offsetof(struct load_options, member)

static const struct option options[] = {
    {"--config", "FILE", OPTION_PATH, PLACE(config), 0,
     "ask the gateway that serves this configuration; without --mix, one path of each route"},
    {"--try", NULL, OPTION_FLAG, PLACE(trial), 0,
     "start a gateway of its own for --config, with a stand-in for every upstream"},
    {"--mix", "MIX", OPTION_TEXT, PLACE(mix), 0,
     "what to ask for: [h1:|h2:|ws:|ws2:|sse:|sse2:][HOST]/PATH[=WEIGHT], separated by commas; ws2 and sse2 "
     "are "
     "over HTTP/2, and the weight of sse and sse2 is how many event streams are held open"},
    {"--protocol", "h1|h2", OPTION_PROTOCOL, PLACE(protocol), 0, "of entries of the mix that name none (h1)"},
    {"--host", "HOST", OPTION_TEXT, PLACE(host), 0, "the Host to ask for instead of the URL's"},
    {"--listener", "ADDRESS", OPTION_TEXT, PLACE(listener), 0,
     "of the configuration, as it writes it; without it one that serves, over TLS if there is one"},
    {"--override", "OLD=NEW", OPTION_OVERRIDE, 0, 0,
     "an address of the configuration replaced, as run takes it"},
    {"--connections", "N", OPTION_COUNT, PLACE(connections), 20000, "clients, each with its connection (16)"},
    {"--streams", "N", OPTION_COUNT, PLACE(streams), LOAD_STREAMS_MAX,
     "requests at a time of each client, when some of the mix are over h2, where they share a connection "
     "(1)"},
    {"--threads", "N", OPTION_COUNT, PLACE(threads), LOAD_THREADS_MAX, "of the generator (1)"},
    {"--rate", "N/s", OPTION_RATE, PLACE(rate), 0,
     "open loop: so many requests begin a second, whatever becomes of them; latency counts from when each "
     "was due. "
     "Without it, closed loop: every client asks again as soon as it is answered"},
    {"--duration", "TIME", OPTION_DURATION, PLACE(duration_us), DAYS(1), "that is measured (10s)"},
    {"--warmup", "TIME", OPTION_DURATION, PLACE(warmup_us), HOURS(1), "before that, counted in nothing (1s)"},
    {"--timeout", "TIME", OPTION_DURATION, PLACE(timeout_us), HOURS(1), "for a whole answer (10s)"},
    {"--message", "SIZE", OPTION_SIZE, PLACE(message_bytes), MIB(1), "of a WebSocket's message (64B)"},
    {"--header", "'Name: value'", OPTION_HEADER, 0, 0,
     "sent with every request; may be given several times, and is in no report"},
    {"--method", "METHOD", OPTION_METHOD, PLACE(method), 0,
     "of requests over h1 and h2 (GET, or POST with a body)"},
    {"--body", "SIZE", OPTION_SIZE, PLACE(body_bytes), TIB(1),
     "of the content of requests over h1 and h2 (none)"},
    {"--expect", "TEXT", OPTION_TEXT, PLACE(expect), 0, "that every answer's content must hold"},
    {"--ca", "FILE", OPTION_PATH, PLACE(ca), 0,
     "PEM file of who is trusted to have signed the gateway's certificate, instead of the system's or, with "
     "--config, the certificate of the configuration"},
    {"--insecure", NULL, OPTION_FLAG, PLACE(insecure), 0, "trust any certificate; the reports say so"},
    {"--reload-every", "TIME", OPTION_DURATION, PLACE(reload_every_us), DAYS(1),
     "have the gateway load its configuration again so often: the one of --config, of --try or of --pid"},
    {"--pid", "PID", OPTION_COUNT, PLACE(pid), 1 << 22, "whom --reload-every signals, when no pidfile tells"},
    {"--kill-upstream", "NAME", OPTION_TEXT, PLACE(kill_upstream), 0,
     "with --try: this upstream's stand-in is gone from the first third of the test to the second"},
    {"--fail-if", "LIMITS", OPTION_TEXT, PLACE(fail_if), 0,
     "exit with 1 if p99>50ms, errors>0, errors>1%, lost>0, rate<500/s and the like, separated by commas; "
     "'/api: p99>20ms' is about what the report calls /api alone, 'ws:/chat: lost>0' about it over ws"},
    {"--json", "FILE", OPTION_PATH, PLACE(json), 0, "write the report as JSON; - is stdout"},
    {"--html", "FILE", OPTION_PATH, PLACE(html), 0, "write the report as one page"},
};

enum { OPTIONS = sizeof options / sizeof options[0] };

static bool refuse(const char *name, const char *value, const char *wanted)
{
    fprintf(stderr, "portico: %s %s: that is not %s\n", name, value, wanted);
    return false;
}

/* An empty text is a variable of a script that is not set: nothing that could be meant. */
static bool refuse_empty(const struct option *option)
{
    fprintf(stderr, "portico: %s needs %s\n", option->name, option->value);
    return false;
}

static bool take_number(const struct option *option, const char *value, uint64_t *number_out)
{
    static const char *const wanted[] = {[OPTION_COUNT] = "a number",
                                         [OPTION_DURATION] = "a time with its unit, such as 30s",
                                         [OPTION_SIZE] = "a size with its unit, such as 16KiB"};
    enum value_kind kind = option->kind == OPTION_COUNT      ? VALUE_COUNT
                           : option->kind == OPTION_DURATION ? VALUE_DURATION
                                                             : VALUE_SIZE;
    bool may_be_0 = option->place == PLACE(warmup_us);
    uint64_t number;
    if (value_parse(kind, slice_of(value), &number) != VALUE_OK)
        return refuse(option->name, value, wanted[option->kind]);
    if (number > option->most || (number == 0 && !may_be_0)) {
        char most[VALUE_TEXT_MAX];
        value_print(kind, option->most, most);
        fprintf(stderr, "portico: %s %s: it must be %s %s\n", option->name, value,
                may_be_0 ? "at most" : "more than 0 and at most", most);
        return false;
    }
    *number_out = number;
    return true;
}

static bool take_protocol(const char *value, enum load_protocol *protocol_out)
{
    bool is_h2 = strcmp(value, "h2") == 0;
    *protocol_out = is_h2 ? LOAD_H2 : LOAD_H1;
    return is_h2 || strcmp(value, "h1") == 0 || refuse("--protocol", value, "h1 or h2");
}

static bool take_method(const char *value, struct slice *method_out)
{
    *method_out = slice_of(value);
    bool is_known = bytes_are_token(*method_out) && method_of(*method_out) != METHOD_CONNECT;
    return is_known || refuse("--method", value, "a method that can be asked with");
}

/* What frames a message, belongs to its connection or names its host is not for --header. */
static bool take_header(const char *value, struct load_options *out)
{
    size_t name_len = strcspn(value, ":");
    struct slice name = slice_make(value, name_len);
    struct slice text = value[name_len] ? slice_trim(slice_of(value + name_len + 1)) : slice_make(NULL, 0);
    enum field_id id = field_id_of(name);
    if (out->header_count == LOAD_HEADERS_MAX)
        return refuse("--header", value, "possible: there are too many of them");
    if (!bytes_are_token(name) || value[name_len] == '\0' || !bytes_all(text, BYTE_VALUE))
        return refuse("--header", value, "of the form 'Name: value'");
    if (id == FIELD_host || (id != FIELD_other && (field_traits(id) & (TRAIT_HOP | TRAIT_FRAMING))))
        return refuse("--header", value,
                      "for --header: it belongs to the connection, or --host and --body make it");
    out->headers[out->header_count++] = slice_of(value);
    return true;
}

static bool take(const struct option *option, const char *value, struct load_options *out)
{
    void *place = (char *)out + option->place;
    switch (option->kind) {
    case OPTION_FLAG: *(bool *)place = true; return true;
    case OPTION_TEXT: *(struct slice *)place = slice_of(value); return true;
    case OPTION_PATH: *(const char **)place = value; return true;
    case OPTION_RATE:
        return load_rate_parse(slice_of(value), place) ||
               refuse(option->name, value, "a rate such as 500/s or 90/m");
    case OPTION_PROTOCOL: return take_protocol(value, place);
    case OPTION_METHOD: return take_method(value, place);
    case OPTION_HEADER: return take_header(value, out);
    case OPTION_OVERRIDE: return config_override_add(value) || refuse(option->name, value, "OLD=NEW");
    default: return take_number(option, value, place);
    }
}

static const struct option *find(const char *name)
{
    for (unsigned i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static bool refuse_unknown(const char *name)
{
    struct suggestion suggestion = suggest_start(slice_of(name));
    for (unsigned i = 0; i < OPTIONS; i++)
        suggest_offer(&suggestion, slice_of(options[i].name));
    fprintf(stderr, "portico: loadtest has no option \"%s\"", name);
    if (suggestion.best.len > 0)
        fprintf(stderr, "; did you mean %.*s?", SLICE_ARGS(suggestion.best));
    fprintf(stderr, " See: portico loadtest --help\n");
    return false;
}

static bool disagree(const char *sentence)
{
    fprintf(stderr, "portico: loadtest: %s\n", sentence);
    return false;
}

/* What does not go together. */
static bool agrees(const struct load_options *o)
{
    if (!o->url && !o->config)
        return disagree("say whom to ask: a URL, or --config FILE");
    if (o->url && o->config)
        return disagree("a URL or --config FILE, not both; --host and --mix say what to ask for");
    if (o->trial && !o->config)
        return disagree("--try needs --config FILE, whose upstreams it stands in for");
    if (o->kill_upstream.len && !o->trial)
        return disagree("--kill-upstream needs --try: only stand-ins can be killed");
    if (o->reload_every_us && !o->config && !o->pid)
        return disagree("--reload-every needs --config FILE with a pidfile, --try, or --pid PID");
    if (o->pid && !o->reload_every_us)
        return disagree("--pid needs --reload-every TIME: nobody else is signalled");
    if (o->listener.len && !o->config)
        return disagree("--listener needs --config FILE, whose listeners it chooses from");
    if (o->threads > o->connections)
        return disagree("--threads must not be more than --connections: each needs one");
    if (o->insecure && o->ca)
        return disagree("--ca says whom to trust and --insecure trusts anybody; give one of them");
    return true;
}

bool load_options_read(int argc, char **argv, struct load_options *out)
{
    *out = (struct load_options){.connections = 16,
                                 .streams = 1,
                                 .threads = 1,
                                 .message_bytes = 64,
                                 .duration_us = SECONDS(10),
                                 .warmup_us = SECONDS(1),
                                 .timeout_us = SECONDS(10)};
    for (int i = 1; i < argc; i++) {
        const struct option *option = find(argv[i]);
        if (option == NULL && argv[i][0] == '-')
            return refuse_unknown(argv[i]);
        if (option == NULL && out->url)
            return disagree("more than one URL");
        if (option == NULL) {
            out->url = argv[i];
            continue;
        }
        if (option->value && (argv[i + 1] == NULL || argv[i + 1][0] == '\0')) /* argv ends with NULL */
            return refuse_empty(option);
        if (!take(option, option->value ? argv[++i] : NULL, out))
            return false;
    }
    return agrees(out);
}

void load_options_explain(FILE *out)
{
    for (unsigned i = 0; i < OPTIONS; i++)
        fprintf(out, "  %s%s%s\n      %s\n", options[i].name, options[i].value ? " " : "",
                options[i].value ? options[i].value : "", options[i].sentence);
}
