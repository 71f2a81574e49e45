/*
 * Files into contexts, for process/tls_setup.h. Called on the control thread: when a configuration is
 * compiled, and by tls_watch.c when a file has changed. What was half made when an error came is freed again.
 */
#include "process/tls_setup.h"

#include "config/value.h"

#include <stdlib.h>

/* What to do about a certificate that is not there yet. */
static const char MAKE_ONE[] =
    "; put it there or, for development, run certs/make-dev-certs [-o FOLDER] [NAME...]";

/* Everything while it is loaded. */
struct draft {
    const struct config *config;
    struct config_findings *findings;
    struct tls_identity **identities;
    struct tls_client_rule **rules;
    struct tls_host *hosts;
    unsigned identity_count, rule_count, host_count;
};

/* Roughly, in the largest unit that it has. */
static void print_time(uint64_t time_us, char text_out[VALUE_TEXT_MAX])
{
    uint64_t unit = time_us >= DAYS(1) ? DAYS(1) : time_us >= HOURS(1) ? HOURS(1) : SECONDS(1);
    value_print(VALUE_DURATION, time_us / unit * unit, text_out);
}

/* Clients refuse it; still it is used: another one may not be to be had, and clocks differ. */
static void warn_dates(const struct draft *draft, const struct config_certificate *certificate,
                       const struct tls_identity *identity)
{
    char text[VALUE_TEXT_MAX];
    long left_s = tls_identity_seconds_left(identity), valid_s = tls_identity_seconds_valid(identity);
    if (left_s < 0) {
        print_time(SECONDS(-left_s), text);
        config_warning(draft->findings, certificate->chain.origin, "the certificate expired %s ago", text);
    } else if (valid_s < 0) {
        print_time(SECONDS(-valid_s), text);
        config_warning(draft->findings, certificate->chain.origin,
                       "the certificate is not valid for another %s", text);
    }
}

static bool load_identities(struct draft *draft)
{
    const struct config_tls *tls = &draft->config->tls;
    bool all = true;
    for (uint32_t i = 0; i < tls->certificate_count; i++) {
        const struct config_certificate *certificate = &tls->certificates[i];
        struct tls_error error;
        struct tls_identity *identity =
            tls_identity_load(certificate->chain.text.at, certificate->key.text.at, &error);
        const struct config_text *blamed = error.in_key ? &certificate->key : &certificate->chain;
        if (identity) {
            warn_dates(draft, certificate, identity);
            draft->identities[draft->identity_count++] = identity;
        } else {
            config_error(draft->findings, blamed->origin, "%.*s %s%s", SLICE_ARGS(blamed->text), error.text,
                         error.is_missing ? MAKE_ONE : "");
            all = false;
        }
    }
    return all;
}

static bool load_rule(struct draft *draft, const struct config_site *site)
{
    const struct config_client_certificates *wanted = &site->client_certificates;
    struct tls_error error;
    struct tls_client_rule *rule =
        tls_client_rule_load(wanted->ca.text.at, wanted->verify == CONFIG_VERIFY_REQUIRE, &error);
    if (rule)
        draft->rules[draft->rule_count++] = rule;
    else
        config_error(draft->findings, wanted->ca.origin, "%.*s %s", SLICE_ARGS(wanted->ca.text), error.text);
    return rule != NULL;
}

static bool load_rules(struct draft *draft)
{
    const struct config *config = draft->config;
    bool all = true;
    for (uint32_t i = 0; i < config->site_count; i++) {
        const struct config_site *site = &config->sites[i];
        bool asks = site->client_certificates.ca.text.len > 0;
        bool loaded = asks && load_rule(draft, site);
        all = all && loaded == asks;
        for (uint32_t j = 0; j < site->host_count; j++)
            draft->hosts[draft->host_count++] =
                (struct tls_host){site->hosts[j].name, loaded ? draft->rule_count : 0};
    }
    return all;
}

