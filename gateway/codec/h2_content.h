/*
 * Content of one HTTP/2 stream on its way between a struct body and DATA frames, the same on both sides of
 * the gateway. Small pieces are copied, large ones travel as slices of their blocks. Knows no stream's state.
 */
#ifndef PORTICO_CODEC_H2_CONTENT_H
#define PORTICO_CODEC_H2_CONTENT_H

#include "http/body.h"
#include "net/conn.h"

/* How much of `tx` goes into the next DATA frame, at most `most`: one large slice, or small ones together. */
size_t h2_content_frame_len(const struct body *tx, size_t most);

/* Queues a DATA frame: its header as nghttp2 made it, and `len` bytes, as h2_content_frame_len() gave them,
 * which are consumed. */
void h2_content_put(struct conn *conn, struct body *tx, const uint8_t *header, size_t len);

/* Appends received bytes. They are copied behind each other into blocks of the stream's own, of which `tail`
 * is the last: a block of the conn holds frames of many streams, and one slow stream must not pin it. */
void h2_content_gather(struct block_pool *pool, struct block **tail, struct body *rx, struct slice bytes);

#endif
