/*
 * A name server for tests: a thread that answers A and AAAA on UDP and TCP, on one port of 127.0.0.1, as a
 * script says that the test may change at any time. Answers are turned by one at every question, as shuffling
 * servers do. poll() over two sockets, messages of RFC 1035 section 4 made by hand.
 */
#ifndef PORTICO_TESTS_DNS_SCRIPT_H
#define PORTICO_TESTS_DNS_SCRIPT_H

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 256, TEXT_MAX = 256, MESSAGE_MAX = 1400, TYPE_A = 1, TYPE_AAAA = 28 };

/* What a name is answered. */
enum dns_reply { DNS_NXDOMAIN, DNS_ADDRESSES, DNS_SERVFAIL, DNS_SILENCE };

struct entry {
    char name[TEXT_MAX], addresses[TEXT_MAX];
    enum dns_reply reply;
    unsigned asked;
};

struct dns_script {
    struct {
        pthread_mutex_t lock;
        struct entry entries[NAMES_MAX];
        unsigned count, ttl_s, asked_tcp;
        bool truncate;
    } shared;
    pthread_t thread;
    atomic_bool stopping;
    int udp, tcp;
    char servers[TEXT_MAX];
};

struct message {
    unsigned char bytes[MESSAGE_MAX];
    size_t len;
};

static struct entry *entry_of(struct dns_script *script, const char *name)
{
    for (unsigned i = 0; i < script->shared.count; i++)
        if (strcasecmp(script->shared.entries[i].name, name) == 0)
            return &script->shared.entries[i];
    assert(script->shared.count < NAMES_MAX);
    struct entry *entry = &script->shared.entries[script->shared.count++];
    snprintf(entry->name, sizeof entry->name, "%s", name);
    return entry;
}

/* Reads the name of the question; gives the offset behind it. */
static size_t read_name(const struct message *query, char name[TEXT_MAX])
{
    size_t at = 12, len = 0;
    while (at < query->len && query->bytes[at] != 0 && len + query->bytes[at] + 1 < TEXT_MAX) {
        memcpy(name + len, query->bytes + at + 1, query->bytes[at]);
        len += query->bytes[at];
        name[len++] = '.';
        at += query->bytes[at] + 1u;
    }
    name[len ? len - 1 : 0] = '\0';
    return at + 1;
}

static void put_record(struct message *reply, int type, unsigned ttl_s, const char *literal)
{
    unsigned char data[16];
    size_t size = type == TYPE_A ? 4 : 16;
    if (inet_pton(type == TYPE_A ? AF_INET : AF_INET6, literal, data) != 1)
        return;
    unsigned char head[12] = {0xc0, 12, 0, (unsigned char)type, 0, 1};
    for (int i = 0; i < 4; i++)
        head[6 + i] = (unsigned char)(ttl_s >> (24 - 8 * i));
    head[11] = (unsigned char)size;
    memcpy(reply->bytes + reply->len, head, sizeof head);
    memcpy(reply->bytes + reply->len + sizeof head, data, size);
    reply->len += sizeof head + size;
    reply->bytes[7]++;
}

static void put_records(struct dns_script *script, struct message *reply, int type, const struct entry *entry)
{
    char copy[TEXT_MAX], *words[TEXT_MAX], *rest = NULL;
    unsigned count = 0;
    memcpy(copy, entry->addresses, sizeof copy);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    for (unsigned i = 0; i < count; i++)
        put_record(reply, type, script->shared.ttl_s, words[(i + entry->asked) % count]);
}

/* Makes the reply; false for silence. */
static bool answer(struct dns_script *script, const struct message *query, bool is_tcp, struct message *reply)
{
    static const unsigned char codes[] = {[DNS_NXDOMAIN] = 3, [DNS_ADDRESSES] = 0, [DNS_SERVFAIL] = 2};
    char name[TEXT_MAX];
    size_t end = read_name(query, name);
    if (end + 4 > query->len)
        return false;
    int type = query->bytes[end] << 8 | query->bytes[end + 1];
    struct entry *entry = entry_of(script, name);
    entry->asked += type == TYPE_A;
    script->shared.asked_tcp += is_tcp;
    if (entry->reply == DNS_SILENCE)
        return false;
    memcpy(reply->bytes, query->bytes, end + 4);
    memset(reply->bytes + 6, 0, 6);
    reply->len = end + 4;
    reply->bytes[2] = 0x85;
    reply->bytes[3] = (unsigned char)(0x80 | codes[entry->reply]);
    if (script->shared.truncate && !is_tcp)
        reply->bytes[2] |= 2;
    else if (entry->reply == DNS_ADDRESSES)
        put_records(script, reply, type, entry);
    return true;
}

static bool answer_locked(struct dns_script *script, const struct message *query, bool is_tcp,
                          struct message *reply)
{
    pthread_mutex_lock(&script->shared.lock);
    bool replies = answer(script, query, is_tcp, reply);
    pthread_mutex_unlock(&script->shared.lock);
    return replies;
}

