/*
 * What the supervisor and its worker say to each other, over a socket pair that keeps messages apart and
 * carries file descriptors. The supervisor opens, the worker serves: nothing that the worker says makes the
 * supervisor open anything.
 */
#ifndef PORTICO_PROCESS_LINK_H
#define PORTICO_PROCESS_LINK_H

#include "process/privileges.h"

/* Descriptors that fit into one message; the kernel takes 253. */
enum { LINK_FDS_MAX = 128 };

/* From the supervisor: */
enum link_kind {
    LINK_BECOME,  /* the first: give up privileges; the file in memory that takes the scene of a crash */
    LINK_LOG,     /* write the access log to this destination; none: it is off */
    LINK_SOCKETS, /* listening sockets and their places, for the LINK_SERVE that follows */
    LINK_SERVE,   /* take this archive's configuration into service */
    LINK_TLS,     /* load the certificates again, from this archive */
    LINK_DRAIN,   /* accept no more, end with the last exchange */
    LINK_KILL,    /* end now */
    /* From the worker: */
    LINK_READY,  /* to the first LINK_SERVE: every listener accepts */
    LINK_TAKEN,  /* to a later LINK_SERVE: it is taken into service */
    LINK_REFUSED /* to a later LINK_SERVE: it cannot be, the old one stays */
};

/* One message. */
struct link_message {
    enum link_kind kind;
    uint32_t fd_count;
    int fds[LINK_FDS_MAX];
    uint32_t threads, listeners;   /* LINK_SOCKETS, LINK_SERVE: size of the table of sockets */
    uint64_t generation;           /* LINK_SERVE */
    uint32_t patience_ms;          /* LINK_SERVE, the first: server_settings.patience_ms */
    uint32_t places[LINK_FDS_MAX]; /* LINK_SOCKETS: of each descriptor in that table */
    struct privileges privileges;  /* LINK_BECOME */
    enum config_sandbox sandbox;   /* LINK_BECOME */
};

/* How an attempt to receive ended. */
enum link_end { LINK_GOT, LINK_NOTHING, LINK_CLOSED };

/* A pair of ends, the second to be handed to a child; false with errno. */
MUST_USE bool link_pair(int ends_out[2]);

/* Sends, with copies of the descriptors; waits for a second at most. False with errno. */
MUST_USE bool link_send(int link, const struct link_message *message);

/* The same for a message that is nothing but its kind. */
MUST_USE bool link_say(int link, enum link_kind kind);

/* Receives one; waits for it or not. The descriptors belong to the caller. */
MUST_USE enum link_end link_receive(int link, bool wait, struct link_message *message_out);

#endif
