/*
 * The budgets of codec/h2_limits.h as one moment each (the generic cell rate algorithm): taking moves the
 * moment when all is paid for into the future, and it may not be further away than the burst. Called by
 * h2_inbound for each frame.
 */
#include "codec/h2_limits.h"

#include "base/check.h"

#include <nghttp2/nghttp2.h>

static const struct close_reason_row rows[CLOSE_REASON_COUNT] = {
    [CLOSE_NONE] = {"none", "the connection ended well", 0, 0},
#define CLOSE_REASON(name, burst, per_second, sentence) [CLOSE_##name] = {#name, sentence, burst, per_second},
#include "tables/close_reasons.def"
#undef CLOSE_REASON
};

const struct close_reason_row *close_reason_row(enum close_reason reason)
{
    CHECK(reason < CLOSE_REASON_COUNT);
    return &rows[reason];
}

static uint64_t price_us(enum close_reason reason)
{
    CHECK(rows[reason].per_second > 0);
    return 1000000u / rows[reason].per_second;
}

bool h2_limits_take(struct h2_limits *limits, enum close_reason reason, uint64_t now_us)
{
    if (limits->earned[reason] > 0) {
        limits->earned[reason]--;
        return true;
    }
    uint64_t price = price_us(reason);
    uint64_t *paid_at = &limits->paid_at_us[reason];
    if (*paid_at < now_us)
        *paid_at = now_us;
    *paid_at += price;
    return *paid_at - now_us <= rows[reason].burst * price;
}

void h2_limits_earn(struct h2_limits *limits, enum close_reason reason, uint32_t count)
{
    uint16_t *earned = &limits->earned[reason];
    uint32_t room = (uint32_t)H2_EARNED_MAX - *earned;
    *earned = (uint16_t)(*earned + (count < room ? count : room));
}

/* --- frames --- */

enum { FRAME_HEADER = 9 };

void h2_frames_start(struct h2_frames *frames)
{
    *frames = (struct h2_frames){.skip = NGHTTP2_CLIENT_MAGIC_LEN};
}

bool h2_frames_in_head(const struct h2_frames *frames)
{
    bool head = frames->kind == NGHTTP2_HEADERS || frames->kind == NGHTTP2_CONTINUATION;
    return head && (frames->skip > 0 || !(frames->flags & NGHTTP2_FLAG_END_HEADERS));
}

static uint32_t length_of(const unsigned char *header)
{
    return (uint32_t)header[0] << 16 | (uint32_t)header[1] << 8 | header[2];
}

/* The budget that a frame is paid from, CLOSE_NONE if it is bounded in another way. */
static enum close_reason budget_of(const unsigned char *header)
{
    switch (header[3]) {
    case NGHTTP2_DATA:
        if (header[4] & NGHTTP2_FLAG_END_STREAM)
            return CLOSE_NONE;
        return length_of(header) == 0             ? CLOSE_empty_data_flood
               : length_of(header) < H2_TINY_DATA ? CLOSE_tiny_data_flood
                                                  : CLOSE_NONE;
    case NGHTTP2_RST_STREAM: return CLOSE_reset_flood;
    case NGHTTP2_PING: return CLOSE_ping_flood;
    case NGHTTP2_SETTINGS: return CLOSE_settings_flood;
    case NGHTTP2_PRIORITY:
    case NGHTTP2_PRIORITY_UPDATE: return CLOSE_priority_flood;
    case NGHTTP2_WINDOW_UPDATE: return CLOSE_window_update_flood;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION: return CLOSE_NONE;
    default: return CLOSE_unknown_frame_flood;
    }
}

enum close_reason h2_limits_charge(struct h2_limits *limits, struct h2_frames *frames, struct slice bytes,
                                   uint64_t now_us)
{
    while (bytes.len > 0) {
        size_t step = frames->skip ? frames->skip : (size_t)(FRAME_HEADER - frames->have);
        if (step > bytes.len)
            step = bytes.len;
        if (frames->skip) {
            frames->skip -= (uint32_t)step;
        } else {
            memcpy(frames->header + frames->have, bytes.at, step);
            frames->have = (uint8_t)(frames->have + step);
        }
        bytes = slice_after(bytes, step);
        if (frames->have < FRAME_HEADER)
            continue;
        frames->have = 0;
        frames->skip = length_of(frames->header);
        frames->kind = frames->header[3];
        frames->flags = frames->header[4];
        frames->heads += frames->kind == NGHTTP2_HEADERS;
        enum close_reason budget = budget_of(frames->header);
        if (budget && !h2_limits_take(limits, budget, now_us))
            return budget;
    }
    return CLOSE_NONE;
}
