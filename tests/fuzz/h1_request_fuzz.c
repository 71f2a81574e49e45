/*
 * Request heads: the scan does not depend on how the bytes come, the parser reads nothing outside of them,
 * and a request that was accepted is the same request after it has been stripped, written and read again.
 */
#include "h1_fuzzing.h"

#include "http/hop_by_hop.h"

static size_t write_request(const struct message *request, char **out)
{
    enum h1_connection connection = request->wants_upgrade ? H1_UPGRADE
                                    : request->keep_alive  ? H1_KEEP_ALIVE
                                                           : H1_CLOSE;
    size_t bound = h1_head_bound(request);
    *out = malloc(bound);
    EXPECT(*out != NULL);
    size_t len = h1_write_request(request, connection, *out);
    EXPECT(len <= bound);
    return len;
}

static void expect_same(const struct message *request, const struct message *again)
{
    EXPECT(slice_equal(request->method_text, again->method_text) && request->method == again->method);
    EXPECT(slice_equal(request->target, again->target));
    EXPECT(slice_equal(request->authority, again->authority));
    EXPECT(again->version_minor == 1 && request->wants_upgrade == again->wants_upgrade);
    EXPECT(request->keep_alive == again->keep_alive || request->wants_upgrade);
    EXPECT(request->expects_continue || !again->expects_continue);
    expect_same_framing(&request->framing, &again->framing);
}

static void write_and_read(const struct message *request, struct arena *arena)
{
    struct message again = {.status = 0};
    char *first, *second;
    size_t len = write_request(request, &first);
    char *copy = exact_copy(slice_make(first, len));
    enum fault fault = h1_parse_request(slice_make(copy, len), arena, &again);
    bool hostless = fields_find(&request->fields, FIELD_host) == NULL;
    EXPECT(fault == (hostless ? FAULT_bad_host : FAULT_NONE));
    if (!fault) {
        expect_same(request, &again);
        size_t again_len = write_request(&again, &second);
        EXPECT(slice_equal(slice_make(first, len), slice_make(second, again_len)));
        free(second);
    }
    free(copy);
    free(first);
}

static void parse(struct slice text)
{
    struct arena arena;
    struct message request = {.status = 0};
    char *copy = exact_copy(text);
    arena_init(&arena, NULL, 0);
    if (!h1_parse_request(slice_make(copy, text.len), &arena, &request)) {
        expect_clean_fields(&request.fields);
        if (!hop_by_hop_strip(&request.fields))
            write_and_read(&request, &arena);
    }
    arena_fini(&arena);
    free(copy);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct slice text = {(const char *)data, size < INPUT_MAX ? size : INPUT_MAX};
    size_t len = scan_every_way(scan_head, text);
    if (len > 0)
        parse(slice_make(text.at, len));
    parse(text);
    EXPECT(h1_skip_empty_lines(text) <= 4);
    return 0;
}