static void serve_udp(struct dns_script *script)
{
    struct message query, reply;
    struct sockaddr_in client;
    socklen_t client_len = sizeof client;
    ssize_t got = recvfrom(script->udp, query.bytes, sizeof query.bytes, 0, (void *)&client, &client_len);
    if (got < 12)
        return;
    query.len = (size_t)got;
    if (answer_locked(script, &query, false, &reply))
        sendto(script->udp, reply.bytes, reply.len, 0, (void *)&client, client_len);
}

static bool read_all(int fd, void *bytes, size_t len)
{
    return recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

/* Answers the questions of one connection until the other side ends it or a second has passed. */
static void serve_tcp(struct dns_script *script)
{
    struct message query, reply;
    unsigned char size[2];
    int fd = accept(script->tcp, NULL, NULL);
    struct timeval second = {.tv_sec = 1};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    while (read_all(fd, size, 2)) {
        query.len = (size_t)(size[0] << 8 | size[1]);
        if (query.len > sizeof query.bytes || !read_all(fd, query.bytes, query.len) ||
            !answer_locked(script, &query, true, &reply))
            break;
        size[0] = (unsigned char)(reply.len >> 8);
        size[1] = (unsigned char)reply.len;
        if (send(fd, size, 2, MSG_NOSIGNAL | MSG_MORE) < 0 ||
            send(fd, reply.bytes, reply.len, MSG_NOSIGNAL) < 0)
            break;
    }
    close(fd);
}

static void *serve(void *arg)
{
    struct dns_script *script = arg;
    struct pollfd polled[] = {{.fd = script->udp, .events = POLLIN}, {.fd = script->tcp, .events = POLLIN}};
    while (!atomic_load(&script->stopping)) {
        poll(polled, 2, 20);
        if (polled[0].revents)
            serve_udp(script);
        if (polled[1].revents)
            serve_tcp(script);
    }
    return NULL;
}

/* Whether one port could be had for both. */
static bool open_sockets(struct dns_script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    script->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    script->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(script->udp, (void *)&address, len) == 0 &&
        getsockname(script->udp, (void *)&address, &len) == 0 &&
        bind(script->tcp, (void *)&address, len) == 0 && listen(script->tcp, 16) == 0) {
        snprintf(script->servers, sizeof script->servers, "127.0.0.1:%u", ntohs(address.sin_port));
        return true;
    }
    close(script->udp);
    close(script->tcp);
    return false;
}

/* Starts a server without names: everything is NXDOMAIN. */
static struct dns_script *dns_script_start(void)
{
    struct dns_script *script = calloc(1, sizeof *script);
    assert(script != NULL);
    pthread_mutex_init(&script->shared.lock, NULL);
    script->shared.ttl_s = 600;
    while (!open_sockets(script))
        ;
    int failed = pthread_create(&script->thread, NULL, serve, script);
    assert(!failed);
    (void)failed;
    return script;
}

/* Stops it, frees it, stores NULL. */
static void dns_script_stop(struct dns_script **script)
{
    struct dns_script *old = *script;
    *script = NULL;
    atomic_store(&old->stopping, true);
    pthread_join(old->thread, NULL);
    close(old->udp);
    close(old->tcp);
    pthread_mutex_destroy(&old->shared.lock);
    free(old);
}

/* "127.0.0.1:port", as resolver_settings.servers takes it. */
static const char *dns_script_servers(const struct dns_script *script)
{
    return script->servers;
}

/* What a name is answered from now on; `addresses` are literals of either family, separated by spaces. */
static void dns_script_set(struct dns_script *script, const char *name, enum dns_reply reply,
                           const char *addresses)
{
    pthread_mutex_lock(&script->shared.lock);
    struct entry *entry = entry_of(script, name);
    entry->reply = reply;
    snprintf(entry->addresses, sizeof entry->addresses, "%s", addresses);
    pthread_mutex_unlock(&script->shared.lock);
}

/* The TTL of all answers, in seconds. */
static void dns_script_ttl(struct dns_script *script, unsigned ttl_s)
{
    pthread_mutex_lock(&script->shared.lock);
    script->shared.ttl_s = ttl_s;
    pthread_mutex_unlock(&script->shared.lock);
}

/* Whether UDP answers are cut to nothing, with TC set. */
static void dns_script_truncate(struct dns_script *script, bool truncate)
{
    pthread_mutex_lock(&script->shared.lock);
    script->shared.truncate = truncate;
    pthread_mutex_unlock(&script->shared.lock);
}

/* How often a name's A was asked, by UDP and by TCP. */
static unsigned dns_script_asked(struct dns_script *script, const char *name)
{
    pthread_mutex_lock(&script->shared.lock);
    unsigned asked = entry_of(script, name)->asked;
    pthread_mutex_unlock(&script->shared.lock);
    return asked;
}

/* Questions by TCP since the start. */
static unsigned dns_script_asked_tcp(struct dns_script *script)
{
    pthread_mutex_lock(&script->shared.lock);
    unsigned asked = script->shared.asked_tcp;
    pthread_mutex_unlock(&script->shared.lock);
    return asked;
}

#endif
