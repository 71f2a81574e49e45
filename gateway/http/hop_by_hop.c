/*
 * The fields that end at this hop, for http/hop_by_hop.h. Called by framing.c, which asks what Connection
 * says, and by the exchange before a head goes on to the other side. Knows neither codec nor route.
 */
#include "http/hop_by_hop.h"

static bool is_present(const struct field *field, enum field_id id)
{
    return field->id == id && !(field->marks & FIELD_GONE);
}

/* What is the gateway's own must not be cut out of a message by its sender (CVE-2022-31813, CVE-2024-45410).
 */
static enum fault read_option(struct slice option, struct connection_options *options)
{
    enum field_id id = field_id_of(option);
    if (id == FIELD_transfer_encoding)
        options->coding = true;
    else if (field_traits(id) & (TRAIT_OWNED | TRAIT_FRAMING))
        return FAULT_bad_connection_option;
    if (slice_equal_nocase(option, SLICE("close")))
        options->close = true;
    if (id == FIELD_keep_alive)
        options->keep_alive = true;
    if (id == FIELD_upgrade)
        options->upgrade = true;
    return FAULT_NONE;
}

static enum fault read_list(struct slice list, unsigned *left, struct connection_options *options)
{
    struct slice option;
    enum fault fault = FAULT_NONE;
    while (!fault && slice_next_element(&list, &option)) {
        if (*left == 0)
            return FAULT_bad_connection_option;
        --*left;
        fault = read_option(option, options);
    }
    return fault;
}

enum fault connection_options_read(const struct fields *fields, struct connection_options *options_out)
{
    struct connection_options options = {.close = false};
    unsigned left = CONNECTION_OPTIONS_MAX;
    for (unsigned i = 0; i < fields->count; i++) {
        if (!is_present(&fields->at[i], FIELD_connection))
            continue;
        enum fault fault = read_list(field_value(&fields->at[i]), &left, &options);
        if (fault)
            return fault;
    }
    *options_out = options;
    return FAULT_NONE;
}

/* Hop-by-hop fields are left to strip_by_trait(): TE is nominated by rule (RFC 9110 section 10.1.4) and may
 * stay, and the Connection fields are still being read. */
static void strip_nominated(struct fields *fields, struct slice list)
{
    struct slice option;
    while (slice_next_element(&list, &option)) {
        enum field_id id = field_id_of(option);
        if (id == FIELD_other && option.len > 0)
            fields_remove_name(fields, option);
        else if (id != FIELD_other && !(field_traits(id) & TRAIT_HOP))
            fields_remove(fields, id);
    }
}

static bool lists_trailers(struct slice list)
{
    struct slice element;
    while (slice_next_element(&list, &element))
        if (slice_equal_nocase(element, SLICE("trailers")))
            return true;
    return false;
}

/* The gateway relays trailers, so that wish is true of it too; codings are agreed on with one neighbour
 * alone. */
static void strip_te(struct field *field, bool *kept)
{
    if (*kept || !lists_trailers(field_value(field))) {
        field->marks |= FIELD_GONE;
        return;
    }
    *kept = true;
    field->value = "trailers";
    field->value_len = sizeof "trailers" - 1;
}

static void strip_by_trait(struct fields *fields)
{
    bool kept_te = false;
    for (unsigned i = 0; i < fields->count; i++) {
        struct field *field = &fields->at[i];
        unsigned traits = field_traits((enum field_id)field->id);
        if ((traits & TRAIT_HOP) == 0 || (field->marks & FIELD_GONE))
            continue;
        if (field->id == FIELD_te)
            strip_te(field, &kept_te);
        else
            field->marks |= FIELD_GONE;
    }
}

static enum fault strip_by_connection(struct fields *fields)
{
    struct connection_options options;
    enum fault fault = connection_options_read(fields, &options);
    if (fault)
        return fault;
    for (unsigned i = 0; i < fields->count; i++)
        if (is_present(&fields->at[i], FIELD_connection))
            strip_nominated(fields, field_value(&fields->at[i]));
    return FAULT_NONE;
}

enum fault hop_by_hop_strip(struct fields *fields)
{
    enum fault fault = fields_may_have(fields, FIELD_connection) ? strip_by_connection(fields) : FAULT_NONE;
    if (fault)
        return fault;
    if ((fields->seen & fields_of_one_hop) != 0)
        strip_by_trait(fields);
    fields_remove(fields, FIELD_content_length);
    return FAULT_NONE;
}
