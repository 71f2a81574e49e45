/*
 * Which files hold certificates, and what to do when they change, for process/tls_watch.h. Called by
 * supervisor.c.
 */
#include "process/tls_watch.h"

#include "base/log.h"
#include "process/file_watch.h"
#include "process/tls_setup.h"

#include <stdlib.h>

struct tls_watch {
    const struct config *config;
    struct tls_watcher watcher;
    struct file_watch *files;
};

static void say_kept(const struct config_findings *findings)
{
    const struct config_finding *finding = findings->first;
    while (finding && !finding->is_error)
        finding = finding->next;
    if (finding)
        log_error("tls", "the certificates stay as they are: %s:%u:%u: %.*s", finding->origin.file,
                  finding->origin.line, finding->origin.column, SLICE_ARGS(finding->text));
}

static bool open_again(void *arg)
{
    struct tls_watch *watch = arg;
    struct archive files = {0};
    struct config_findings findings;
    config_findings_init(&findings);
    archive_record(&files);
    struct tls_context *server = tls_setup_load(watch->config, &findings);
    archive_record(NULL);
    if (server) {
        config_findings_log(&findings); /* warnings: dates, and hosts that have no certificate any more */
        watch->watcher.publish(watch->watcher.arg, &files);
    } else {
        say_kept(&findings);
    }
    tls_context_unref(&server);
    config_findings_fini(&findings);
    archive_fini(&files);
    return true;
}

struct tls_watch *tls_watch_start(struct event_base *base, const struct config *config,
                                  struct tls_watcher watcher)
{
    if (config->tls.certificate_count == 0)
        return NULL;
    struct tls_watch *watch = calloc(1, sizeof *watch);
    CHECK(watch != NULL);
    watch->config = config;
    watch->watcher = watcher;
    watch->files = file_watch_new(base, open_again, watch);
    for (uint32_t i = 0; i < config->tls.certificate_count; i++) {
        file_watch_add(watch->files, config->tls.certificates[i].chain.text.at);
        file_watch_add(watch->files, config->tls.certificates[i].key.text.at);
    }
    for (uint32_t i = 0; i < config->site_count; i++)
        if (config->sites[i].client_certificates.ca.text.len > 0)
            file_watch_add(watch->files, config->sites[i].client_certificates.ca.text.at);
    return watch;
}

void tls_watch_stop(struct tls_watch **watch_at)
{
    struct tls_watch *watch = *watch_at;
    *watch_at = NULL;
    if (watch == NULL)
        return;
    file_watch_free(&watch->files);
    free(watch);
}
