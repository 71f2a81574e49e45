/*
 * Body length and connection persistence from a head's fields (RFC 9112 sections 6.3, 9.3), and every refusal
 * that keeps requests from being smuggled: both framings, lists, signs, other codings, framing in HTTP/1.0.
 * Pure: sees a parsed message, never a socket. Used by the HTTP/1 codec; HTTP/2 has its own rules.
 */
#ifndef PORTICO_HTTP_FRAMING_H
#define PORTICO_HTTP_FRAMING_H

#include "base/check.h"
#include "base/fault.h"
#include "http/message.h"

/* Fills framing, keep_alive, expects_continue, wants_upgrade and authority (split, too) of a request whose
 * method, version, target and fields are set. Host must be there exactly once and valid in HTTP/1.1; an
 * absolute-form target's authority wins (RFC 9112 section 3.2.2). Faults: framing_conflict,
 * bad_content_length, bad_transfer_encoding, unknown_transfer_coding, bad_host, expectation_failed,
 * bad_upgrade, bad_connection_option. */
MUST_USE enum fault framing_of_request(struct message *request, struct arena *arena);

/* Fills framing, keep_alive and wants_upgrade of a response to a request with `request_method`. Faults as
 * above. */
MUST_USE enum fault framing_of_response(struct message *response, enum method request_method);

/* Parses a Content-Length value: digits only, at most 2^63-1; identical repeats in one list ("5, 5")
 * collapse. */
MUST_USE bool content_length_parse(struct slice value, uint64_t *length_out);

#endif
