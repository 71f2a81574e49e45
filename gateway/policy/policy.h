/*
 * The contract between the exchange and the policies: what a policy may know of a request, what it may answer
 * and when it is asked. A policy is one file of this folder and one row of tables/policies.def; what it does
 * in a scope is compiled once into a rule and asked for only where there is one. The exchange calls the
 * functions below and knows no policy by name.
 */
#ifndef PORTICO_POLICY_POLICY_H
#define PORTICO_POLICY_POLICY_H

#include "base/loop.h"
#include "config/snapshot.h"
#include "http/stream.h"
#include "http/target.h"
#include "policy/route.h"

/* The rows of tables/policies.def. */
enum policy_id {
#define POLICY(name, doc) POLICY_##name,
#include "tables/policies.def"
#undef POLICY
    POLICY_COUNT
};

/* What a policy says about a request. */
enum policy_verdict {
    POLICY_PASS,   /* ask the next one */
    POLICY_ANSWER, /* call->answer goes to the client */
    POLICY_REFUSE, /* call->fault does */
    POLICY_DELAY,  /* the next one is asked after call->delay_us */
    POLICY_WAIT,   /* the same one is asked again when call->task has been woken */
    POLICY_ASK     /* the same one is asked again when call->question has been answered */
};

/* A response made here that is no fault. Slices live in the exchange's arena or in the snapshot. */
struct policy_answer {
    unsigned status; /* 0: none */
    struct slice type, text, location;
    const struct fields *fields; /* more fields, or NULL */
};

/* Content of an answer to a question beyond this is none. */
enum { POLICY_CONTENT_MAX = 64 * 1024 };

/* What an upstream is asked before the request goes on; nothing of the request's content is touched
 * meanwhile. Lives in the exchange's arena. */
struct policy_question {
    const struct config_upstream *upstream;
    struct message request; /* without content */
    uint64_t timeout_us;    /* for the whole answer */

    /* By the exchange. */
    bool answered;
    enum fault fault;        /* why there is no answer, or FAULT_NONE */
    struct message response; /* final; hop-by-hop fields and framing fields are gone */
    struct slice content;
};

/* Told by `explain`: what a policy finds, and where the rule was written. `text` is a sentence. */
typedef void policy_trace_fn(void *arg, const char *policy, struct config_origin origin, struct slice text);

/* One request on its way through the policies. Lives as long as its exchange, on its thread. */
struct policy_call {
    /* Given by the exchange. */
    struct loop *loop;
    struct task *task; /* of the exchange; what POLICY_WAIT waits for wakes it */
    struct arena *arena;
    struct router_scratch *scratch;
    const struct stream_client *connection;
    struct slice remote; /* address of the connection */
    struct slice client; /* of who asked, after the trust walk */
    bool secure;         /* who asked used TLS, with us or with the trusted proxy before us */
    struct slice request_id;
    struct message *request; /* as received; only `forward` changes it */
    const struct target *target;
    const struct authority *authority;
    const struct config_site *site;   /* NULL until found */
    const struct config_route *route; /* NULL until found */
    policy_trace_fn *trace;           /* or NULL. With it, a policy answers at once: no DELAY, no WAIT */
    void *trace_arg;

    /* Said by policies. */
    struct slice user;                /* who has proved who it is; empty: nobody has */
    bool let_in;                      /* by its address: nobody has to prove anything */
    struct policy_answer answer;      /* with POLICY_ANSWER */
    struct policy_question *question; /* with POLICY_ASK */
    bool drops_trailers;              /* those of the request: they could say what a field must not */
    enum fault fault;                 /* with POLICY_REFUSE */
    unsigned status;      /* with POLICY_REFUSE: instead of the status of the fault's row; 0: none */
    uint64_t delay_us;    /* with POLICY_DELAY */
    struct slice problem; /* with POLICY_REFUSE: members of the JSON answer (RFC 9457 section 3.2) */
    struct slice notice;  /* a line for the log, written by the exchange; empty: none */
    struct slice report;  /* the same, in the words of nginx's error log, for tools that watch it */
    struct slice limit;   /* for the record: the limit that decided, and what; empty: none was asked */
    const char *limit_outcome;

    /* The pipeline's own. */
    const struct policy_chain *chain;
    uint16_t asked; /* entries of the chain that have passed */
    void **state;   /* by policy: what it remembers of this request; in the arena; NULL at first.
                       NULL until a scope has had a rule */
};

/* What a rule is compiled from. */
struct policy_compile {
    struct arena *arena; /* of the snapshot */
    const struct config *config;
    const struct config_scope *scope;
    void *shared; /* by `share` */
    struct config_findings *findings;
};

/* A policy. Every function but compile may be NULL. */
struct policy {
    const char *name;

    /* What its rules have in common, once a configuration; `previous` is that of the configuration in force,
     * or NULL, and may be in use: what outlives a configuration is taken over by reference. Any thread. */
    void *(*share)(const struct config *config, const void *previous, struct config_findings *findings);
    void (*unshare)(void *shared);

    /* The rule of a scope; NULL when it has none there, or after adding an error. */
    const void *(*compile)(const struct policy_compile *given);

    /* Asked once a request, again after POLICY_WAIT; before anything goes to an upstream. */
    enum policy_verdict (*judge)(struct policy_call *call, const void *rule, void **state);

    /* Changes the request as the upstream gets it; hop-by-hop fields are gone, the gateway's own are set. */
    void (*forward)(struct policy_call *call, const void *rule, void **state);

    /* Changes a final response, whoever made it; also when `judge` was never reached. */
    void (*respond)(struct policy_call *call, const void *rule, void **state, struct message *response);

    /* The exchange has ended with this status (499: the client left); once, whatever happened before. */
    void (*finish)(struct policy_call *call, const void *rule, void **state, unsigned status);
};

/* The rules of one scope, and those of a whole configuration. */
struct policy_chain;
struct pipeline;

/* The module that compiles a `struct pipeline` into each snapshot. */
extern const struct config_module pipeline_module;

/* From now on the rules of this scope count; no question may have been answered yet. */
void pipeline_enter(struct policy_call *call, const struct pipeline *pipeline,
                    const struct config_scope *scope);

/* Asks until somebody does not let pass, or all have; call again after DELAY and WAIT. */
MUST_USE enum policy_verdict pipeline_judge(struct policy_call *call);

/* Every `forward`, `respond` and `finish` of the scope. */
void pipeline_forward(struct policy_call *call);
void pipeline_respond(struct policy_call *call, struct message *response);
void pipeline_finish(struct policy_call *call, unsigned status);

/* For policies: says something to the trace, when there is one. `policy` is its name. */
void policy_say(struct policy_call *call, const char *policy, struct config_origin origin, const char *format,
                ...) __attribute__((format(printf, 4, 5)));

/* For policies: the address of who asked. False when it has none (a Unix socket). */
MUST_USE bool policy_client_address(const struct policy_call *call, struct address *address_out);

#endif
