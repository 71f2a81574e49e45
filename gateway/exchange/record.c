/*
 * What is remembered of an exchange while it lasts, and told at its end: exactly one access record and one
 * named cause.
 */
#include "exchange/internal.h"
#include "policy/trust.h"

enum { STATUS_CLIENT_GONE = 499 };

static struct slice value_of(const struct fields *fields, enum field_id id)
{
    const struct field *field = fields_find(fields, id);
    return field ? field_value(field) : slice_make(NULL, 0);
}

/* An id that a trusted proxy gave goes on; every other request gets a new one. */
static struct slice choose_id(struct exchange *x)
{
    struct slice given = {NULL, 0};
    if (x->trusted)
        given = value_of(&x->in->rx_head.fields, FIELD_x_request_id);
    if (given.len > 0 && given.len <= 2 * REQUEST_ID_LEN)
        return arena_slice(x->arena, given);
    char *id = arena_alloc(x->arena, REQUEST_ID_LEN + 1);
    random_hex(&x->home->random, id, REQUEST_ID_LEN);
    id[REQUEST_ID_LEN] = '\0';
    return slice_make(id, REQUEST_ID_LEN);
}

static struct slice print_remote(struct arena *arena, const struct stream_client *client)
{
    char *text = arena_alloc(arena, ADDRESS_HOST_MAX);
    return slice_make(text, address_print_host(&client->address.any, text));
}

void record_request(struct exchange *x)
{
    const struct message *request = &x->in->rx_head;
    const struct stream_client *client = x->in->client;
    const struct stream_tls *told = stream_told(client);
    struct record *record = &x->record;
    x->remote = print_remote(x->arena, client);
    struct trust trust = trust_client(x->pin->config, &client->address.any, x->remote, &request->fields);
    x->trusted = trust.trusted;
    x->proto = trust.proto;
    x->begun_us = clock_now_us(&x->home->loop->clock);
    record->begun_wall_us = clock_now_wall_us(&x->home->loop->clock);
    record->request_id = choose_id(x);
    record->client = trust.client;
    record->method = request->method_text;
    record->target = request->target;
    record->host = request->authority;
    record->tls_version = told->version;
    record->tls_cipher = told->cipher;
    record->tls_name = told->server_name;
    record->referer = value_of(&request->fields, FIELD_referer);
    record->user_agent = value_of(&request->fields, FIELD_user_agent);
    record->version_minor = request->version == 20 ? 20 : request->version_minor;
}

void record_end(struct exchange *x)
{
    struct record *record = &x->record;
    record->user = x->call.user;
    record->cause = x->cause;
    record->detail = x->detail;
    record->bytes_in = x->in->rx_bytes;
    record->bytes_out = x->in->tx_bytes;
    record->total_us = record_elapsed_us(x);
    if (record->status == 0)
        record->status = STATUS_CLIENT_GONE;
    counters_status(x->home->loop->counters, record->status);
    counters_cause(x->home->loop->counters, x->cause);
    access_log_write(x->home->lane, record);
}
