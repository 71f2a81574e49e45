/*
 * The questions behind upstream/name_cache.h: where a name is looked up (the hosts file, then name servers),
 * when it is asked again, and what becomes of an answer. Answers come from inside c-ares, so they only change
 * the name and wake `settle`, from which the owner is told. Called by the resolver alone.
 */
#include "upstream/name_cache.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "upstream/dns_channel.h"
#include "upstream/file_stamp.h"
#include "upstream/hosts_file.h"
#include "upstream/resolver.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

enum { CACHE_MAGIC = 0x4e434143, NAME_MAGIC = 0x4e414d45 };

struct name_cache {
    uint32_t magic;
    struct event_base *base;
    struct resolver_settings settings; /* no zero times; own copies of its texts: */
    char *hosts_path, *resolv_path, *servers;
    struct name_cache_owner owner;
    struct dns_channel *channel;
    struct hosts_file *hosts;
    struct file_stamp resolv_stamp;
    struct event watch, settle;
    struct list names;
};

/* A host that is looked up. */
struct name {
    uint32_t magic;
    uint32_t users;
    struct list_node node;
    struct name_cache *cache;
    struct dns_asker asker;
    struct event timer; /* asks again */
    uint64_t asked_us, due_us;
    struct address *addresses;
    uint32_t count;
    bool settled;
    const char *failure; /* NULL unless it fails */
    char host[];         /* terminated */
};

static int compare_addresses(const void *a, const void *b)
{
    const struct address *one = a, *other = b;
    if (one->any.sa_family != other->any.sa_family)
        return one->any.sa_family < other->any.sa_family ? -1 : 1;
    if (one->any.sa_family == AF_INET)
        return memcmp(&one->in.sin_addr, &other->in.sin_addr, sizeof one->in.sin_addr);
    return memcmp(&one->in6.sin6_addr, &other->in6.sin6_addr, sizeof one->in6.sin6_addr);
}

/* Sorts, so that a shuffled answer is the same, and drops what stands there twice; gives the number that is
 * left. */
static uint32_t sort_addresses(struct address *addresses, uint32_t count)
{
    uint32_t kept = 0;
    qsort(addresses, count, sizeof *addresses, compare_addresses);
    for (uint32_t i = 0; i < count && kept < RESOLVER_ADDRESSES_MAX; i++)
        if (kept == 0 || compare_addresses(&addresses[kept - 1], &addresses[i]) != 0)
            addresses[kept++] = addresses[i];
    return kept;
}

static bool has_addresses(const struct name *name, const struct address *addresses, uint32_t count)
{
    if (name->count != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (compare_addresses(&name->addresses[i], &addresses[i]) != 0)
            return false;
    return true;
}

static void wake_owner(struct name_cache *cache)
{
    event_active(&cache->settle, EV_TIMEOUT, 0);
}

static void schedule(struct name *name, uint64_t delay_ms)
{
    struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000),
                            .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
    name->due_us = clock_monotonic_us() + delay_ms * 1000;
    event_add(&name->timer, &delay);
}

static void name_failed(struct name *name, const char *failure)
{
    const struct name_cache_owner *owner = &name->cache->owner;
    bool was_failing = name->failure != NULL;
    name->failure = failure;
    if (!name->settled)
        wake_owner(name->cache);
    name->settled = true;
    if (!was_failing)
        owner->failing(owner->owner, name);
    schedule(name, name->cache->settings.retry_ms);
}

static void name_take(struct name *name, const struct dns_answer *answer)
{
    struct address *addresses = malloc(answer->count * sizeof *addresses);
    CHECK(addresses != NULL);
    memcpy(addresses, answer->addresses, answer->count * sizeof *addresses);
    uint32_t count = sort_addresses(addresses, answer->count);
    if (name->settled && has_addresses(name, addresses, count)) {
        free(addresses);
        return;
    }
    free(name->addresses);
    name->addresses = addresses;
    name->count = count;
    name->settled = true;
    wake_owner(name->cache);
}

