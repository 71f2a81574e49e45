/*
 * From the upstream's response to the one the client gets: fields that must not travel are taken out, Date is
 * there.
 */
#include "exchange/internal.h"
#include "http/hop_by_hop.h"

struct slice response_date(struct exchange *x)
{
    int64_t seconds = (int64_t)(clock_now_wall_us(&x->home->loop->clock) / 1000000u);
    return arena_slice(x->arena, http_date_cached(&x->home->date, seconds));
}

enum fault response_prepare(struct exchange *x)
{
    struct message *head = &x->out->rx_head;
    enum fault fault = hop_by_hop_strip(&head->fields);
    if (fault)
        return fault;
    head->keep_alive = true; /* whatever the upstream does with its own connection */
    if (head->status >= 200 && !fields_find(&head->fields, FIELD_date)) /* RFC 9110 section 6.6.1 */
        fields_add_id(&head->fields, x->arena, FIELD_date, response_date(x));
    return FAULT_NONE;
}
