/*
 * Socket addresses and networks as text and as bytes: parsing of what the configuration writes, printing for
 * logs and fields, CIDR matching. Touches no socket and no resolver.
 */
#ifndef PORTICO_BASE_ADDRESS_H
#define PORTICO_BASE_ADDRESS_H

#include "base/check.h"
#include "base/slice.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Longest texts that address_print and address_print_host give, terminator included. */
enum { ADDRESS_TEXT_MAX = 128, ADDRESS_HOST_MAX = INET6_ADDRSTRLEN };

/* A socket address of any family we speak. `len` is what bind() and connect() take. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
    socklen_t len;
};

/* The same of who has connected to us, in as little room as possible: of a Unix socket the family alone. */
struct remote_address {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    };
};

/* A block of addresses: the first `bits` bits of `bytes` count. IPv4 is kept as IPv4-mapped IPv6 (bits + 96).
 */
struct network {
    unsigned char bytes[16];
    unsigned bits;
};

/* "host:port", "[v6]:port", ":port" or "unix:/path", split but not resolved; host is empty for ":port". */
struct endpoint_name {
    struct slice host; /* name or address without brackets, or the path of a Unix socket */
    unsigned port;     /* 1..65535; 0 for a Unix socket */
    bool is_unix;
};

/* Splits the text; false when it is none of the forms above. The slices point into `text`. */
MUST_USE bool endpoint_name_parse(struct slice text, struct endpoint_name *name_out);

/* Makes an address from a numeric host and a port; false when the host is not an IPv4 or IPv6 literal. */
MUST_USE bool address_from_literal(struct slice host, unsigned port, struct address *address_out);

/* Makes the address of a Unix socket; false when the path is empty or too long. */
MUST_USE bool address_from_unix_path(struct slice path, struct address *address_out);

/* What is kept of it, and the address again. */
struct remote_address address_remote(const struct address *address);
struct address address_of_remote(const struct remote_address *remote);

/* Prints the host without brackets and without port ("unix:" for a Unix socket); gives the length. */
size_t address_print_host(const struct sockaddr *address, char text_out[ADDRESS_HOST_MAX]);

/* Prints host and port, "[v6]:port" for IPv6, "unix:/path" for a Unix socket; gives the length. */
size_t address_print(const struct address *address, char text_out[ADDRESS_TEXT_MAX]);

/* The port, 0 for a Unix socket. */
unsigned address_port(const struct address *address);

/* Whether it is this machine's own, of 127.0.0.0/8 or ::1. */
bool address_is_loopback(const struct address *address);

/* Whether family, host and port (or path) are the same. */
bool address_equal(const struct address *a, const struct address *b);

/* The host as an IPv6 address, an IPv4 one mapped into it; false for a Unix socket. */
MUST_USE bool address_bytes(const struct sockaddr *address, unsigned char bytes_out[16]);

/* Parses "10.0.0.0/8", "::1/128" or a single address. False when malformed; `host_bits_out` says whether bits
 * behind the mask are set, which the configuration refuses. */
MUST_USE bool network_parse(struct slice text, struct network *network_out, bool *host_bits_out);

/* Whether the address lies in the network; never for a Unix socket. */
bool network_contains(const struct network *network, const struct sockaddr *address);

#endif
