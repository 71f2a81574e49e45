/*
 * What a stand-in answers: who it is and what it received, as JSON, once the body has been read and thrown
 * away; to who accepts text/event-stream an event a second; to a WebSocket upgrade what comes, back. Memory
 * does not grow with bodies.
 */
#ifndef PORTICO_CLI_STANDIN_ANSWER_H
#define PORTICO_CLI_STANDIN_ANSWER_H

#include "base/loop.h"
#include "http/stream.h"

/* Where a stand-in's requests are answered; outlives them all. */
struct standin_desk {
    struct slice name; /* the upstream it stands for */
    struct loop *loop;
};

/* The birth of a request: a session_stream_fn, `desk` is a struct standin_desk. */
void standin_answer(void *desk, struct stream *stream);

#endif
