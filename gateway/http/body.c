/*
 * The ring of slices behind http/body.h. Filled by a codec's reading side, emptied by a codec's writing side;
 * knows neither, nor any wire syntax.
 */
#include "http/body.h"

#include "base/check.h"

void body_init(struct body *body)
{
    memset(body, 0, sizeof *body);
}

static struct body_piece *piece_at(struct body *body, unsigned index)
{
    return &body->pieces[(body->first + index) % BODY_PIECES];
}

void body_fini(struct body *body)
{
    for (unsigned i = 0; i < body->count; i++)
        block_unref(&piece_at(body, i)->block);
    body->first = body->count = 0;
    body->queued = 0;
    pipe_give(&body->pipe);
}

bool body_has_room(const struct body *body)
{
    return body->queued < BODY_HIGH_MARK && body->count < BODY_PIECES;
}

static bool join_last(struct body *body, struct block *block, uint32_t offset, uint32_t len)
{
    if (body->count == 0)
        return false;
    struct body_piece *last = piece_at(body, body->count - 1u);
    uint32_t end = last->offset + last->len;
    if (last->block != block || end > offset || (end != offset && len > BODY_JOIN))
        return false;
    if (end != offset)
        memmove(block->data + end, block->data + offset, len);
    last->len += len;
    return true;
}

void body_append(struct body *body, struct block *block, uint32_t offset, uint32_t len)
{
    if (len == 0)
        return;
    body->queued += len;
    body->total += len;
    if (join_last(body, block, offset, len))
        return;
    CHECK(body->count < BODY_PIECES);
    *piece_at(body, body->count++) = (struct body_piece){block_ref(block), offset, len};
}

uint32_t body_move(struct body *to, struct body *from, uint64_t mark)
{
    const struct body_piece *piece;
    uint32_t before = to->queued;
    while ((piece = body_first(from)) != NULL && to->queued < mark && body_has_room(to)) {
        uint64_t room = mark - to->queued;
        uint32_t part = piece->len < room ? piece->len : (uint32_t)room;
        body_append(to, piece->block, piece->offset, part);
        body_consume(from, part);
    }
    return to->queued - before;
}

void body_append_piped(struct body *body, uint32_t len)
{
    if (len == 0)
        return;
    struct body_piece *last = body->count ? piece_at(body, body->count - 1u) : NULL;
    body->queued += len;
    body->total += len;
    if (last && last->block == NULL) {
        last->len += len;
        return;
    }
    CHECK(body->count < BODY_PIECES);
    *piece_at(body, body->count++) = (struct body_piece){NULL, 0, len};
}

const struct body_piece *body_first(const struct body *body)
{
    return body->count ? &body->pieces[body->first] : NULL;
}

void body_consume(struct body *body, uint32_t len)
{
    CHECK(len <= body->queued);
    body->queued -= len;
    while (len > 0) {
        struct body_piece *piece = piece_at(body, 0);
        uint32_t part = len < piece->len ? len : piece->len;
        piece->offset += part;
        piece->len -= part;
        len -= part;
        if (piece->len == 0) {
            block_unref(&piece->block);
            body->count--;
            body->first = body->count ? (uint8_t)((body->first + 1) % BODY_PIECES) : 0;
        }
    }
}
