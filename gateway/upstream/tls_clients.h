/*
 * How TLS is spoken with each upstream, compiled from the configuration: a snapshot's part, so that `check`
 * opens the files that `run` uses.
 */
#ifndef PORTICO_UPSTREAM_TLS_CLIENTS_H
#define PORTICO_UPSTREAM_TLS_CLIENTS_H

#include "config/snapshot.h"
#include "net/tls_client.h"

/* Its part is a struct tls_clients; those that a reload does not change are the previous part's. Errors:
 * files of authorities that cannot be read. */
extern const struct config_module tls_clients_module;

/* The client of an upstream by its index, NULL when it is spoken to in clear. */
struct tls_client *tls_clients_of(const struct snapshot *snapshot, uint32_t upstream);

#endif
