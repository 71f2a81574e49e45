/*
 * c-ares behind upstream/dns_channel.h; the one file that includes ares.h. c-ares owns the sockets and tells
 * which way it waits on each; we keep an event per socket, and a tick for its deadlines while something is
 * asked. Its callbacks run inside ares_process_fd(), so they only hand the answer over. Called by the
 * resolver on the control thread.
 */
#include "upstream/dns_channel.h"

#include "base/list.h"

#include <ares.h>
#include <arpa/inet.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHANNEL_MAGIC = 0x444e5343, SOCKET_MAGIC = 0x444e5353, QUERY_MAGIC = 0x444e5351, DNS_PORT = 53 };

struct dns_channel {
    uint32_t magic;
    uint32_t pending; /* questions that c-ares still works on */
    ares_channel ares;
    struct event_base *base;
    struct event tick;
    struct event pace;  /* pending unless nothing was asked for a while */
    uint32_t allowed;   /* questions that may be put until then */
    struct list queued; /* those whose turn comes then */
    struct list sockets;
    bool closing;
    char servers[DNS_CHANNEL_SERVERS_MAX];
};

/* A socket of c-ares that it waits on. */
struct channel_socket {
    uint32_t magic;
    struct list_node node;
    struct dns_channel *channel;
    struct event event;
    ares_socket_t fd;
};

struct dns_query {
    uint32_t magic;
    bool queued; /* c-ares does not know it yet */
    struct list_node node;
    struct dns_channel *channel;
    struct dns_asker *asker; /* NULL once nobody wants to know */
    char host[];
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct dns_channel *channel = MAGIC_CAST(dns_channel, arg, CHANNEL_MAGIC);
    (void)fd;
    (void)what;
    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/* The socket may be gone when ares_process_fd() returns: nothing is touched after it. */
static void on_socket(evutil_socket_t fd, short what, void *arg)
{
    struct channel_socket *socket = MAGIC_CAST(channel_socket, arg, SOCKET_MAGIC);
    ares_process_fd(socket->channel->ares, what & EV_READ ? fd : ARES_SOCKET_BAD,
                    what & EV_WRITE ? fd : ARES_SOCKET_BAD);
}

static struct channel_socket *find_socket(struct dns_channel *channel, ares_socket_t fd)
{
    for (struct list_node *node = list_first(&channel->sockets); node;
         node = list_next(&channel->sockets, node)) {
        struct channel_socket *socket = CONTAINER_OF(node, channel_socket, node);
        if (socket->fd == fd)
            return socket;
    }
    return NULL;
}

static struct channel_socket *socket_new(struct dns_channel *channel, ares_socket_t fd)
{
    struct channel_socket *socket = calloc(1, sizeof *socket);
    CHECK(socket != NULL);
    socket->magic = SOCKET_MAGIC;
    socket->channel = channel;
    socket->fd = fd;
    event_assign(&socket->event, channel->base, fd, 0, on_socket, socket);
    list_append(&channel->sockets, &socket->node);
    return socket;
}

static void socket_free(struct channel_socket *socket)
{
    event_del(&socket->event);
    list_remove(&socket->channel->sockets, &socket->node);
    free(socket);
}

/* c-ares begins, changes or (neither way) ends its waiting on a socket; it closes it itself afterwards. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct dns_channel *channel = MAGIC_CAST(dns_channel, arg, CHANNEL_MAGIC);
    struct channel_socket *socket = find_socket(channel, fd);
    short events = (short)((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0));
    if (events == 0) {
        if (socket)
            socket_free(socket);
        return;
    }
    if (socket == NULL)
        socket = socket_new(channel, fd);
    event_del(&socket->event);
    event_assign(&socket->event, channel->base, fd, (short)(events | EV_PERSIST), on_socket, socket);
    event_add(&socket->event, NULL);
}

/* --- answers --- */

static uint32_t lesser_ttl(uint32_t ttl_s, int other_s)
{
    uint32_t other = other_s > 0 ? (uint32_t)other_s : 0;
    return other < ttl_s ? other : ttl_s;
}

static uint32_t least_ttl(const struct ares_addrinfo *found)
{
    uint32_t ttl_s = UINT32_MAX;
    for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next)
        ttl_s = lesser_ttl(ttl_s, node->ai_ttl);
    for (const struct ares_addrinfo_cname *alias = found->cnames; alias; alias = alias->next)
        ttl_s = lesser_ttl(ttl_s, alias->ttl);
    return ttl_s;
}

