/*
 * The asking behind cli/live.h: a connection to each listener and a request that no service ever sees: it has
 * no Host, which the gateway answers with 400 (RFC 9112 section 3.2), as a TLS listener does plain HTTP. One
 * that expects a PROXY header is only connected to.
 */
#include "cli/live.h"

#include "base/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_S = 3 };

static const char QUESTION[] = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
static const char ANSWER[] = "HTTP/1.";

/* Where a client on this machine finds the listener. */
static bool address_of(const struct config_listener *listener, struct address *address_out)
{
    const struct endpoint_name *name = &listener->name;
    if (name->is_unix)
        return address_from_unix_path(name->host, address_out);
    bool is_any = name->host.len == 0 || slice_equal(name->host, SLICE("0.0.0.0"));
    struct slice host = is_any ? SLICE("127.0.0.1") : name->host;
    return address_from_literal(slice_equal(host, SLICE("::")) ? SLICE("::1") : host, name->port,
                                address_out);
}

static bool ask(int fd)
{
    char answer[sizeof ANSWER - 1];
    return send(fd, QUESTION, sizeof QUESTION - 1, MSG_NOSIGNAL) == (ssize_t)sizeof QUESTION - 1 &&
           recv(fd, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer &&
           memcmp(answer, ANSWER, sizeof answer) == 0;
}

static bool answers(const struct config_listener *listener)
{
    struct address address;
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    if (!address_of(listener, &address))
        return false;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    errno = 0;
    bool good = connect(fd, &address.any, address.len) == 0 && (listener->proxy_protocol || ask(fd));
    int error = errno;
    close(fd);
    errno = error;
    return good;
}

bool live_check(const struct config *config)
{
    bool all = true;
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (answers(listener))
            continue;
        all = false;
        fprintf(stderr, "portico: %.*s does not answer%s%s\n", SLICE_ARGS(listener->text), errno ? ": " : "",
                errno ? strerror(errno) : "");
    }
    return all;
}