static uint64_t clamp_ttl_ms(const struct resolver_settings *settings, uint32_t ttl_s)
{
    uint64_t ttl_ms = (uint64_t)ttl_s * 1000;
    if (ttl_ms < settings->ttl_min_ms)
        return settings->ttl_min_ms;
    return ttl_ms < settings->ttl_max_ms ? ttl_ms : settings->ttl_max_ms;
}

static void on_answered(struct dns_asker *asker, const struct dns_answer *answer)
{
    struct name *name = CONTAINER_OF(asker, name, asker);
    if (answer->failure) {
        name_failed(name, answer->failure);
        return;
    }
    if (name->failure)
        log_info("resolver", "%s resolves again", name->host);
    name->failure = NULL;
    name_take(name, answer);
    schedule(name, clamp_ttl_ms(&name->cache->settings, answer->ttl_s));
}

/* Looks the name up now, on this machine first. What was asked before is forgotten. */
static void ask(struct name *name)
{
    struct address found[HOSTS_FILE_FOUND_MAX];
    uint32_t count = hosts_file_find(name->cache->hosts, slice_of(name->host), found);
    event_del(&name->timer);
    name->asked_us = clock_monotonic_us();
    if (count == 0) {
        dns_channel_ask(name->cache->channel, name->host, &name->asker);
        return;
    }
    dns_asker_forget(&name->asker);
    on_answered(&name->asker, &(struct dns_answer){.addresses = found, .count = count, .ttl_s = UINT32_MAX});
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    ask(MAGIC_CAST(name, arg, NAME_MAGIC));
}

void name_hurry(struct name *name)
{
    uint64_t earliest_us = name->asked_us + (uint64_t)name->cache->settings.hurry_ms * 1000;
    uint64_t now_us = clock_monotonic_us();
    if (name->asker.query)
        return;
    if (now_us >= earliest_us)
        ask(name);
    else if (earliest_us < name->due_us)
        schedule(name, (earliest_us - now_us + 999) / 1000);
}

static struct name *find(const struct name_cache *cache, struct slice host)
{
    for (struct list_node *node = list_first(&cache->names); node; node = list_next(&cache->names, node)) {
        struct name *name = CONTAINER_OF(node, name, node);
        if (slice_equal_nocase(slice_of(name->host), host))
            return name;
    }
    return NULL;
}

struct name *name_cache_get(struct name_cache *cache, struct slice host)
{
    struct name *name = find(cache, host);
    if (name == NULL) {
        name = calloc(1, sizeof *name + host.len + 1);
        CHECK(name != NULL);
        memcpy(name->host, host.at, host.len);
        name->magic = NAME_MAGIC;
        name->cache = cache;
        name->asker.answered = on_answered;
        event_assign(&name->timer, cache->base, -1, 0, on_due, name);
        list_append(&cache->names, &name->node);
    }
    name->users++;
    return name;
}

bool name_is_new(const struct name *name)
{
    return name->asked_us == 0;
}

void name_put(struct name **name)
{
    struct name *old = *name;
    *name = NULL;
    if (--old->users > 0)
        return;
    dns_asker_forget(&old->asker);
    event_del(&old->timer);
    list_remove(&old->cache->names, &old->node);
    free(old->addresses);
    free(old);
}

struct name_state name_state(const struct name *name)
{
    return (struct name_state){name->addresses, name->count, name->settled, name->failure};
}

const char *name_cache_servers(const struct name_cache *cache)
{
    return dns_channel_servers(cache->channel);
}

static struct dns_channel *open_channel(struct name_cache *cache)
{
    struct dns_channel_settings settings = {.resolv_path = cache->resolv_path,
                                            .servers = cache->servers,
                                            .timeout_ms = cache->settings.query_timeout_ms};
    return dns_channel_new(cache->base, &settings);
}

/* c-ares 1.18 reads resolv.conf only when a channel is made. */
static void renew_channel(struct name_cache *cache)
{
    struct dns_channel *channel = open_channel(cache);
    if (channel == NULL) {
        log_warn("resolver", "%s cannot be read; the name servers stay as they were", cache->resolv_path);
        return;
    }
    dns_channel_free(&cache->channel);
    cache->channel = channel;
}

