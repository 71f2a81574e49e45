/*
 * The rules of codec/h2_fields.h. Called by h2_inbound for every decoded field and by h2_stream for every
 * response; knows nothing of frames, streams or windows.
 */
#include "codec/h2_fields.h"

#include "base/random.h"
#include "codec/h2_limits.h"
#include "http/bytes.h"
#include "http/framing.h"
#include "http/websocket.h"

enum { FIELD_OVERHEAD = 32 }; /* RFC 9113 section 10.5.1 */

void h2_head_start(struct h2_head *head, struct arena *arena, const struct h1_limits *limits, bool trailers)
{
    *head = (struct h2_head){.arena = arena, .limits = limits, .trailers = trailers};
}

static void worsen(struct h2_head *head, enum h2_verdict verdict, enum fault fault)
{
    if (verdict <= head->verdict)
        return;
    head->verdict = verdict;
    head->fault = fault;
}

static struct slice keep(struct h2_head *head, struct slice text)
{
    return slice_make(arena_copy(head->arena, text), text.len);
}

/* --- one field --- */

static void add_pseudo(struct h2_head *head, struct slice name, struct slice value)
{
    struct slice *member = slice_equal(name, SLICE(":method"))      ? &head->method
                           : slice_equal(name, SLICE(":path"))      ? &head->path
                           : slice_equal(name, SLICE(":scheme"))    ? &head->scheme
                           : slice_equal(name, SLICE(":authority")) ? &head->authority
                           : slice_equal(name, SLICE(":protocol"))  ? &head->protocol
                           : slice_equal(name, SLICE(":status"))    ? &head->status
                                                                    : NULL;
    bool belongs = head->response == (member == &head->status);
    if (member == NULL || !belongs || member->at != NULL || head->in_fields || head->trailers)
        worsen(head, H2_MALFORMED, FAULT_bad_field_name); /* RFC 9113 section 8.3 */
    else
        *member = keep(head, value);
}

/* RFC 9113 section 8.2.1: a token without upper case. */
static bool is_name(struct slice name)
{
    if (!bytes_are_token(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] >= 'A' && name.at[i] <= 'Z')
            return false;
    return true;
}

/* RFC 9113 section 8.2.1: no control character, no white space at either end. */
static bool is_value(struct slice value)
{
    if (value.len == 0)
        return true;
    char first = value.at[0], last = value.at[value.len - 1];
    if (first == ' ' || first == '\t' || last == ' ' || last == '\t')
        return false;
    return bytes_skip_value(value.at, value.at + value.len) == value.at + value.len;
}

/* RFC 9113 section 8.2.2: what speaks of a connection has no place here. */
static bool is_connection_specific(enum field_id id, struct slice value)
{
    switch (id) {
    case FIELD_connection:
    case FIELD_keep_alive:
    case FIELD_proxy_connection:
    case FIELD_transfer_encoding:
    case FIELD_upgrade: return true;
    case FIELD_te: return !slice_equal_nocase(value, SLICE("trailers"));
    default: return false;
    }
}

/* Host is compared with :authority at the end; it is written from there. */
static void add_host(struct h2_head *head, struct slice value)
{
    if (head->host.at != NULL)
        worsen(head, H2_REFUSED, FAULT_bad_host);
    head->host = keep(head, value);
}

static void add_field(struct h2_head *head, struct slice name, struct slice value)
{
    enum field_id id = field_id_of(name);
    head->in_fields = true;
    if (!is_name(name) || !is_value(value) || is_connection_specific(id, value))
        worsen(head, H2_MALFORMED, FAULT_bad_field_value);
    else if (head->trailers && (field_traits(id) & TRAIT_NO_TRAILER))
        return;
    else if (id == FIELD_host)
        add_host(head, value);
    else if (id != FIELD_other)
        fields_add_id(&head->fields, head->arena, id, keep(head, value));
    else
        fields_add(&head->fields, head->arena, keep(head, name), keep(head, value));
    head->crumbs += id == FIELD_cookie;
    head->lines += id != FIELD_cookie;
    head->prioritized = head->prioritized || slice_equal(name, SLICE("priority"));
}

