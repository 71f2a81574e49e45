/*
 * The moving of cli/lift.h. Called by `try` and `loadtest` before anything starts.
 */
#include "cli/lift.h"

#include "base/check.h"

enum { PORT_HTTPS = 443, PORTS_PRIVILEGED = 1024, PORT_SHIFT = 8000, PORT_MAX = 65535 };

static bool is_taken(const struct config *config, unsigned port)
{
    for (uint32_t i = 0; i < config->listener_count; i++)
        if (!config->listeners[i].name.is_unix && config->listeners[i].name.port == port)
            return true;
    return false;
}

/* 80 becomes 8080 and 443 becomes 8443, or the next port that no listener of the file has. */
static void lift(struct config *config, struct config_listener *listener)
{
    unsigned port = listener->name.port + PORT_SHIFT;
    while (is_taken(config, port) && port < PORT_MAX)
        port++;
    const char *colon = memrchr(listener->text.at, ':', listener->text.len);
    int host_len = (int)(colon - listener->text.at);
    listener->text = arena_printf(&config->arena, "%.*s:%u", host_len, listener->text.at, port);
    CHECK(endpoint_name_parse(listener->text, &listener->name));
}

void lift_listeners(struct config *config, bool (*is_given)(void *arg, struct slice text), void *arg)
{
    for (uint32_t i = 0; i < config->listener_count; i++) {
        struct config_listener *listener = &config->listeners[i];
        bool is_privileged = !listener->name.is_unix && listener->name.port < PORTS_PRIVILEGED;
        if (is_privileged && !(is_given && is_given(arg, listener->text)))
            lift(config, listener);
        if (listener->tls && config->https_port == 0 && listener->name.port != PORT_HTTPS)
            config->https_port = listener->name.port;
    }
}
