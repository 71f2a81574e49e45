/*
 * Where a message ends and whether its connection goes on, for http/framing.h. Called by the HTTP/1 parser
 * for every head, so it asks only for fields that have been seen. All that two recipients could frame in two
 * ways is refused here, not repaired. Never sees a byte that is not part of a parsed
 * field.
 */
#include "http/framing.h"

#include "http/bytes.h"
#include "http/hop_by_hop.h"

/* The fields with one id: how many there are, and the value of the first. */
struct found {
    unsigned count;
    struct slice value;
};

static struct found look_up(const struct fields *fields, enum field_id id)
{
    struct found found = {.count = 0};
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (field->id == id && !(field->marks & FIELD_GONE) && found.count++ == 0)
            found.value = field_value(field);
    }
    return found;
}

static inline struct found find(const struct fields *fields, enum field_id id)
{
    return fields_may_have(fields, id) ? look_up(fields, id) : (struct found){.count = 0};
}

enum { DIGITS_SAFE = 18 }; /* so many never go beyond 2^63 - 1 */

static bool parse_digits(struct slice digits, uint64_t *number_out)
{
    uint64_t number = 0;
    if (digits.len == 0)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned)(unsigned char)digits.at[i] - '0';
        bool overflows = i >= DIGITS_SAFE && number > ((uint64_t)INT64_MAX - digit) / 10;
        if (digit > 9 || overflows)
            return false;
        number = number * 10 + digit;
    }
    *number_out = number;
    return true;
}

/* Repeats must be the same bytes: "5, 05" is one number only to some (A3, RFC 9110 section 8.6). */
bool content_length_parse(struct slice value, uint64_t *length_out)
{
    struct slice first, element;
    if (parse_digits(value, length_out))
        return true;
    if (!slice_next_element(&value, &first))
        return false;
    while (slice_next_element(&value, &element))
        if (!slice_equal(first, element))
            return false;
    return parse_digits(first, length_out);
}

/* Every Content-Length field must be the same list of the same number. */
static enum fault read_content_length(const struct fields *fields, const struct found *found,
                                      struct framing *framing)
{
    if (!content_length_parse(found->value, &framing->length))
        return FAULT_bad_content_length;
    for (unsigned i = 0; found->count > 1 && i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        bool same = field->id != FIELD_content_length || field->marks & FIELD_GONE ||
                    slice_equal(field_value(field), found->value);
        if (!same)
            return FAULT_bad_content_length;
    }
    framing->has_length = true;
    framing->kind = framing->length > 0 ? FRAMING_LENGTH : FRAMING_NONE;
    return FAULT_NONE;
}

/* A well-formed list of codings that we do not have is 501 (RFC 9112 section 6.1). Malformed is: what is not
 * a token, and chunked anywhere but once and last (A2). */
static enum fault judge_codings(struct slice list, bool *chunked_seen)
{
    struct slice coding;
    while (slice_next_element(&list, &coding)) {
        if (!bytes_are_token(coding) || *chunked_seen)
            return FAULT_bad_transfer_encoding;
        *chunked_seen = slice_equal_nocase(coding, SLICE("chunked"));
    }
    return FAULT_NONE;
}

static enum fault refuse_codings(const struct fields *fields)
{
    bool chunked_seen = false;
    enum fault fault = FAULT_NONE;
    for (unsigned i = 0; i < fields->count && !fault; i++) {
        const struct field *field = &fields->at[i];
        if (field->id == FIELD_transfer_encoding && !(field->marks & FIELD_GONE))
            fault = judge_codings(field_value(field), &chunked_seen);
    }
    return fault ? fault : FAULT_unknown_transfer_coding;
}

static enum fault read_transfer_encoding(const struct message *message, const struct found *found,
                                         struct framing *framing)
{
    /* RFC 9112 section 6.1: a sender of HTTP/1.0 does not know what it says (A4). */
    if (message->version_minor == 0)
        return FAULT_bad_transfer_encoding;
    if (found->count > 1 || !slice_equal_nocase(found->value, SLICE("chunked")))
        return refuse_codings(&message->fields);
    framing->kind = FRAMING_STREAM;
    return FAULT_NONE;
}

