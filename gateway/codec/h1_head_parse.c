/*
 * The strict head parser of codec/h1_parse.h: one pass over a head that h1_head_scan delimited. Such a head
 * ends with an empty line, and no byte class holds CR, so every search below stops inside the head without
 * counting. Called by the inbound and outbound sessions; framing is left to http/framing.h.
 */
#include "codec/h1_parse.h"

#include "http/bytes.h"
#include "http/framing.h"

/* The unread part of a head. */
struct head {
    const char *at;
    const char *end;
};

/* Whether the text ends as a head (or, when `may_be_empty`, a trailer section) does; all reads below rely on
 * it. */
static bool is_delimited(struct slice text, bool may_be_empty)
{
    if (may_be_empty && slice_equal(text, SLICE("\r\n")))
        return true;
    return text.len >= 4 && memcmp(text.at + text.len - 4, "\r\n\r\n", 4) == 0;
}

static inline bool at_line_end(const struct head *head)
{
    return head->at[0] == '\r' && head->at[1] == '\n';
}

/* Moves over `text` if it comes next. */
static inline bool accept(struct head *head, struct slice text)
{
    if ((size_t)(head->end - head->at) < text.len || memcmp(head->at, text.at, text.len) != 0)
        return false;
    head->at += text.len;
    return true;
}

/* The token that comes next, maybe empty. */
static inline struct slice take_token(struct head *head)
{
    const char *start = head->at;
    while (byte_is(*head->at, BYTE_TOKEN))
        head->at++;
    return slice_make(start, (size_t)(head->at - start));
}

/* Why the byte at hand ended a line that was not over. */
static inline enum fault stop_fault(const struct head *head, enum fault otherwise)
{
    bool torn = *head->at == '\n' || (*head->at == '\r' && head->at[1] != '\n');
    return torn ? FAULT_bad_line_ending : otherwise;
}

/* One field line. */
struct line {
    enum field_id id;
    struct slice name, value;
};

/* Lengths are kept in 16 and 32 bits: a longer name is too large. */
static bool is_name(struct slice text)
{
    return text.len <= UINT16_MAX && bytes_are_token(text);
}

/* Why no name begins here. RFC 9112 section 5.1 allows no space before the colon (A8), and section 5.2 no
 * folded line (A7). */
static __attribute__((cold)) enum fault name_fault(struct head head)
{
    struct slice name = take_token(&head);
    if (name.len == 0 && (*head.at == ' ' || *head.at == '\t'))
        return FAULT_folded_field;
    if (name.len > UINT16_MAX)
        return FAULT_head_too_large;
    return stop_fault(&head, FAULT_bad_field_name);
}

/* One field line, RFC 9112 section 5, with its CR LF. A name that we know is a token. */
static inline enum fault take_field(struct head *head, struct line *line)
{
    const char *colon = memchr(head->at, ':', (size_t)(head->end - head->at));
    line->name = slice_make(head->at, colon ? (size_t)(colon - head->at) : 0);
    line->id = field_id_of(line->name);
    if (line->id == FIELD_other && !is_name(line->name))
        return name_fault(*head);
    head->at = colon + 1;
    while (*head->at == ' ' || *head->at == '\t')
        head->at++;
    const char *value = head->at;
    head->at = bytes_skip_value(value, head->end);
    if (!at_line_end(head))
        return stop_fault(head, FAULT_bad_field_value);
    const char *value_end = head->at;
    while (value_end > value && (value_end[-1] == ' ' || value_end[-1] == '\t'))
        value_end--;
    head->at += 2;
    line->value = slice_make(value, (size_t)(value_end - value));
    return FAULT_NONE;
}

/* What shall become of a field line. */
enum fields_kind { HEAD_FIELDS, TRAILER_FIELDS };

static bool is_wanted(enum field_id id, enum fields_kind kind)
{
    return kind == HEAD_FIELDS || (field_traits(id) & TRAIT_NO_TRAILER) == 0;
}

