/*
 * The binding behind process/sockets.h. Called by generation.c at the start and at every reload; the worker
 * threads take the sockets over.
 */
#include "process/sockets.h"

#include "base/log.h"
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { PORT_UNPRIVILEGED = 1024 };

const struct config_listener *sockets_same_listener(const struct config *config, struct slice text)
{
    for (uint32_t i = 0; config && i < config->listener_count; i++)
        if (slice_equal(config->listeners[i].text, text))
            return &config->listeners[i];
    return NULL;
}

/* Whether one of the first `count` listeners has the port, on whatever address. */
static bool has_port(const struct config *config, uint32_t count, unsigned port)
{
    struct endpoint_name name;
    for (uint32_t i = 0; i < count; i++)
        if (endpoint_name_parse(config->listeners[i].text, &name) && !name.is_unix && name.port == port)
            return true;
    return false;
}

/* Nobody shares a port with another program by accident: a socket that tries to be the only one tells. Where
 * we ourselves have the port, with another address, it would be in our own way. */
static bool is_free_for(const struct config *config, const struct config *before, uint32_t index)
{
    const struct endpoint_name *name = &config->listeners[index].name;
    return has_port(before, before ? before->listener_count : 0, name->port) ||
           has_port(config, index, name->port) || listener_is_free(name);
}

static const char *advice(const struct config_listener *listener, int error)
{
    bool is_privileged =
        error == EACCES && !listener->name.is_unix && listener->name.port < PORT_UNPRIVILEGED;
    return is_privileged            ? "; ports below 1024 need root, CAP_NET_BIND_SERVICE or a lower "
                                      "net.ipv4.ip_unprivileged_port_start"
           : error == EADDRNOTAVAIL ? "; no interface of this machine has it"
                                    : "";
}

static bool bind_one(const struct config *config, const struct config *before, struct sockets *sockets,
                     uint32_t index)
{
    const struct config_listener *listener = &config->listeners[index];
    bool is_free = is_free_for(config, before, index);
    for (uint32_t i = 0; i < sockets->threads && is_free; i++) {
        int *socket = &sockets->at[(size_t)i * sockets->listeners + index];
        *socket = listener->name.is_unix && i > 0 ? dup(sockets->at[index]) : listener_bind(&listener->name);
        is_free = *socket >= 0;
    }
    if (!is_free)
        log_error("server", "%s:%u:%u: cannot listen on %.*s: %s%s", listener->origin.file,
                  listener->origin.line, listener->origin.column, SLICE_ARGS(listener->text), strerror(errno),
                  advice(listener, errno));
    return is_free;
}

struct sockets sockets_new(uint32_t threads, uint32_t listeners)
{
    struct sockets sockets = {.threads = threads, .listeners = listeners};
    size_t count = (size_t)threads * listeners;
    sockets.at = malloc((count + 1) * sizeof *sockets.at);
    CHECK(sockets.at != NULL);
    for (size_t i = 0; i < count; i++)
        sockets.at[i] = -1;
    return sockets;
}

bool sockets_bind(const struct config *config, const struct config *before, uint32_t threads,
                  struct sockets *sockets_out)
{
    struct sockets sockets = sockets_new(threads, config->listener_count);
    for (uint32_t i = 0; i < sockets.listeners; i++) {
        if (sockets_same_listener(before, config->listeners[i].text))
            continue;
        if (!bind_one(config, before, &sockets, i)) {
            sockets_close(&sockets);
            return false;
        }
    }
    *sockets_out = sockets;
    return true;
}

const int *sockets_of(const struct sockets *sockets, uint32_t thread)
{
    return sockets->at + (size_t)thread * sockets->listeners;
}

void sockets_inherit(struct sockets *sockets, const struct config *config, struct sockets *kept,
                     const struct config *before)
{
    for (uint32_t i = 0; i < sockets->listeners; i++) {
        const struct config_listener *same = sockets_same_listener(before, config->listeners[i].text);
        for (uint32_t thread = 0; same && kept->at && thread < sockets->threads; thread++) {
            int *from = &kept->at[(size_t)thread * kept->listeners + (size_t)(same - before->listeners)];
            sockets->at[(size_t)thread * sockets->listeners + i] = *from;
            *from = -1;
        }
    }
}

void sockets_forget(struct sockets *sockets)
{
    free(sockets->at);
    *sockets = (struct sockets){0};
}

void sockets_close(struct sockets *sockets)
{
    for (size_t i = 0; i < (size_t)sockets->threads * sockets->listeners; i++)
        if (sockets->at[i] >= 0)
            close(sockets->at[i]);
    sockets_forget(sockets);
}