/* What the fields alone say of the content. RFC 9112 section 6.3 lets Transfer-Encoding win over
 * Content-Length; whoever sends both is answered with a refusal instead (A1). FRAMING_NONE without a length
 * when there is neither. */
static enum fault read_framing(struct message *message)
{
    const struct fields *fields = &message->fields;
    struct found length = find(fields, FIELD_content_length);
    struct found coding = find(fields, FIELD_transfer_encoding);
    message->framing = (struct framing){.kind = FRAMING_NONE};
    if (length.count > 0 && coding.count > 0)
        return FAULT_framing_conflict;
    if (length.count > 0)
        return read_content_length(fields, &length, &message->framing);
    return coding.count > 0 ? read_transfer_encoding(message, &coding, &message->framing) : FAULT_NONE;
}

static enum fault read_connection(struct message *message, struct connection_options *options)
{
    enum fault fault = FAULT_NONE;
    if (fields_may_have(&message->fields, FIELD_connection))
        fault = connection_options_read(&message->fields, options);
    /* RFC 9112 section 9.3 */
    message->keep_alive = !options->close && (message->version_minor > 0 || options->keep_alive);
    return fault;
}

/* The authority of an absolute-form target: between "://" and the path or query. False when the target has
 * another form. */
static bool cut_authority(struct slice target, struct slice *authority_out)
{
    if (target.len == 0 || target.at[0] == '/')
        return false;
    const char *mark = memmem(target.at, target.len, "://", 3);
    if (mark == NULL)
        return false;
    const char *at = mark + 3, *end = at;
    while (end < target.at + target.len && *end != '/' && *end != '?')
        end++;
    *authority_out = slice_make(at, (size_t)(end - at));
    return true;
}

/* RFC 9112 sections 3.2 and 3.2.2: exactly one valid Host, even if the absolute-form overrules it. HTTP/1.0
 * may lack it. */
static enum fault read_authority(struct message *request, struct arena *arena)
{
    struct found host = find(&request->fields, FIELD_host);
    if (host.count > 1 || (host.count == 0 && request->version_minor > 0))
        return FAULT_bad_host;
    request->split = (struct authority){.port = 0};
    if (host.count == 1 && !authority_parse(host.value, arena, &request->split))
        return FAULT_bad_host;
    request->authority = host.value;
    bool overruled = cut_authority(request->target, &request->authority);
    if (overruled && !authority_parse(request->authority, arena, &request->split))
        return FAULT_bad_target;
    return FAULT_NONE;
}

/* RFC 9110 section 10.1.1: ignored in HTTP/1.0, and then it must not go on, since what is sent on is
 * HTTP/1.1. Lists and parameters are refused with every other expectation (A6). */
static enum fault read_expect(struct message *request)
{
    struct found expect = find(&request->fields, FIELD_expect);
    request->expects_continue = false;
    if (expect.count == 0)
        return FAULT_NONE;
    if (request->version_minor == 0) {
        fields_remove(&request->fields, FIELD_expect);
        return FAULT_NONE;
    }
    request->expects_continue = expect.count == 1 && slice_equal_nocase(expect.value, SLICE("100-continue"));
    return request->expects_continue ? FAULT_NONE : FAULT_expectation_failed;
}

/* RFC 6455 section 4.1: 16 bytes in base64. */
static bool is_websocket_key(struct slice key)
{
    return key.len == 24 && bytes_all(slice_make(key.at, 22), BYTE_BASE64) && key.at[22] == '=' &&
           key.at[23] == '=';
}

/* Whether Connection would take the field away before it reaches the upstream. */
static bool is_nominated(const struct message *request, enum field_id id)
{
    return fields_list_has(&request->fields, FIELD_connection, field_id_name(id));
}

