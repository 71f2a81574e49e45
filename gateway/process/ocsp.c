/*
 * The asking behind process/ocsp.h. Called by server.c when certificates come into use; its thread turns
 * libcurl's transfers and sleeps until the next one is due. A responder gets bounded time and memory, one
 * that fails is asked again ever more rarely.
 */
#include "process/ocsp.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "net/tls_staple.h"
#include "process/loop.h"

#include <curl/curl.h>
#include <stdlib.h>

enum {
    TRANSFERS_MAX = 4,
    TIMEOUT_S = 10,
    ANSWER_MAX = 64 * 1024,
    REFRESH_LEAST_S = 5,
    REFRESH_MOST_S = 12 * 60 * 60,
    RETRY_MOST_S = 60 * 60
};
static const uint64_t SECOND_US = 1000 * 1000;

/* One certificate's answer that is to be kept fresh. */
struct inquiry {
    struct list_node node; /* ocsp->inquiries */
    struct tls_staple *staple;
    CURL *transfer; /* NULL when none is under way */
    unsigned char *question;
    char *answer; /* ANSWER_MAX bytes while a transfer is under way */
    size_t len;
    uint64_t due_us;
    unsigned failures;        /* in a row */
    bool is_kept;             /* while ocsp_follow() is obeyed */
    char said[TLS_ERROR_MAX]; /* the failure that was logged last */
};

struct ocsp {
    struct {
        pthread_mutex_t lock;
        struct tls_context *server; /* to be followed from now on, if `changed` */
        bool changed, stop;
    } shared;
    pthread_t pthread;
    CURLM *multi;
    struct curl_slist *fields;
    struct list inquiries;
    unsigned running;
};

/* --- one transfer --- */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct inquiry *inquiry = arg;
    size_t len = size * count;
    if (len > ANSWER_MAX - inquiry->len)
        return 0;
    memcpy(inquiry->answer + inquiry->len, bytes, len);
    inquiry->len += len;
    return len;
}

