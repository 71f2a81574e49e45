/*
 * Listening sockets: bound on the control thread, so that errors are known before anything starts, then
 * served by one listener per worker thread. Accepting is bounded per turn and rests for a moment when no file
 * descriptor or no place in the crowd is left, or its gate is shut: who comes then waits in the kernel's
 * backlog.
 */
#ifndef PORTICO_NET_LISTENER_H
#define PORTICO_NET_LISTENER_H

#include "base/address.h"
#include "base/loop.h"
#include "net/crowd.h"

struct listener;

/* A client has connected; takes over the socket, which neither blocks nor delays what is written
 * (TCP_NODELAY), and its place. */
typedef void listener_accept_fn(void *arg, int fd, const struct address *remote, struct crowd_place place);

/* Makes a non-blocking socket that listens on the name: ":port" means every IPv4 and IPv6 address. TCP
 * sockets have SO_REUSEPORT, so that each thread binds its own. A stale Unix socket is replaced. -1 with
 * errno on failure. */
int listener_bind(const struct endpoint_name *name);

/* Whether the name can be bound by a process that does not share it: SO_REUSEPORT alone would let two
 * gateways of one user share a port unnoticed. A Unix socket is free when nobody answers at its path. False
 * with errno. */
bool listener_is_free(const struct endpoint_name *name);

/* Serves the socket, which it takes over. `crowd`: where places are taken; NULL: there is no bound. */
struct listener *listener_start(struct loop *loop, int fd, struct crowd *crowd, listener_accept_fn *on_accept,
                                void *arg);

/* Accepts what is waiting, then closes the socket and stores NULL. Accepts NULL. */
void listener_stop(struct listener **listener);

#endif
