/*
 * Responses made by the gateway itself: an answer as it is, or a fault's row with status, Proxy-Status (RFC
 * 9209) and a short body, JSON for clients that accept it (RFC 9457), else plain text.
 */
#include "exchange/internal.h"
#include "http/status.h"
#include "observe/proxy_status.h"

enum { RETRY_AFTER_S = 2 };

static bool is_json(struct slice media_range)
{
    const char *semicolon = memchr(media_range.at, ';', media_range.len);
    if (semicolon)
        media_range = slice_trim(slice_make(media_range.at, (size_t)(semicolon - media_range.at)));
    return slice_equal_nocase(media_range, SLICE("application/json")) ||
           slice_equal_nocase(media_range, SLICE("application/problem+json"));
}

/* Whether Accept names JSON (RFC 9110 section 12.5.1); a browser's wildcard does not. */
static bool wants_json(const struct exchange *x)
{
    const struct field *accept = fields_find(&x->in->rx_head.fields, FIELD_accept);
    struct slice rest = accept ? field_value(accept) : slice_make(NULL, 0), media_range;
    while (slice_next_element(&rest, &media_range))
        if (media_range.len > 0 && is_json(media_range))
            return true;
    return false;
}

/* A policy that refuses may have a status of its own. */
static unsigned status_of(const struct exchange *x)
{
    bool is_policy = x->call.fault != FAULT_NONE && x->cause == x->call.fault && x->call.status != 0;
    return is_policy ? x->call.status : (unsigned)fault_row(x->cause)->status;
}

/* Members that say more than the status does (RFC 9457 section 3.1.1); the types are those of
 * draft-ietf-httpapi-ratelimit-headers-10 section 6. */
static struct slice problem_of(const struct exchange *x)
{
    if (fault_row(x->cause)->crowded)
        return SLICE(
            "\"type\":\"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity\"");
    return x->cause == x->call.fault ? x->call.problem : slice_make(NULL, 0);
}

static struct slice body_text(struct exchange *x, unsigned status, bool json)
{
    const struct fault_row *row = fault_row(x->cause);
    struct slice phrase = status_phrase(status), id = x->record.request_id, problem = problem_of(x);
    if (json)
        return arena_printf(x->arena,
                            "{\"status\":%u,\"title\":\"%.*s\",%.*s%s\"cause\":\"%s\",\"detail\":\"%s\","
                            "\"request_id\":\"%.*s\"}\n",
                            status, SLICE_ARGS(phrase), SLICE_ARGS(problem), problem.len > 0 ? "," : "",
                            row->name, row->sentence, SLICE_ARGS(id));
    return arena_printf(x->arena, "%u %.*s: %s (%s)\nrequest %.*s\n", status, SLICE_ARGS(phrase),
                        row->sentence, row->name, SLICE_ARGS(id));
}

static void fill_body(struct exchange *x, struct slice text)
{
    struct block *block = block_new(&x->home->loop->blocks, text.len);
    memcpy(block->data, text.at, text.len);
    block->used = (uint32_t)text.len;
    body_append(&x->reply->body, block, 0, (uint32_t)text.len);
    block_unref(&block);
}

static struct policy_answer answer_for_fault(struct exchange *x)
{
    unsigned status = status_of(x);
    bool json = wants_json(x);
    return (struct policy_answer){.status = status,
                                  .type = json ? SLICE("application/problem+json")
                                               : SLICE("text/plain; charset=utf-8"),
                                  .text = body_text(x, status, json)};
}

static void add_fault_fields(struct exchange *x, struct fields *fields, unsigned status)
{
    fields_add_id(fields, x->arena, FIELD_cache_control, SLICE("no-store"));
    fields_add_id(fields, x->arena, FIELD_proxy_status, proxy_status_print(x->arena, x->cause, x->detail));
    if (status == 503)
        fields_add_id(fields, x->arena, FIELD_retry_after, arena_printf(x->arena, "%d", RETRY_AFTER_S));
    if (status == 405)
        fields_add(fields, x->arena, SLICE("allow"), SLICE("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
}

void reply_build(struct exchange *x)
{
    request_suppose_site(x);
    if (x->reply) /* the one that could not be sent */
        body_fini(&x->reply->body);
    x->reply = arena_zalloc(x->arena, sizeof *x->reply);
    struct message *head = &x->reply->head;
    struct policy_answer answer = x->cause ? answer_for_fault(x) : x->call.answer;
    head->status = answer.status;
    head->version_minor = 1;
    head->keep_alive = !x->cause || !fault_row(x->cause)->closes;
    bool is_sent = answer.text.len > 0 && x->in->rx_head.method != METHOD_HEAD;
    head->framing = (struct framing){is_sent ? FRAMING_LENGTH : FRAMING_NONE,
                                     !status_has_no_content(answer.status), answer.text.len};
    if (is_sent)
        fill_body(x, answer.text);
    x->reply->body.ended = true;
    struct fields *fields = &head->fields;
    fields_add_id(fields, x->arena, FIELD_date, response_date(x));
    if (answer.type.len > 0)
        fields_add_id(fields, x->arena, FIELD_content_type, answer.type);
    for (unsigned i = 0; answer.fields && i < answer.fields->count; i++) {
        const struct field *field = &answer.fields->at[i];
        fields_add(fields, x->arena, field_name(field), field_value(field));
    }
    if (answer.location.len > 0)
        fields_add_id(fields, x->arena, FIELD_location, answer.location);
    fields_add_id(fields, x->arena, FIELD_x_request_id, x->record.request_id);
    if (x->cause)
        add_fault_fields(x, fields, answer.status);
}