static void begin(struct ocsp *ocsp, struct inquiry *inquiry)
{
    size_t len;
    CURL *transfer = inquiry->transfer = curl_easy_init();
    inquiry->question = tls_staple_request(inquiry->staple, &len);
    inquiry->answer = malloc(ANSWER_MAX);
    inquiry->len = 0;
    CHECK(transfer != NULL && inquiry->answer != NULL);
    curl_easy_setopt(transfer, CURLOPT_URL, tls_staple_responder(inquiry->staple));
    curl_easy_setopt(transfer, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(transfer, CURLOPT_POSTFIELDS, inquiry->question);
    curl_easy_setopt(transfer, CURLOPT_POSTFIELDSIZE, (long)len);
    curl_easy_setopt(transfer, CURLOPT_HTTPHEADER, ocsp->fields);
    curl_easy_setopt(transfer, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(transfer, CURLOPT_WRITEDATA, inquiry);
    curl_easy_setopt(transfer, CURLOPT_PRIVATE, inquiry);
    curl_easy_setopt(transfer, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(transfer, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(transfer, CURLOPT_QUICK_EXIT,
                     1L); /* a name that does not resolve keeps nobody waiting */
    CHECK(curl_multi_add_handle(ocsp->multi, transfer) == CURLM_OK);
    ocsp->running++;
}

static void end(struct ocsp *ocsp, struct inquiry *inquiry)
{
    if (inquiry->transfer == NULL)
        return;
    curl_multi_remove_handle(ocsp->multi, inquiry->transfer);
    curl_easy_cleanup(inquiry->transfer);
    inquiry->transfer = NULL;
    free(inquiry->question);
    free(inquiry->answer);
    inquiry->question = NULL;
    inquiry->answer = NULL;
    ocsp->running--;
}

/* --- what came of it --- */

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* The same failure again and again is said once. */
static void say_failed(struct inquiry *inquiry, const char *text, bool is_revoked)
{
    if (strcmp(inquiry->said, text) == 0)
        return;
    snprintf(inquiry->said, sizeof inquiry->said, "%s", text);
    log_write(is_revoked ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "ocsp", "%s certificate=%s responder=%s", text,
              tls_staple_name(inquiry->staple), tls_staple_responder(inquiry->staple));
}

static uint64_t after_failure(struct inquiry *inquiry)
{
    unsigned doublings = inquiry->failures < 12 ? inquiry->failures : 12;
    inquiry->failures++;
    return clamp(1u << doublings, 1, RETRY_MOST_S);
}

/* Half of an answer's life is left when it is asked for again. */
static uint64_t after_success(struct inquiry *inquiry)
{
    uint64_t left_s = tls_staple_seconds_left(inquiry->staple);
    if (inquiry->failures > 0 || inquiry->said[0])
        log_info("ocsp", "the responder answers again certificate=%s", tls_staple_name(inquiry->staple));
    inquiry->failures = 0;
    inquiry->said[0] = '\0';
    return clamp(left_s / 2, REFRESH_LEAST_S, REFRESH_MOST_S);
}

/* Seconds until it is asked again. */
static uint64_t judge(struct inquiry *inquiry, CURLcode code)
{
    long status = 0;
    struct tls_error error;
    curl_easy_getinfo(inquiry->transfer, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_WRITE_ERROR) {
        say_failed(inquiry, "the answer is longer than 64 KiB", false);
        return after_failure(inquiry);
    }
    if (code != CURLE_OK || status != 200) {
        say_failed(inquiry, code != CURLE_OK ? curl_easy_strerror(code) : "the status is not 200", false);
        return after_failure(inquiry);
    }
    switch (tls_staple_judge(inquiry->staple, slice_make(inquiry->answer, inquiry->len), &error)) {
    case TLS_STAPLE_GOOD: return after_success(inquiry);
    case TLS_STAPLE_REVOKED: say_failed(inquiry, error.text, true); return RETRY_MOST_S;
    case TLS_STAPLE_USELESS: say_failed(inquiry, error.text, false); break;
    }
    return after_failure(inquiry);
}

/* Whether there were any. */
static bool take_results(struct ocsp *ocsp)
{
    int left;
    bool any = false;
    CURLMsg *message;
    while ((message = curl_multi_info_read(ocsp->multi, &left)) != NULL) {
        struct inquiry *inquiry = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&inquiry);
        inquiry->due_us = clock_monotonic_us() + judge(inquiry, message->data.result) * SECOND_US;
        end(ocsp, inquiry);
        any = true;
    }
    return any;
}

/* --- which certificates --- */

static struct inquiry *find(const struct ocsp *ocsp, const struct tls_staple *staple)
{
    for (struct list_node *node = list_first(&ocsp->inquiries); node;
         node = list_next(&ocsp->inquiries, node)) {
        struct inquiry *inquiry = CONTAINER_OF(node, inquiry, node);
        if (inquiry->staple == staple)
            return inquiry;
    }
    return NULL;
}

static void keep(struct ocsp *ocsp, struct tls_staple *staple)
{
    struct inquiry *inquiry = find(ocsp, staple);
    if (inquiry == NULL) {
        inquiry = calloc(1, sizeof *inquiry);
        CHECK(inquiry != NULL);
        inquiry->staple = tls_staple_ref(staple);
        list_append(&ocsp->inquiries, &inquiry->node);
    }
    inquiry->is_kept = true;
}

static void drop_others(struct ocsp *ocsp)
{
    struct list_node *next;
    for (struct list_node *node = list_first(&ocsp->inquiries); node; node = next) {
        next = list_next(&ocsp->inquiries, node);
        struct inquiry *inquiry = CONTAINER_OF(node, inquiry, node);
        bool is_kept = inquiry->is_kept;
        inquiry->is_kept = false;
        if (is_kept)
            continue;
        end(ocsp, inquiry);
        list_remove(&ocsp->inquiries, &inquiry->node);
        tls_staple_unref(&inquiry->staple);
        free(inquiry);
    }
}

/* False when the thread is to end. */
static bool obey(struct ocsp *ocsp)
{
    pthread_mutex_lock(&ocsp->shared.lock);
    bool changed = ocsp->shared.changed, stop = ocsp->shared.stop;
    struct tls_context *server = ocsp->shared.server;
    ocsp->shared.server = NULL;
    ocsp->shared.changed = false;
    pthread_mutex_unlock(&ocsp->shared.lock);
    struct tls_staple *staple;
    for (unsigned i = 0; server && (staple = tls_context_staple(server, i)) != NULL; i++)
        keep(ocsp, staple);
    if (changed)
        drop_others(ocsp);
    tls_context_unref(&server);
    return !stop;
}

/* --- the thread --- */

/* Begins what is due; gives how many milliseconds there is nothing more to begin. */
static int begin_due(struct ocsp *ocsp)
{
    uint64_t now_us = clock_monotonic_us(), wait_us = 60 * 60 * SECOND_US;
    for (struct list_node *node = list_first(&ocsp->inquiries); node;
         node = list_next(&ocsp->inquiries, node)) {
        struct inquiry *inquiry = CONTAINER_OF(node, inquiry, node);
        if (inquiry->transfer || ocsp->running >= TRANSFERS_MAX)
            continue;
        if (inquiry->due_us <= now_us)
            begin(ocsp, inquiry);
        else if (inquiry->due_us - now_us < wait_us)
            wait_us = inquiry->due_us - now_us;
    }
    return (int)(wait_us / 1000) + 1;
}

static void *run(void *arg)
{
    struct ocsp *ocsp = arg;
    while (obey(ocsp)) {
        int running = 0, wait_ms = begin_due(ocsp);
        curl_multi_perform(ocsp->multi, &running);
        if (!take_results(ocsp))
            curl_multi_poll(ocsp->multi, NULL, 0, wait_ms, NULL);
    }
    drop_others(ocsp);
    return NULL;
}

struct ocsp *ocsp_start(void)
{
    struct ocsp *ocsp = calloc(1, sizeof *ocsp);
    CHECK(ocsp != NULL && curl_global_init(CURL_GLOBAL_NOTHING) == 0);
    pthread_mutex_init(&ocsp->shared.lock, NULL);
    list_init(&ocsp->inquiries);
    ocsp->multi = curl_multi_init();
    ocsp->fields = curl_slist_append(NULL, "Content-Type: application/ocsp-request");
    CHECK(ocsp->multi != NULL && ocsp->fields != NULL);
    loop_start_pthread(&ocsp->pthread, run, ocsp);
    return ocsp;
}

void ocsp_follow(struct ocsp *ocsp, struct tls_context *server)
{
    pthread_mutex_lock(&ocsp->shared.lock);
    struct tls_context *before = ocsp->shared.server;
    ocsp->shared.server = server ? tls_context_ref(server) : NULL;
    ocsp->shared.changed = true;
    pthread_mutex_unlock(&ocsp->shared.lock);
    tls_context_unref(&before);
    curl_multi_wakeup(ocsp->multi);
}

void ocsp_stop(struct ocsp **ocsp_at)
{
    struct ocsp *ocsp = *ocsp_at;
    *ocsp_at = NULL;
    if (ocsp == NULL)
        return;
    pthread_mutex_lock(&ocsp->shared.lock);
    ocsp->shared.stop = true;
    pthread_mutex_unlock(&ocsp->shared.lock);
    curl_multi_wakeup(ocsp->multi);
    pthread_join(ocsp->pthread, NULL);
    tls_context_unref(&ocsp->shared.server);
    curl_slist_free_all(ocsp->fields);
    curl_multi_cleanup(ocsp->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&ocsp->shared.lock);
    free(ocsp);
}