/* All field lines and the empty line, which must be the end of the text. */
static enum fault take_fields(struct head head, enum fields_kind kind, struct arena *arena,
                              struct fields *fields)
{
    struct line line = {.id = FIELD_other};
    while (*head.at != '\r') {
        enum fault fault = take_field(&head, &line);
        if (fault)
            return fault;
        if (fields->count == UINT16_MAX)
            return FAULT_too_many_fields;
        if (is_wanted(line.id, kind))
            fields_append(fields, arena, line.id, line.name, line.value);
    }
    if (!at_line_end(&head))
        return FAULT_bad_line_ending;
    return head.end - head.at == 2 ? FAULT_NONE : FAULT_bad_field_name;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits of "HTTP/1.1". */
struct version {
    char major, minor;
};

/* HTTP-version, RFC 9112 section 2.3. */
static inline bool take_version(struct head *head, struct version *version_out)
{
    const char *at = head->at;
    bool shaped = head->end - at >= 8 && memcmp(at, "HTTP/", 5) == 0 && is_digit(at[5]) && at[6] == '.' &&
                  is_digit(at[7]);
    if (!shaped)
        return false;
    *version_out = (struct version){at[5], at[7]};
    head->at += 8;
    return true;
}

static enum fault judge_version(struct version version, uint8_t *minor_out)
{
    if (version.major != '1' || version.minor > '1')
        return FAULT_bad_version;
    *minor_out = (uint8_t)(version.minor - '0');
    return FAULT_NONE;
}

/* The version that ends a request line. It is asked about only when the line is one. */
static enum fault end_request_line(struct head *head, struct message *request)
{
    struct version version;
    if (!take_version(head, &version) || !at_line_end(head))
        return stop_fault(head, FAULT_bad_request_line);
    head->at += 2;
    enum fault fault = judge_version(version, &request->version_minor);
    request->version = (uint8_t)(10 + request->version_minor);
    return fault;
}

/* Why the target ended before a space: a missing version (HTTP/0.9) or a tab is the line's fault, another
 * byte the target's. */
static enum fault target_fault(const struct head *head)
{
    bool line = *head->at == '\r' || *head->at == '\t';
    return stop_fault(head, line ? FAULT_bad_request_line : FAULT_bad_target);
}

/* RFC 9112 section 3: exactly METHOD SP TARGET SP VERSION. The lenient reading of section 3 (any whitespace)
 * is what smuggled requests are made of. PRI is no method: "PRI * HTTP/2.0" comes from an HTTP/2 client (RFC
 * 9113 section 3.4, A46). */
static enum fault take_request_line(struct head *head, struct message *request)
{
    request->method_text = take_token(head);
    if (request->method_text.len == 0 || !accept(head, SLICE(" ")))
        return stop_fault(head, FAULT_bad_request_line);
    request->method = method_of(request->method_text);
    const char *target = head->at;
    head->at = bytes_skip_target(target, head->end);
    request->target = slice_make(target, (size_t)(head->at - target));
    if (*head->at != ' ')
        return target_fault(head);
    if (request->target.len == 0 || slice_equal(request->method_text, SLICE("PRI")))
        return FAULT_bad_request_line;
    head->at++;
    return end_request_line(head, request);
}

/* RFC 9112 section 4: VERSION SP 3DIGIT SP [reason]. Servers that leave the last SP out with the reason are
 * many, and there is no second way to read them. */
static enum fault take_status_line(struct head *head, struct message *response)
{
    struct version version;
    if (!take_version(head, &version))
        return stop_fault(head, FAULT_bad_request_line);
    enum fault fault = judge_version(version, &response->version_minor);
    if (fault)
        return fault;
    const char *at = head->at;
    if (head->end - at < 6 || at[0] != ' ' || !is_digit(at[1]) || !is_digit(at[2]) || !is_digit(at[3]))
        return stop_fault(head, FAULT_bad_request_line);
    response->status = (unsigned)((at[1] - '0') * 100 + (at[2] - '0') * 10 + (at[3] - '0'));
    if (response->status < 100 || response->status > 599)
        return FAULT_bad_request_line;
    head->at += 4;
    if (accept(head, SLICE(" "))) {
        const char *reason = head->at;
        head->at = bytes_skip_value(reason, head->end);
        response->reason = slice_make(reason, (size_t)(head->at - reason));
    }
    if (!at_line_end(head))
        return stop_fault(head, FAULT_bad_request_line);
    head->at += 2;
    return FAULT_NONE;
}

enum fault h1_parse_request(struct slice text, struct arena *arena, struct message *request_out)
{
    struct head head = {text.at, text.at + text.len};
    if (!is_delimited(text, false))
        return FAULT_bad_line_ending;
    enum fault fault = take_request_line(&head, request_out);
    if (!fault)
        fault = take_fields(head, HEAD_FIELDS, arena, &request_out->fields);
    if (!fault)
        fault = framing_of_request(request_out, arena);
    if (fault)
        *request_out = (struct message){.method = METHOD_OTHER};
    return fault;
}

enum fault h1_parse_response(struct slice text, enum method request_method, struct arena *arena,
                             struct message *response_out)
{
    struct head head = {text.at, text.at + text.len};
    if (!is_delimited(text, false))
        return FAULT_bad_line_ending;
    enum fault fault = take_status_line(&head, response_out);
    if (!fault)
        fault = take_fields(head, HEAD_FIELDS, arena, &response_out->fields);
    if (!fault)
        fault = framing_of_response(response_out, request_method);
    if (fault)
        *response_out = (struct message){.method = METHOD_OTHER};
    return fault;
}

enum fault h1_parse_trailers(struct slice section, struct arena *arena, struct fields *trailers_out)
{
    struct head head = {section.at, section.at + section.len};
    struct fields trailers = {.count = 0};
    if (!is_delimited(section, true) || take_fields(head, TRAILER_FIELDS, arena, &trailers))
        return FAULT_bad_trailer;
    *trailers_out = trailers;
    return FAULT_NONE;
}
