/*
 * The HTTP/2 connections of an endpoint, each shared by the exchanges that have a stream on it. A new one is
 * dialled when none has room; one without streams is closed after the upstream's idle_timeout, and one that
 * its server is leaving as soon as its last stream has ended. Belongs to one thread.
 */
#ifndef PORTICO_UPSTREAM_CHANNEL_H
#define PORTICO_UPSTREAM_CHANNEL_H

#include "base/check.h"
#include "base/fault.h"
#include "http/stream.h"
#include "upstream/cluster.h"

/* Whether a connection has room; `fresh`: one that has not been established before. */
bool channel_has_room(struct endpoint *endpoint, bool fresh);

/* A stream on a connection with room, or on a new one, for which the claim has a slot if connections are
 * bounded. A stream on one that is being dialled is not open yet. Its owner and arena must be set before the
 * turn ends. Faults: connect_failed, connect_refused, out_of_files. */
MUST_USE enum fault channel_take(struct endpoint *endpoint, struct claim *claim, struct stream **stream_out);

/* The endpoint's connections take no new streams; those without any are closed now. */
void channels_retire(struct endpoint *endpoint);

/* Closes a connection without streams; when there is none and `busy`, one takes no new streams. False when
 * there is none to be given up. */
bool channels_give_up(struct endpoint *endpoint, bool busy);

/* Connections to the endpoint have just become bounded, or are so no more: its slots are told what there is.
 */
void channels_note(struct endpoint *endpoint);

#endif