void h2_head_add(struct h2_head *head, struct slice name, struct slice value)
{
    uint32_t bytes_max = head->trailers ? H1_TRAILER_SECTION_MAX : head->limits->head_max;
    uint32_t lines_max = head->trailers ? H1_TRAILER_FIELDS_MAX : head->limits->fields_max;
    head->bytes += (uint32_t)(name.len + value.len) + FIELD_OVERHEAD;
    if (head->bytes > H2_HEAD_BOMB_FACTOR * (uint64_t)head->limits->head_max)
        worsen(head, H2_BOMB, FAULT_head_too_large);
    else if (head->bytes > bytes_max)
        worsen(head, H2_REFUSED, FAULT_head_too_large);
    if (head->verdict != H2_FINE)
        return;
    if (name.len > 0 && name.at[0] == ':')
        add_pseudo(head, name, value);
    else if (head->lines >= lines_max)
        worsen(head, H2_REFUSED, FAULT_too_many_fields);
    else
        add_field(head, name, value);
}

/* --- the end of a head --- */

/* RFC 9113 section 8.2.3: crumbs become one field again. */
static void join_cookies(struct h2_head *head)
{
    if (head->crumbs < 2)
        return;
    size_t len = 0;
    const struct fields *fields = &head->fields;
    char *joined = arena_alloc(head->arena, head->bytes);
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *crumb = &fields->at[i];
        if (crumb->id != FIELD_cookie || crumb->value_len == 0)
            continue;
        if (len > 0) {
            memcpy(joined + len, "; ", 2);
            len += 2;
        }
        memcpy(joined + len, crumb->value, crumb->value_len);
        len += crumb->value_len;
    }
    fields_remove(&head->fields, FIELD_cookie);
    fields_add_id(&head->fields, head->arena, FIELD_cookie, slice_make(joined, len));
}

static bool is_path(const struct h2_head *head)
{
    struct slice path = head->path;
    if (path.len == 0 || bytes_skip_target(path.at, path.at + path.len) != path.at + path.len)
        return false;
    return path.at[0] == '/' ||
           (slice_equal(path, SLICE("*")) && slice_equal(head->method, SLICE("OPTIONS")));
}

static bool is_scheme(struct slice scheme)
{
    return slice_equal_nocase(scheme, SLICE("http")) || slice_equal_nocase(scheme, SLICE("https"));
}

/* RFC 9113 section 8.3.1: which pseudo-fields must be there, and that Host says nothing else. */
static void check_pseudo(struct h2_head *head)
{
    bool connect = slice_equal(head->method, SLICE("CONNECT"));
    bool plain_connect = connect && head->protocol.at == NULL;
    bool good = bytes_are_token(head->method) && (connect || head->protocol.at == NULL);
    if (plain_connect)
        good = good && head->path.at == NULL && head->scheme.at == NULL && head->authority.len > 0;
    else
        good = good && is_path(head) && is_scheme(head->scheme);
    if (head->authority.at && !is_value(head->authority))
        good = false;
    if (head->host.at && head->authority.at && !slice_equal_nocase(head->host, head->authority))
        good = false;
    if (!good)
        worsen(head, H2_MALFORMED, FAULT_bad_target);
    else if (plain_connect)
        worsen(head, H2_REFUSED, FAULT_method_refused);
    else if (slice_equal(head->method, SLICE("PRI")))
        worsen(head, H2_REFUSED, FAULT_bad_request_line);
    else if (head->path.len > head->limits->line_max)
        worsen(head, H2_REFUSED, FAULT_target_too_long);
}

/* RFC 8441 section 5: HTTP/1.1 asks for a WebSocket with GET, a key and an Upgrade. */
static void ask_upgrade(struct h2_head *head, struct message *request)
{
    struct random random;
    random_init(&random);
    uint64_t nonce[2] = {random_next(&random), random_next(&random)};
    char *key = arena_alloc(head->arena, WEBSOCKET_KEY_LEN + 1);
    websocket_key_of((const unsigned char *)nonce, key);
    struct fields *fields = &request->fields;
    request->needs_upgrade = true;
    request->method = METHOD_GET;
    request->method_text = SLICE("GET");
    fields_remove(fields, FIELD_sec_websocket_key);
    fields_add_id(fields, head->arena, FIELD_sec_websocket_key, slice_make(key, WEBSOCKET_KEY_LEN));
    if (!fields_find(fields, FIELD_sec_websocket_version))
        fields_add_id(fields, head->arena, FIELD_sec_websocket_version, SLICE("13"));
    fields_add_id(fields, head->arena, FIELD_upgrade, SLICE("websocket"));
    fields_add_id(fields, head->arena, FIELD_connection, SLICE("Upgrade"));
}

