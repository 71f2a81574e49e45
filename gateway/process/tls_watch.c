/*
 * The looking behind process/tls_watch.h. Called by supervisor.c. A chain and its key never change in the
 * same instant, so files are opened only when a look has found nothing new after one that had.
 */
#include "process/tls_watch.h"

#include "base/log.h"
#include "process/tls_setup.h"
#include "upstream/file_stamp.h"

#include <event2/event.h>
#include <stdlib.h>

enum { LOOK_S = 1 };

/* A file and how it was when last looked at. */
struct watched {
    const char *path;
    struct file_stamp stamp;
};

struct tls_watch {
    const struct config *config;
    struct tls_watcher watcher;
    struct event *timer;
    struct watched *files;
    size_t count;
    bool changed; /* since the files were opened */
};

static void watch_file(struct tls_watch *watch, struct slice path)
{
    struct watched *file = &watch->files[watch->count++];
    file->path = path.at;
    (void)file_stamp_renew(&file->stamp, file->path);
}

static bool look(struct tls_watch *watch)
{
    bool changed = false;
    for (size_t i = 0; i < watch->count; i++)
        changed = file_stamp_renew(&watch->files[i].stamp, watch->files[i].path) || changed;
    return changed;
}

static void say_kept(const struct config_findings *findings)
{
    const struct config_finding *finding = findings->first;
    while (finding && !finding->is_error)
        finding = finding->next;
    if (finding)
        log_error("tls", "the certificates stay as they are: %s:%u:%u: %.*s", finding->origin.file,
                  finding->origin.line, finding->origin.column, SLICE_ARGS(finding->text));
}

static void open_again(struct tls_watch *watch)
{
    struct archive files = {0};
    struct config_findings findings;
    config_findings_init(&findings);
    archive_record(&files);
    struct tls_context *server = tls_setup_load(watch->config, &findings);
    archive_record(NULL);
    if (server)
        watch->watcher.publish(watch->watcher.arg, &files);
    else
        say_kept(&findings);
    tls_context_unref(&server);
    config_findings_fini(&findings);
    archive_fini(&files);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tls_watch *watch = arg;
    bool changed = look(watch);
    if (!changed && watch->changed)
        open_again(watch);
    watch->changed = changed;
}

static size_t count_files(const struct config *config)
{
    return 2 * (size_t)config->tls.certificate_count + config->site_count;
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
    watch->changed = true; /* it may have, since the configuration was read */
    watch->files = calloc(count_files(config), sizeof *watch->files);
    CHECK(watch->files != NULL);
    for (uint32_t i = 0; i < config->tls.certificate_count; i++) {
        watch_file(watch, config->tls.certificates[i].chain.text);
        watch_file(watch, config->tls.certificates[i].key.text);
    }
    for (uint32_t i = 0; i < config->site_count; i++)
        if (config->sites[i].client_certificates.ca.text.len > 0)
            watch_file(watch, config->sites[i].client_certificates.ca.text);
    struct timeval every = {.tv_sec = LOOK_S};
    watch->timer = event_new(base, -1, EV_PERSIST, on_timer, watch);
    CHECK(watch->timer != NULL && event_add(watch->timer, &every) == 0);
    return watch;
}

void tls_watch_stop(struct tls_watch **watch_at)
{
    struct tls_watch *watch = *watch_at;
    *watch_at = NULL;
    if (watch == NULL)
        return;
    event_free(watch->timer);
    free(watch->files);
    free(watch);
}