/* Copies the IPv4 and IPv6 addresses; gives their number. */
static uint32_t copy_addresses(const struct ares_addrinfo *found, struct address *addresses)
{
    uint32_t count = 0;
    for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next) {
        size_t len = (size_t)node->ai_addrlen;
        if ((node->ai_family != AF_INET && node->ai_family != AF_INET6) || len > sizeof(struct sockaddr_in6))
            continue;
        memcpy(&addresses[count].any, node->ai_addr, len);
        addresses[count++].len = (socklen_t)len;
    }
    return count;
}

static size_t count_nodes(const struct ares_addrinfo *found)
{
    size_t count = 0;
    for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next)
        count++;
    return count;
}

/* The words for what happens every day; c-ares has some for everything else. */
static const char *failure_of(int status)
{
    switch (status) {
    case ARES_ENOTFOUND: return "NXDOMAIN, there is no such name";
    case ARES_SUCCESS:
    case ARES_ENODATA: return "the name has no address";
    case ARES_ECONNREFUSED: return "the name servers fail or cannot be reached"; /* SERVFAIL, too */
    case ARES_ETIMEOUT: return DNS_CHANNEL_NO_ANSWER;
    default: return ares_strerror(status);
    }
}

static void hand_over(struct dns_asker *asker, int status, const struct ares_addrinfo *found)
{
    struct dns_answer answer = {.failure = failure_of(status)};
    struct address *addresses = NULL;
    if (status == ARES_SUCCESS && found && found->nodes) {
        addresses = calloc(count_nodes(found), sizeof *addresses);
        CHECK(addresses != NULL);
        answer.count = copy_addresses(found, addresses);
        answer.addresses = addresses;
        answer.ttl_s = least_ttl(found);
        if (answer.count > 0)
            answer.failure = NULL;
    }
    asker->answered(asker, &answer);
    free(addresses);
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct dns_query *query = MAGIC_CAST(dns_query, arg, QUERY_MAGIC);
    struct dns_channel *channel = query->channel;
    struct dns_asker *asker = query->asker;
    (void)timeouts;
    free(query);
    channel->pending--;
    if (channel->pending == 0)
        event_del(&channel->tick);
    if (asker) {
        asker->query = NULL;
        if (!channel->closing)
            hand_over(asker, status, found);
    }
    if (found)
        ares_freeaddrinfo(found);
}

/* --- questions --- */

/* Hands the question to c-ares. */
static void put(struct dns_query *query)
{
    /* ARES_AI_NOSORT: sorting would open a socket for each address (RFC 6724). */
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
    static const struct timeval tick = {.tv_usec = DNS_CHANNEL_TICK_MS * 1000};
    static const struct timeval pace = {.tv_usec = DNS_CHANNEL_PACE_MS * 1000};
    struct dns_channel *channel = query->channel;
    query->queued = false;
    if (channel->pending++ == 0)
        event_add(&channel->tick, &tick);
    if (channel->allowed-- == DNS_CHANNEL_BURST)
        event_add(&channel->pace, &pace);
    ares_getaddrinfo(channel->ares, query->host, NULL, &hints, on_addresses, query);
}

static void on_pace(evutil_socket_t fd, short what, void *arg)
{
    struct dns_channel *channel = MAGIC_CAST(dns_channel, arg, CHANNEL_MAGIC);
    struct list_node *node;
    (void)fd;
    (void)what;
    channel->allowed = DNS_CHANNEL_BURST;
    while (channel->allowed > 0 && (node = list_pop(&channel->queued)) != NULL)
        put(CONTAINER_OF(node, dns_query, node));
}

