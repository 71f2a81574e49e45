/*
 * Response heads, behind a first byte that says whether they answer HEAD: the parser reads nothing outside of
 * them, and a response that was accepted is the same response after it has been stripped, written and read
 * again.
 */
#include "h1_fuzzing.h"

#include "http/hop_by_hop.h"

static size_t write_response(const struct message *response, char **out)
{
    enum h1_connection connection = response->wants_upgrade ? H1_UPGRADE
                                    : response->keep_alive  ? H1_KEEP_ALIVE
                                                            : H1_CLOSE;
    size_t bound = h1_head_bound(response);
    *out = malloc(bound);
    EXPECT(*out != NULL);
    size_t len = h1_write_response(response, connection, *out);
    EXPECT(len <= bound);
    return len;
}

/* 1xx and 204 lose a length that they should not have had. */
static void expect_same(const struct message *response, const struct message *again)
{
    bool unframed = response->status < 200 || response->status == 204;
    EXPECT(response->status == again->status && again->version_minor == 1);
    EXPECT(response->reason.len == 0 || slice_equal(response->reason, again->reason));
    EXPECT(response->wants_upgrade == again->wants_upgrade);
    EXPECT(response->keep_alive == again->keep_alive || response->wants_upgrade);
    if (unframed)
        EXPECT(response->framing.kind == again->framing.kind && !again->framing.has_length);
    else
        expect_same_framing(&response->framing, &again->framing);
}

static void write_and_read(const struct message *response, enum method method, struct arena *arena)
{
    struct message again = {.status = 0};
    char *first, *second;
    size_t len = write_response(response, &first);
    char *copy = exact_copy(slice_make(first, len));
    EXPECT(!h1_parse_response(slice_make(copy, len), method, arena, &again));
    expect_same(response, &again);
    size_t again_len = write_response(&again, &second);
    EXPECT(slice_equal(slice_make(first, len), slice_make(second, again_len)));
    free(second);
    free(copy);
    free(first);
}

static void parse(struct slice text, enum method method)
{
    struct arena arena;
    struct message response = {.status = 0};
    char *copy = exact_copy(text);
    arena_init(&arena, NULL, 0);
    if (!h1_parse_response(slice_make(copy, text.len), method, &arena, &response)) {
        expect_clean_fields(&response.fields);
        if (!hop_by_hop_strip(&response.fields))
            write_and_read(&response, method, &arena);
    }
    arena_fini(&arena);
    free(copy);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0)
        return 0;
    enum method method = data[0] == 'h' ? METHOD_HEAD : METHOD_GET;
    struct slice text = {(const char *)data + 1, size - 1 < INPUT_MAX ? size - 1 : INPUT_MAX};
    size_t len = scan_every_way(scan_head, text);
    if (len > 0)
        parse(slice_make(text.at, len), method);
    parse(text, method);
    return 0;
}