/* Takes note of changed files; whether any has changed, so that every name must be asked again. */
static bool look_at_files(struct name_cache *cache)
{
    bool hosts_changed = hosts_file_refresh(cache->hosts);
    bool resolv_changed = file_stamp_renew(&cache->resolv_stamp, cache->resolv_path);
    if (resolv_changed)
        renew_channel(cache);
    return hosts_changed || resolv_changed;
}

static void ask_names(struct name_cache *cache, bool all)
{
    for (struct list_node *node = list_first(&cache->names); node; node = list_next(&cache->names, node)) {
        struct name *name = CONTAINER_OF(node, name, node);
        if (all || name->asked_us == 0)
            ask(name);
    }
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    struct name_cache *cache = MAGIC_CAST(name_cache, arg, CACHE_MAGIC);
    (void)fd;
    (void)what;
    if (look_at_files(cache))
        ask_names(cache, true);
}

static void on_settle(evutil_socket_t fd, short what, void *arg)
{
    struct name_cache *cache = MAGIC_CAST(name_cache, arg, CACHE_MAGIC);
    (void)fd;
    (void)what;
    cache->owner.changed(cache->owner.owner);
}

void name_cache_look_up(struct name_cache *cache)
{
    uint32_t period_ms = cache->settings.watch_ms;
    struct timeval period = {.tv_sec = period_ms / 1000, .tv_usec = period_ms % 1000 * 1000};
    ask_names(cache, look_at_files(cache));
    if (cache->names.count == 0)
        event_del(&cache->watch);
    else if (!event_pending(&cache->watch, EV_TIMEOUT, NULL))
        event_add(&cache->watch, &period);
}

static void set_default(uint32_t *value, uint32_t by_default)
{
    if (*value == 0)
        *value = by_default;
}

static void own_settings(struct name_cache *cache, const struct resolver_settings *settings)
{
    struct resolver_settings *own = &cache->settings;
    *own = *settings;
    cache->hosts_path = strdup(settings->hosts_path ? settings->hosts_path : "/etc/hosts");
    cache->resolv_path = strdup(settings->resolv_path ? settings->resolv_path : "/etc/resolv.conf");
    CHECK(cache->hosts_path != NULL && cache->resolv_path != NULL);
    if (settings->servers) {
        cache->servers = strdup(settings->servers);
        CHECK(cache->servers != NULL);
    }
    set_default(&own->ttl_min_ms, RESOLVER_TTL_MIN_S * 1000);
    set_default(&own->ttl_max_ms, RESOLVER_TTL_MAX_S * 1000);
    set_default(&own->retry_ms, RESOLVER_RETRY_S * 1000);
    set_default(&own->hurry_ms, RESOLVER_HURRY_MS);
    set_default(&own->query_timeout_ms, RESOLVER_QUERY_MS);
    set_default(&own->watch_ms, RESOLVER_WATCH_MS);
}

struct name_cache *name_cache_new(struct event_base *base, const struct resolver_settings *settings,
                                  const struct name_cache_owner *owner)
{
    struct name_cache *cache = calloc(1, sizeof *cache);
    CHECK(cache != NULL);
    cache->magic = CACHE_MAGIC;
    cache->base = base;
    cache->owner = *owner;
    own_settings(cache, settings);
    list_init(&cache->names);
    event_assign(&cache->watch, base, -1, EV_PERSIST, on_watch, cache);
    event_assign(&cache->settle, base, -1, 0, on_settle, cache);
    cache->hosts = hosts_file_new(cache->hosts_path);
    hosts_file_refresh(cache->hosts);
    file_stamp_renew(&cache->resolv_stamp, cache->resolv_path);
    cache->channel = open_channel(cache);
    if (cache->channel == NULL)
        name_cache_free(&cache);
    return cache;
}

void name_cache_free(struct name_cache **cache)
{
    struct name_cache *old = *cache;
    *cache = NULL;
    if (old == NULL)
        return;
    CHECK(list_first(&old->names) == NULL);
    dns_channel_free(&old->channel);
    hosts_file_free(&old->hosts);
    event_del(&old->watch);
    event_del(&old->settle);
    free(old->hosts_path);
    free(old->resolv_path);
    free(old->servers);
    free(old);
}