void dns_channel_ask(struct dns_channel *channel, const char *host, struct dns_asker *asker)
{
    dns_asker_forget(asker);
    struct dns_query *query = calloc(1, sizeof *query + strlen(host) + 1);
    CHECK(query != NULL);
    *query = (struct dns_query){.magic = QUERY_MAGIC, .channel = channel, .asker = asker};
    strcpy(query->host, host);
    asker->query = query;
    if (channel->allowed > 0) {
        put(query);
        return;
    }
    query->queued = true;
    list_append(&channel->queued, &query->node);
}

static void drop_queued(struct dns_query *query)
{
    list_remove(&query->channel->queued, &query->node);
    query->asker->query = NULL;
    free(query);
}

void dns_asker_forget(struct dns_asker *asker)
{
    if (asker->query && asker->query->queued)
        drop_queued(asker->query);
    if (asker->query)
        asker->query->asker = NULL;
    asker->query = NULL;
}

/* --- life --- */

static int init_ares(struct dns_channel *channel, const struct dns_channel_settings *settings)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOALIASES,
        .timeout = (int)settings->timeout_ms,
        .tries = DNS_CHANNEL_TRIES,
        .lookups = (char *)"b", /* name servers only: the hosts file is ours */
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = channel,
        .resolvconf_path = (char *)settings->resolv_path,
    };
    int status = ares_init_options(&channel->ares, &options,
                                   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                       ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF);
    if (status != ARES_SUCCESS || settings->servers == NULL)
        return status;
    status = ares_set_servers_ports_csv(channel->ares, settings->servers);
    if (status != ARES_SUCCESS)
        ares_destroy(channel->ares);
    return status;
}

/* Whole addresses, as many as there is room for. */
static void print_servers(struct dns_channel *channel)
{
    struct ares_addr_port_node *first = NULL;
    size_t len = 0;
    if (ares_get_servers_ports(channel->ares, &first) != ARES_SUCCESS)
        return;
    for (const struct ares_addr_port_node *server = first; server; server = server->next) {
        char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + sizeof ", []:65535"];
        int port = server->udp_port ? server->udp_port : DNS_PORT;
        inet_ntop(server->family, &server->addr, host, sizeof host);
        size_t size =
            (size_t)snprintf(text, sizeof text, server->family == AF_INET6 ? "%s[%s]:%d" : "%s%s:%d",
                             len ? ", " : "", host, port);
        if (len + size >= sizeof channel->servers)
            break;
        memcpy(channel->servers + len, text, size + 1);
        len += size;
    }
    ares_free_data(first);
}

const char *dns_channel_servers(const struct dns_channel *channel)
{
    return channel->servers;
}

struct dns_channel *dns_channel_new(struct event_base *base, const struct dns_channel_settings *settings)
{
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    struct dns_channel *channel = calloc(1, sizeof *channel);
    CHECK(channel != NULL);
    channel->magic = CHANNEL_MAGIC;
    channel->base = base;
    channel->allowed = DNS_CHANNEL_BURST;
    list_init(&channel->sockets);
    list_init(&channel->queued);
    event_assign(&channel->tick, base, -1, EV_PERSIST, on_tick, channel);
    event_assign(&channel->pace, base, -1, 0, on_pace, channel);
    if (init_ares(channel, settings) == ARES_SUCCESS) {
        print_servers(channel);
        return channel;
    }
    free(channel);
    ares_library_cleanup();
    return NULL;
}

void dns_channel_free(struct dns_channel **channel)
{
    struct dns_channel *old = *channel;
    struct list_node *node;
    *channel = NULL;
    if (old == NULL)
        return;
    old->closing = true;
    while ((node = list_first(&old->queued)) != NULL)
        drop_queued(CONTAINER_OF(node, dns_query, node));
    ares_destroy(
        old->ares); /* ends each question through on_addresses() and each socket through on_socket_state() */
    CHECK(old->pending == 0 && list_first(&old->sockets) == NULL);
    event_del(&old->tick);
    event_del(&old->pace);
    free(old);
    ares_library_cleanup();
}