static bool has_websocket_key(const struct message *request)
{
    struct found key = find(&request->fields, FIELD_sec_websocket_key);
    return key.count == 1 && is_websocket_key(key.value) && !is_nominated(request, FIELD_sec_websocket_key);
}

static bool has_websocket_version(const struct message *request)
{
    struct found version = find(&request->fields, FIELD_sec_websocket_version);
    return version.count == 1 && slice_equal(version.value, SLICE("13")) &&
           !is_nominated(request, FIELD_sec_websocket_version);
}

static bool is_websocket_handshake(const struct message *request)
{
    return request->method == METHOD_GET && request->framing.kind == FRAMING_NONE &&
           has_websocket_key(request) && has_websocket_version(request);
}

/* RFC 9110 section 7.8: other protocols (h2c, A17) are not taken up, and HTTP/1.0 cannot ask for any. A
 * tunnel that is asked for in a malformed way is refused, since an upstream may grant what we did not
 * understand. */
static enum fault read_upgrade(struct message *request, bool upgrade_option)
{
    request->wants_upgrade = false;
    bool asked = request->version_minor > 0 && fields_may_have(&request->fields, FIELD_upgrade);
    if (!asked || !fields_list_has(&request->fields, FIELD_upgrade, SLICE("websocket")))
        return FAULT_NONE;
    request->wants_upgrade = upgrade_option && is_websocket_handshake(request);
    return request->wants_upgrade ? FAULT_NONE : FAULT_bad_upgrade;
}

enum fault framing_of_request(struct message *request, struct arena *arena)
{
    struct connection_options options = {.close = false};
    enum fault fault = read_framing(request);
    if (!fault)
        fault = read_authority(request, arena);
    if (!fault)
        fault = read_connection(request, &options);
    if (!fault && options.coding) /* no client does; who strips it first would read another framing (A32) */
        fault = FAULT_bad_connection_option;
    if (!fault)
        fault = read_expect(request);
    if (!fault)
        fault = read_upgrade(request, options.upgrade);
    return fault;
}

/* RFC 9110 section 15.2.2: only the answer to a WebSocket upgrade may switch protocols here, and it has no
 * content (A17). */
static enum fault read_switch(struct message *response, bool upgrade_option)
{
    response->wants_upgrade = upgrade_option && response->version_minor > 0 &&
                              response->framing.kind == FRAMING_NONE &&
                              fields_list_has(&response->fields, FIELD_upgrade, SLICE("websocket"));
    response->framing = (struct framing){.kind = FRAMING_TUNNEL};
    return response->wants_upgrade ? FAULT_NONE : FAULT_bad_upgrade;
}

/* RFC 9112 section 6.3, rules 1 and 8: what the request and the status make of the fields' framing. An
 * interim or 204 response that announces content nevertheless (a "Content-Length: 0" is common and harmless)
 * is the last of its connection: a sender that believes in that content will send it. */
static void apply_status(struct message *response, enum method request_method)
{
    struct framing *framing = &response->framing;
    bool announces = framing->kind != FRAMING_NONE;
    bool bodiless = response->status < 200 || response->status == 204;
    if (bodiless || response->status == 304 || request_method == METHOD_HEAD)
        framing->kind = FRAMING_NONE;
    else if (!announces && !framing->has_length)
        framing->kind = FRAMING_UNTIL_CLOSE;
    if (framing->kind == FRAMING_UNTIL_CLOSE || (bodiless && announces))
        response->keep_alive = false;
}

enum fault framing_of_response(struct message *response, enum method request_method)
{
    struct connection_options options = {.close = false};
    enum fault fault = read_framing(response);
    if (!fault)
        fault = read_connection(response, &options);
    if (fault)
        return fault;
    response->expects_continue = response->wants_upgrade = false;
    if (response->status == 101)
        return read_switch(response, options.upgrade);
    apply_status(response, request_method);
    return FAULT_NONE;
}
