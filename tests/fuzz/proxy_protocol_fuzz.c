/*
 * PROXY protocol headers from the network. Beyond memory safety: a header that is complete is judged the same
 * whatever follows it, none of its beginnings is judged complete or bad, and none is longer than the limit.
 */
#include "net/proxy_protocol.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    struct proxy_header header, again;
    if (proxy_protocol_parse(bytes, &header) != PROXY_DONE)
        return 0;
    CHECK(header.len > 0 && header.len <= size && header.len <= PROXY_HEADER_MAX);
    CHECK(proxy_protocol_parse(slice_make(bytes.at, header.len), &again) == PROXY_DONE);
    CHECK(again.len == header.len && again.has_source == header.has_source);
    CHECK(!header.has_source || address_equal(&header.source, &again.source));
    for (size_t len = 0; len < header.len; len++)
        CHECK(proxy_protocol_parse(slice_make(bytes.at, len), &again) == PROXY_MORE);
    return 0;
}
