/* Connections to the proxy, which is always on this machine, and the WebSocket handshake on them. */
#ifndef BENCH_LOAD_DIAL_H
#define BENCH_LOAD_DIAL_H

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DIAL_PATIENCE_S = 20 };

/* A blocking socket to 127.0.0.1, or -1. Reads do not wait for ever. From another address than the first
 * (127.0.0.1 + own) the ports are others, too: they outlast what waits in TIME_WAIT. */
static inline int dial(uint16_t port, uint32_t own)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(port)};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + own);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval patience = {.tv_sec = DIAL_PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if ((own == 0 || bind(fd, (struct sockaddr *)&from, sizeof from) == 0) &&
        connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The key is RFC 6455's own (section 1.3), and so is what the server makes of it. */
#define UPGRADE_REQUEST                                                                     \
    "GET /ws HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* Whether a complete head takes it. */
static inline bool is_upgraded(const char *head)
{
    return strncmp(head, "HTTP/1.1 101 ", 13) == 0 && strstr(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL;
}

#endif