static void fill_message(struct h2_head *head, struct message *request)
{
    struct slice authority = head->authority.at ? head->authority : head->host;
    *request = (struct message){.method = method_of(head->method),
                                .method_text = head->method,
                                .target = head->path.at ? head->path : head->authority,
                                .authority = authority,
                                .version = 20,
                                .version_minor = 1,
                                .keep_alive = true};
    join_cookies(head);
    if (authority.at)
        fields_add_id(&head->fields, head->arena, FIELD_host, authority);
    request->fields = head->fields;
}

/* The end of the content is known by END_STREAM whatever the fields say (RFC 9113 section 8.1.1). */
static void set_framing(struct h2_head *head, struct message *request, bool end_stream)
{
    struct framing *framing = &request->framing;
    if (end_stream && framing->kind != FRAMING_NONE)
        worsen(head, H2_MALFORMED, FAULT_bad_content_length);
    if (!end_stream && framing->kind == FRAMING_NONE && !framing->has_length && !request->wants_upgrade)
        framing->kind = FRAMING_STREAM;
}

enum h2_verdict h2_head_end(struct h2_head *head, bool end_stream, struct message *request_out)
{
    if (head->verdict == H2_FINE)
        check_pseudo(head);
    fill_message(head, request_out);
    if (head->verdict != H2_FINE)
        return head->verdict;
    if (head->protocol.at) {
        bool known = slice_equal_nocase(head->protocol, SLICE("websocket"));
        if (!known || end_stream) {
            worsen(head, known ? H2_MALFORMED : H2_REFUSED, FAULT_bad_upgrade);
            return head->verdict;
        }
        ask_upgrade(head, request_out);
    }
    enum fault fault = framing_of_request(request_out, head->arena);
    if (fault)
        worsen(head, H2_REFUSED, fault);
    else
        set_framing(head, request_out, end_stream);
    return head->verdict;
}

/* --- responses that come --- */

void h2_head_start_response(struct h2_head *head, struct arena *arena, const struct h1_limits *limits)
{
    *head = (struct h2_head){.arena = arena, .limits = limits, .response = true};
}

static unsigned status_of(struct slice text)
{
    unsigned status = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return 0;
        status = status * 10 + (unsigned)(text.at[i] - '0');
    }
    return text.len == 3 ? status : 0;
}

/* END_STREAM says where the content ends, whatever the fields say; for an HTTP/1.1 client an empty response
 * needs a length. */
static void set_response_framing(struct h2_head *head, struct message *response, bool end_stream)
{
    struct framing *framing = &response->framing;
    response->keep_alive = true;
    if (end_stream && framing->kind == FRAMING_LENGTH)
        worsen(head, H2_MALFORMED, FAULT_bad_content_length);
    else if (framing->kind == FRAMING_UNTIL_CLOSE)
        *framing =
            (struct framing){.kind = end_stream ? FRAMING_NONE : FRAMING_STREAM, .has_length = end_stream};
    if (response->status < 200 && end_stream) /* RFC 9113 section 8.1 */
        worsen(head, H2_MALFORMED, FAULT_bad_request_line);
}

enum h2_verdict h2_head_end_response(struct h2_head *head, bool end_stream, enum method method,
                                     struct message *response_out)
{
    unsigned status = status_of(head->status);
    *response_out = (struct message){.status = status, .version = 20, .version_minor = 1};
    if (status < 100 || status > 599 || status == 101)
        worsen(head, H2_MALFORMED, FAULT_bad_request_line);
    if (head->verdict != H2_FINE)
        return head->verdict;
    response_out->fields = head->fields;
    enum fault fault = framing_of_response(response_out, method);
    if (fault)
        worsen(head, H2_MALFORMED, fault);
    else
        set_response_framing(head, response_out, end_stream);
    return head->verdict;
}

/* --- heads that go --- */

static nghttp2_nv nv_of(struct slice name, struct slice value, uint8_t flags)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.at,
                        .value = (uint8_t *)(uintptr_t)value.at,
                        .namelen = name.len,
                        .valuelen = value.len,
                        .flags = flags};
}