/* Names without a dot are for this machine; their clients expect no certificate of an authority. */
static bool needs_certificate(struct slice host)
{
    struct address ignored;
    return host.len > 0 && host.at[0] != '*' && memchr(host.at, '.', host.len) &&
           !address_from_literal(host, 0, &ignored);
}

static void warn_uncovered(const struct draft *draft, const struct config_host *host)
{
    bool covered = !needs_certificate(host->name);
    for (unsigned i = 0; i < draft->identity_count && !covered; i++)
        covered = tls_identity_covers(draft->identities[i], host->name);
    if (!covered)
        config_warning(draft->findings, host->origin, "no certificate is for \"%.*s\"",
                       SLICE_ARGS(host->name));
}

static struct tls_context *make(const struct draft *draft)
{
    const struct config_tls *tls = &draft->config->tls;
    struct tls_settings settings = {.identities = draft->identities,
                                    .identity_count = draft->identity_count,
                                    .rules = draft->rules,
                                    .rule_count = draft->rule_count,
                                    .hosts = draft->hosts,
                                    .host_count = draft->host_count,
                                    .tls13_only = tls->min_version == CONFIG_TLS_1_3,
                                    .strict_sni = tls->strict_sni,
                                    .offer_h2 = true,
                                    .staple = tls->ocsp_stapling};
    struct tls_error error;
    unsigned refused = 0;
    struct tls_context *server = tls_context_new(&settings, &refused, &error);
    if (server == NULL) {
        const struct config_text *chain = &tls->certificates[refused].chain;
        config_error(draft->findings, chain->origin, "%.*s %s", SLICE_ARGS(chain->text), error.text);
    }
    return server;
}

static void free_draft(struct draft *draft, bool taken_over)
{
    for (unsigned i = 0; i < draft->identity_count && !taken_over; i++)
        tls_identity_free(&draft->identities[i]);
    for (unsigned i = 0; i < draft->rule_count && !taken_over; i++)
        tls_client_rule_free(&draft->rules[i]);
    free(draft->identities);
    free(draft->rules);
    free(draft->hosts);
}

static struct draft new_draft(const struct config *config, struct config_findings *findings)
{
    size_t hosts = 0;
    for (uint32_t i = 0; i < config->site_count; i++)
        hosts += config->sites[i].host_count;
    struct draft draft = {.config = config, .findings = findings};
    draft.identities = calloc(config->tls.certificate_count + 1u, sizeof *draft.identities);
    draft.rules = calloc(config->site_count + 1u, sizeof *draft.rules);
    draft.hosts = calloc(hosts + 1, sizeof *draft.hosts);
    CHECK(draft.identities != NULL && draft.rules != NULL && draft.hosts != NULL);
    return draft;
}

struct tls_context *tls_setup_load(const struct config *config, struct config_findings *findings)
{
    if (config->tls.certificate_count == 0)
        return NULL;
    struct draft draft = new_draft(config, findings);
    bool all = load_identities(&draft);
    all = load_rules(&draft) && all;
    for (uint32_t i = 0; all && i < config->site_count; i++)
        for (uint32_t j = 0; j < config->sites[i].host_count; j++)
            warn_uncovered(&draft, &config->sites[i].hosts[j]);
    struct tls_context *server = all ? make(&draft) : NULL;
    free_draft(&draft, server != NULL);
    return server;
}

/* What says the same as before is the same: connections that have outlived many reloads then share one, and
 * answers about certificates that are known stay known. */
static void *compile(const struct config *config, const void *previous, struct config_findings *findings)
{
    struct tls_context *server = tls_setup_load(config, findings);
    struct tls_context *before = (struct tls_context *)previous;
    if (server == NULL || before == NULL || !tls_context_is_like(server, before))
        return server;
    tls_context_unref(&server);
    return tls_context_ref(before);
}

static void free_part(void *part)
{
    struct tls_context *server = part;
    tls_context_unref(&server);
}

const struct config_module tls_module = {.name = "tls", .compile = compile, .free = free_part};
