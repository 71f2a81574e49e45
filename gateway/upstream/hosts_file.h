/*
 * Names that are answered on this machine: the hosts file (hosts(5)), kept in memory and read again when it
 * changes, and "localhost" with all below it, which are never asked for on the wire (RFC 6761 section 6.3).
 * The file comes first, so it may say what localhost is. A missing or unreadable file has no lines.
 */
#ifndef PORTICO_UPSTREAM_HOSTS_FILE_H
#define PORTICO_UPSTREAM_HOSTS_FILE_H

#include "base/address.h"

#include <stdint.h>

/* Most addresses that a name has here; further lines do not count. */
enum { HOSTS_FILE_FOUND_MAX = 64 };

struct hosts_file;

/* A hosts file at a path (copied), not yet read. */
struct hosts_file *hosts_file_new(const char *path);

/* Frees it and stores NULL; accepts NULL. */
void hosts_file_free(struct hosts_file **hosts);

/* Reads the file again if it has changed since the last call; whether it has. Reads a regular local file
 * only. */
bool hosts_file_refresh(struct hosts_file *hosts);

/* The addresses of a name (case and a final dot do not count), without port, in the order of the lines; gives
 * their number, 0 when the name is not answered here. */
uint32_t hosts_file_find(const struct hosts_file *hosts, struct slice name,
                         struct address addresses_out[HOSTS_FILE_FOUND_MAX]);

#endif
