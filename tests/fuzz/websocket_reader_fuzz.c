/*
 * What a server sends on a WebSocket, as a load test reads it. Beyond memory safety: the same events, with
 * the same contents of pings, wherever the bytes are cut; nothing is read behind what is broken.
 */
#include "base/check.h"
#include "loadtest/websocket_reader.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice expected = {"hello", 5};

/* A hash of all events, their places and what pings hold. */
static uint64_t events_of(struct slice bytes, size_t step)
{
    struct websocket_reader reader = {0};
    const char *begin = bytes.at;
    uint64_t hash = 0;
    while (bytes.len > 0) {
        struct slice piece = slice_make(bytes.at, bytes.len < step ? bytes.len : step);
        bytes = slice_after(bytes, piece.len);
        while (piece.len > 0) {
            enum websocket_event event = websocket_reader_next(&reader, expected, &piece);
            CHECK(reader.control_len <= WEBSOCKET_CONTROL_MOST && reader.head_len <= WEBSOCKET_UNMASKED_HEAD);
            if (event == WEBSOCKET_MORE)
                continue;
            hash = hash * 31 + event;
            if (event == WEBSOCKET_BROKEN)
                return hash;
            hash = hash * 31 + (uint64_t)(piece.at - begin);
            for (unsigned i = 0; event == WEBSOCKET_PING && i < reader.control_len; i++)
                hash = hash * 31 + (unsigned char)reader.control[i];
        }
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    uint64_t whole = events_of(bytes, size + 1);
    CHECK(events_of(bytes, 1) == whole);
    CHECK(events_of(bytes, 7) == whole);
    return 0;
}
