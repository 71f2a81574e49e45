/*
 * What a policy asks an upstream while the request waits (policy.h, POLICY_ASK): a connection of the pool, a
 * request without content, a whole answer within its time. The client's own stream is not touched. What the
 * answer means, the policy decides.
 */
#include "exchange/deadline.h"
#include "http/hop_by_hop.h"
#include "upstream/balancer.h"

enum { ASK_ATTEMPTS_MAX = 2 };

/* A question to an upstream under way. */
struct asking {
    struct claim claim;
    struct outbound *outbound; /* NULL: not asked yet */
    unsigned attempts, interims;
    bool sent, has_head;
    struct body nothing; /* the content of the question */
    char *content;
    size_t content_len;
};

void ask_end(struct exchange *x, enum fault fault)
{
    if (x->asking == NULL)
        return;
    pool_give(&x->asking->outbound, fault);
    pool_leave(&x->asking->claim);
    x->asking = NULL;
}

static bool conclude(struct exchange *x, enum fault fault, enum fault closing)
{
    struct policy_question *question = x->call.question;
    question->answered = true;
    question->fault = fault;
    question->content = slice_make(x->asking->content, x->asking->content_len);
    ask_end(x, fault ? fault : closing);
    deadline_set(x, x->terms.write_timeout_us);
    return true;
}

/* Takes a connection; none is taken while it must wait for one. */
static enum fault take(struct exchange *x)
{
    struct cluster *cluster = x->pin->clusters[x->call.question->upstream->index];
    struct endpoint *endpoint;
    enum fault fault = balancer_pick(cluster, &x->asking->claim, &endpoint);
    if (fault || endpoint == NULL)
        return fault;
    x->asking->attempts++;
    return pool_take(endpoint, &x->asking->claim, x->arena, &x->asking->outbound);
}

/* A connection that had been resting may have ended just now; everybody else's failure is the answer. */
static bool may_repeat(const struct exchange *x)
{
    return x->asking->outbound->stream->reused && x->asking->attempts < ASK_ATTEMPTS_MAX &&
           !x->asking->has_head;
}

static void send_question(struct exchange *x, struct stream *stream)
{
    x->asking->nothing.ended = true;
    stream->ops->tx_head(stream, &x->call.question->request);
    stream->ops->tx_body(stream, &x->asking->nothing, NULL);
    x->asking->sent = true;
}

/* The head outlives its connection: its bytes are copied. */
static enum fault keep_head(struct exchange *x, struct message *head)
{
    struct message *kept = &x->call.question->response;
    enum fault fault = hop_by_hop_strip(&head->fields);
    if (fault || head->status == 101)
        return fault ? fault : FAULT_upstream_bad_upgrade;
    kept->status = head->status;
    for (unsigned i = 0; i < head->fields.count; i++) {
        const struct field *field = &head->fields.at[i];
        if (field->marks & FIELD_GONE)
            continue;
        fields_add(&kept->fields, x->arena, arena_slice(x->arena, field_name(field)),
                   arena_slice(x->arena, field_value(field)));
    }
    x->asking->has_head = true;
    return FAULT_NONE;
}

static enum fault read_head(struct exchange *x, struct stream *stream)
{
    stream->facts &= ~(unsigned)STREAM_HEAD;
    bool interim = stream->rx_head.status < 200 && stream->rx_head.status != 101;
    if (!interim)
        return keep_head(x, &stream->rx_head);
    if (++x->asking->interims > EXCHANGE_INTERIMS_MAX)
        return FAULT_too_many_interim;
    stream->ops->rx_resume(stream);
    return FAULT_NONE;
}

/* False when there is more than an answer may have. */
static bool read_content(struct exchange *x, struct stream *stream)
{
    struct asking *asking = x->asking;
    const struct body_piece *piece;
    if (asking->content == NULL)
        asking->content = arena_alloc(x->arena, POLICY_CONTENT_MAX);
    while ((piece = body_first(&stream->rx)) != NULL) {
        if (piece->len > POLICY_CONTENT_MAX - asking->content_len)
            return false;
        memcpy(asking->content + asking->content_len, piece->block->data + piece->offset, piece->len);
        asking->content_len += piece->len;
        body_consume(&stream->rx, piece->len);
    }
    if (!stream->rx.ended)
        stream->ops->rx_resume(stream);
    return true;
}

/* What an answer is whose content is too much: that of consent is not needed. */
static bool too_much(struct exchange *x)
{
    bool consents = x->call.question->response.status / 100 == 2;
    return conclude(x, consents ? FAULT_NONE : FAULT_upstream_malformed, FAULT_upstream_truncated);
}

static void begin(struct exchange *x)
{
    x->asking = arena_zalloc(x->arena, sizeof *x->asking);
    x->asking->claim.task = &x->task;
    deadline_set(x, x->call.question->timeout_us);
}

/* Sees to a connection; true when there will be none. */
static bool connect_to(struct exchange *x)
{
    if (x->asking->outbound || x->expired || claim_waits(&x->asking->claim))
        return false;
    enum fault fault = take(x);
    return fault ? conclude(x, fault, FAULT_NONE) : false;
}

/* Reads what has come; true when that is all. */
static bool read_answer(struct exchange *x, struct stream *stream)
{
    enum fault fault = stream->facts & STREAM_HEAD ? read_head(x, stream) : FAULT_NONE;
    if (fault)
        return conclude(x, FAULT_upstream_malformed, FAULT_NONE);
    if (x->asking->has_head && !read_content(x, stream))
        return too_much(x);
    if (x->asking->has_head && body_is_done(&stream->rx))
        return conclude(x, FAULT_NONE, FAULT_NONE);
    return stream->facts & STREAM_FAILED ? conclude(x, stream->fault, FAULT_NONE) : false;
}

bool ask_go_on(struct exchange *x)
{
    if (x->asking == NULL)
        begin(x);
    if (connect_to(x))
        return true;
    if (x->expired)
        return conclude(x, FAULT_first_byte_timeout, FAULT_NONE);
    if (x->asking->outbound == NULL)
        return false;
    struct stream *stream = x->asking->outbound->stream;
    if ((stream->facts & STREAM_FAILED) && may_repeat(x)) {
        pool_give(&x->asking->outbound, stream->fault);
        x->asking->sent = false;
        x->asking->claim.fresh = true;
        return ask_go_on(x);
    }
    if ((stream->facts & STREAM_OPEN) && !x->asking->sent)
        send_question(x, stream);
    return read_answer(x, stream);
}