/* All present fields without the traits; secrets never enter a compression table (RFC 7541 section 7.1.3). */
static size_t write_fields(const struct fields *fields, unsigned without_traits, nghttp2_nv *out)
{
    size_t count = 0;
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        unsigned traits = field->id == FIELD_other ? 0 : field_traits((enum field_id)field->id);
        if ((field->marks & FIELD_GONE) || (traits & without_traits))
            continue;
        uint8_t flags = traits & TRAIT_SECRET ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
        out[count++] = nv_of(field_name(field), field_value(field), flags);
    }
    return count;
}

size_t h2_response_bound(const struct message *head)
{
    return (size_t)head->fields.count + 2;
}

static bool says_length(const struct message *head)
{
    bool known = head->framing.kind == FRAMING_LENGTH ||
                 (head->framing.kind == FRAMING_NONE && head->framing.has_length);
    return known && head->status >= 200 && head->status != 204; /* RFC 9110 section 8.6 */
}

/* Prints the number at the end of `digits`. */
static struct slice decimal(uint64_t number, char *digits, size_t size)
{
    size_t at = size;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return slice_make(digits + at, size - at);
}

size_t h2_write_response(const struct message *head, struct h2_text *text, nghttp2_nv *out)
{
    bool tunnel = head->status == 101;
    struct slice status = decimal(tunnel ? 200 : head->status % 1000, text->status, sizeof text->status);
    out[0] = nv_of(SLICE(":status"), status, NGHTTP2_NV_FLAG_NONE);
    size_t count = 1 + write_fields(&head->fields, TRAIT_HOP | TRAIT_FRAMING, out + 1);
    for (size_t i = 1; tunnel && i < count; i++) /* RFC 8441 section 5.1 */
        if (slice_equal_nocase(slice_make((char *)out[i].name, out[i].namelen),
                               SLICE("sec-websocket-accept")))
            out[i--] = out[--count];
    if (!says_length(head))
        return count;
    struct slice length = decimal(head->framing.length, text->length, sizeof text->length);
    out[count++] = nv_of(SLICE("content-length"), length, NGHTTP2_NV_FLAG_NONE);
    return count;
}

size_t h2_request_bound(const struct message *head)
{
    return (size_t)head->fields.count + 6;
}

/* Takes the fields of this name out; gives how many are left. */
static size_t leave_out(nghttp2_nv *fields, size_t count, struct slice name)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice found = {(const char *)fields[i].name, fields[i].namelen};
        if (!slice_equal_nocase(found, name))
            fields[kept++] = fields[i];
    }
    return kept;
}

size_t h2_write_request(const struct message *head, struct slice scheme, struct h2_text *text,
                        nghttp2_nv *out)
{
    size_t count = 0;
    const struct field *host = fields_find(&head->fields, FIELD_host);
    struct slice method = head->wants_upgrade ? SLICE("CONNECT") : head->method_text;
    out[count++] = nv_of(SLICE(":method"), method, NGHTTP2_NV_FLAG_NONE);
    if (head->wants_upgrade) /* RFC 8441 section 5 */
        out[count++] = nv_of(SLICE(":protocol"), SLICE("websocket"), NGHTTP2_NV_FLAG_NONE);
    out[count++] = nv_of(SLICE(":scheme"), scheme, NGHTTP2_NV_FLAG_NONE);
    out[count++] = nv_of(SLICE(":path"), head->target, NGHTTP2_NV_FLAG_NONE);
    if (host)
        out[count++] = nv_of(SLICE(":authority"), field_value(host), NGHTTP2_NV_FLAG_NONE);
    size_t first = count;
    count += write_fields(&head->fields, TRAIT_HOP | TRAIT_FRAMING, out + count);
    count = first + leave_out(out + first, count - first, SLICE("host"));
    if (head->wants_upgrade)
        count = first + leave_out(out + first, count - first, SLICE("sec-websocket-key"));
    if (fields_find(&head->fields, FIELD_te)) /* all that is left of it, RFC 9113 section 8.2.2 */
        out[count++] = nv_of(SLICE("te"), SLICE("trailers"), NGHTTP2_NV_FLAG_NONE);
    if (!head->framing.has_length || head->framing.kind == FRAMING_STREAM)
        return count;
    struct slice length = decimal(head->framing.length, text->length, sizeof text->length);
    out[count++] = nv_of(SLICE("content-length"), length, NGHTTP2_NV_FLAG_NONE);
    return count;
}

size_t h2_write_trailers(const struct fields *trailers, nghttp2_nv *out)
{
    return write_fields(trailers, TRAIT_HOP | TRAIT_FRAMING | TRAIT_NO_TRAILER, out);
}
