/*
 * For the tests of the HTTP/1 sessions: heads and bodies to send, bodies as text to compare, and the owner of
 * a stream, which does nothing but count how often it was woken.
 */
#ifndef PORTICO_TESTS_UNIT_CODEC_H1_SCENE_H
#define PORTICO_TESTS_UNIT_CODEC_H1_SCENE_H

#include "http/stream.h"

#include "../turning.h"

#include <stdio.h>

/* One message exchange as its owner holds it. */
struct asked {
    struct task task;
    struct stream *stream;
    struct body body; /* what is being sent */
    unsigned woken;
};

static inline void count_waking(struct task *task)
{
    CONTAINER_OF(task, asked, task)->woken++;
}

/* Puts text behind what is to be sent, each piece in a block of its own. */
static inline void add_text(struct body *body, const char *text)
{
    struct block *block = block_new(&loop.blocks, strlen(text) + 1);
    memcpy(block->data, text, strlen(text));
    body_append(body, block, 0, (uint32_t)strlen(text));
    block_unref(&block);
}

/* Puts bytes behind it that count up from `next`. */
static inline void add_counting(struct body *body, uint32_t len, unsigned char *next)
{
    struct block *block = block_new(&loop.blocks, len);
    for (uint32_t i = 0; i < len; i++)
        block->data[i] = (char)(*next)++;
    body_append(body, block, 0, len);
    block_unref(&block);
}

/* Takes what has been received off the body, terminated. */
static inline size_t take_text(struct body *body, char *text_out, size_t size)
{
    size_t len = 0;
    const struct body_piece *piece;
    while ((piece = body_first(body)) != NULL) {
        assert_true(len + piece->len < size);
        memcpy(text_out + len, piece->block->data + piece->offset, piece->len);
        len += piece->len;
        body_consume(body, piece->len);
    }
    text_out[len] = '\0';
    return len;
}

static inline void expect_text(struct body *body, const char *expected)
{
    static char text[256 * 1024];
    take_text(body, text, sizeof text);
    assert_string_equal(text, expected);
}

/* Takes bytes that count up; gives how many. */
static inline size_t take_counting(struct body *body, unsigned char *next)
{
    static char text[256 * 1024];
    size_t len = take_text(body, text, sizeof text);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] != (*next)++)
            fail_msg("byte %zu of %zu", i, len);
    return len;
}

/* A response head that lives on; `length` is ignored but for FRAMING_LENGTH. */
static inline struct message response_of(unsigned status, enum framing_kind kind, uint64_t length)
{
    struct message head = {.status = status, .version_minor = 1, .keep_alive = true};
    head.framing = (struct framing){.kind = kind, .length = length};
    head.framing.has_length = kind == FRAMING_LENGTH || (kind == FRAMING_NONE && status >= 200);
    return head;
}

static inline struct message request_of_method(enum method method, const char *text)
{
    return (struct message){.method = method,
                            .method_text = slice_of(text),
                            .target = SLICE("/"),
                            .version_minor = 1,
                            .keep_alive = true};
}

#endif
