/*
 * hop_by_hop_strip and connection_options_read on fields that are written as "Name: value|Name: value". Rows
 * named A32 and A34 are those of the attack catalogue.
 */
#include "http/hop_by_hop.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

struct row {
    const char *name;
    const char *fields;
    enum fault fault;
    const char *left; /* as `fields` */
};

static const struct row rows[] = {
    {"nothing", "", 0, ""},
    {"end-to-end fields stay", "Host: a|Accept: b|X-c: d|Trailer: e", 0,
     "Host: a|Accept: b|X-c: d|Trailer: e"},
    {"hop-by-hop fields go",
     "Connection: close|Keep-Alive: 5|Upgrade: h2c|HTTP2-Settings: x|Proxy-Connection: y|A: b", 0, "A: b"},
    {"framing goes", "Content-Length: 5|A: b", 0, "A: b"},
    {"chunked goes", "A: b|transfer-encoding: chunked", 0, "A: b"},
    {"nominated fields go", "Connection: X-a, x-B ,close|X-A: 1|X-b: 2|X-c: 3|x-a: 4", 0, "X-c: 3"},
    {"nominated known fields go", "Connection: Accept, trailer|accept: 1|Accept: 2|Trailer: x|A: b", 0,
     "A: b"},
    {"nominated in a second field", "Connection: close|X-a: 1|Connection: x-A", 0, ""},
    {"Connection names itself and then more", "Connection: connection|X-a: 1|Connection: x-a", 0, ""},
    {"empty options", "Connection: ,, |A: b", 0, "A: b"},
    {"option that no field has", "Connection: x|A: b", 0, "A: b"},
    {"TE trailers stays", "TE: trailers|Connection: TE", 0, "TE: trailers"},
    {"TE is cut down to trailers", "Connection: TE|te: gzip;q=0.5 , Trailers", 0, "te: trailers"},
    {"TE without trailers goes", "TE: gzip", 0, ""},
    {"empty TE goes", "TE: ", 0, ""},
    {"one TE is enough", "TE: gzip|TE: trailers|TE: trailers", 0, "TE: trailers"},
    {"A34 Proxy goes", "Proxy: http://evil|A: b", 0, "A: b"},
    {"A32 X-Forwarded-For", "Connection: close, X-Forwarded-For|X-Forwarded-For: 1",
     FAULT_bad_connection_option, NULL},
    {"A32 X-Real-IP", "Connection: x-real-ip", FAULT_bad_connection_option, NULL},
    {"A32 Forwarded", "Connection: forwarded", FAULT_bad_connection_option, NULL},
    {"A32 Authorization", "Authorization: x|Connection: AUTHORIZATION", FAULT_bad_connection_option, NULL},
    {"A32 Cookie", "Connection: a,b,Cookie", FAULT_bad_connection_option, NULL},
    {"A32 Host", "Connection: Host|Host: a", FAULT_bad_connection_option, NULL},
    {"A32 X-Request-Id", "Connection: X-Request-ID", FAULT_bad_connection_option, NULL},
    {"A32 Content-Length", "Connection: Content-Length|Content-Length: 1", FAULT_bad_connection_option, NULL},
    {"Transfer-Encoding goes anyway",
     "Connection: x|Connection: Transfer-Encoding|transfer-encoding: chunked", 0, ""},
};

static void add_fields(struct fields *fields, struct arena *arena, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "|");
        const char *colon = memchr(text, ':', len);
        assert_non_null(colon);
        size_t name_len = (size_t)(colon - text);
        fields_add(fields, arena, slice_make(text, name_len), slice_make(colon + 2, len - name_len - 2));
        text += len + (text[len] == '|');
    }
}

static void print_fields(const struct fields *fields, char *text_out, size_t size)
{
    size_t at = 0;
    *text_out = '\0';
    for (unsigned i = 0; i < fields->count; i++) {
        const struct field *field = &fields->at[i];
        if (!(field->marks & FIELD_GONE))
            at += (size_t)snprintf(text_out + at, size - at, "%s%.*s: %.*s", at > 0 ? "|" : "",
                                   SLICE_ARGS(field_name(field)), SLICE_ARGS(field_value(field)));
    }
}

static void strip_row(void **state)
{
    const struct row *row = *state;
    struct arena arena;
    struct fields fields = {.count = 0};
    char left[512];
    arena_init(&arena, NULL, 0);
    add_fields(&fields, &arena, row->fields);
    assert_int_equal(hop_by_hop_strip(&fields), row->fault);
    print_fields(&fields, left, sizeof left);
    assert_string_equal(left, row->fault ? row->fields : row->left);
    arena_fini(&arena);
}

static void options(void **state)
{
    (void)state;
    struct arena arena;
    struct fields fields = {.count = 0};
    struct connection_options read = {.close = false};
    arena_init(&arena, NULL, 0);
    add_fields(&fields, &arena, "Connection: Close|Connection: x , Keep-Alive|A: upgrade");
    assert_int_equal(connection_options_read(&fields, &read), FAULT_NONE);
    assert_true(read.close && read.keep_alive && !read.upgrade);
    add_fields(&fields, &arena, "connection: UPGRADE");
    assert_int_equal(connection_options_read(&fields, &read), FAULT_NONE);
    assert_true(read.upgrade);
    arena_fini(&arena);
}

/* Each option costs a search through all fields: their number is bounded over all Connection fields. */
static void the_number_of_options_is_bounded(void **state)
{
    (void)state;
    struct arena arena;
    struct fields fields = {.count = 0};
    arena_init(&arena, NULL, 0);
    for (unsigned i = 0; i < CONNECTION_OPTIONS_MAX; i += 2)
        fields_add_id(&fields, &arena, FIELD_connection, SLICE("a,"));
    assert_int_equal(hop_by_hop_strip(&fields), FAULT_NONE);
    for (unsigned i = 0; i < fields.count; i++)
        fields.at[i].marks = 0;
    fields_add_id(&fields, &arena, FIELD_connection, SLICE("a"));
    assert_int_equal(hop_by_hop_strip(&fields), FAULT_bad_connection_option);
    arena_fini(&arena);
}

int main(void)
{
    static struct CMUnitTest tests[64] = {
        cmocka_unit_test(options),
        cmocka_unit_test(the_number_of_options_is_bounded),
    };
    size_t count = 2;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        tests[count++] =
            (struct CMUnitTest){rows[i].name, strip_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    return _cmocka_run_group_tests("hop_by_hop", tests, count, NULL, NULL);
}
