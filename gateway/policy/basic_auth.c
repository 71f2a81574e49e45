/*
 * Who may come in by name and password (`basic_auth`, RFC 7617). Passwords are checked beside the loop
 * (policy/verifier.h); an unknown user costs the same time as one whose password is wrong. Called through
 * policy/policy.h.
 */
#include "http/basic.h"
#include "policy/password.h"
#include "policy/policy.h"
#include "policy/verifier.h"

#include <stdlib.h>

/* What stands in a scope. */
struct basic_rule {
    const struct config_basic_auth *auth;
    struct verifier *verifier;
    struct slice challenge;
};

/* What is remembered of a request. */
struct basic_asked {
    struct basic_credentials credentials;
    const struct config_user *user; /* NULL: there is none of this name */
    struct verifier_ticket *ticket; /* NULL: answered at once */
};

static void *share(const struct config *config, const void *previous, struct config_findings *findings)
{
    (void)config, (void)findings;
    return previous ? verifier_ref((struct verifier *)previous) : verifier_new();
}

static void unshare(void *shared)
{
    struct verifier *verifier = shared;
    verifier_unref(&verifier);
}

static const void *compile(const struct policy_compile *given)
{
    const struct config_basic_auth *auth = given->scope->basic_auth;
    if (auth == NULL || auth->user_count == 0)
        return NULL;
    struct basic_rule *rule = arena_zalloc(given->arena, sizeof *rule);
    rule->auth = auth;
    rule->verifier = given->shared;
    rule->challenge =
        arena_printf(given->arena, "Basic realm=\"%.*s\", charset=\"UTF-8\"", SLICE_ARGS(auth->realm.text));
    return rule;
}

static int compare_name(const void *key, const void *element)
{
    const struct slice *name = key;
    struct slice other = ((const struct config_user *)element)->name.text;
    size_t common = name->len < other.len ? name->len : other.len;
    int order = common ? memcmp(name->at, other.at, common) : 0;
    return order ? order : (name->len > other.len) - (name->len < other.len);
}

static const struct config_user *find_user(const struct config_basic_auth *auth, struct slice name)
{
    return bsearch(&name, auth->users, auth->user_count, sizeof *auth->users, compare_name);
}

/* Whose hash is computed in vain for a name that nobody has: always the same one for the same name. */
static const struct config_user *decoy(const struct config_basic_auth *auth, struct slice name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.at[i]) * 16777619u;
    return &auth->users[hash % auth->user_count];
}

/* Whose guesses are one client's: an IPv4 address, an IPv6 /64, everybody at a Unix socket. */
static void client_of(const struct policy_call *call, unsigned char bytes_out[16])
{
    struct address address;
    memset(bytes_out, 0, 16);
    if (!policy_client_address(call, &address) || !address_bytes(&address.any, bytes_out))
        return;
    if (address.any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&address.in6.sin6_addr))
        memset(bytes_out + 8, 0, 8);
}

static enum verifier_answer ask(struct policy_call *call, const struct basic_rule *rule,
                                struct basic_asked *asked)
{
    const struct config_user *user = asked->user ? asked->user : decoy(rule->auth, asked->credentials.user);
    if (call->trace) {
        bool right = password_matches(user->hash.text.at, asked->credentials.password.at) && asked->user;
        return right ? VERIFIER_RIGHT : VERIFIER_WRONG;
    }
    struct verifier_question question = {.user = asked->credentials.user,
                                         .password = asked->credentials.password,
                                         .hash = user->hash.text,
                                         .is_user = asked->user != NULL};
    client_of(call, question.client);
    return verifier_ask(rule->verifier, call->loop, call->task, &question, &asked->ticket);
}

static enum policy_verdict refuse(struct policy_call *call, const struct basic_rule *rule, enum fault fault)
{
    call->fault = fault;
    policy_say(call, "basic_auth", rule->auth->origin, "refused: %s", fault_row(fault)->sentence);
    return POLICY_REFUSE;
}

/* The names of users are logged, but nothing else that was sent: it may be a password in the wrong place. */
static enum policy_verdict refuse_wrong(struct policy_call *call, const struct basic_rule *rule,
                                        const struct basic_asked *asked)
{
    struct slice name = asked->user ? asked->user->name.text : SLICE("-");
    call->notice = arena_printf(call->arena, "user \"%.*s\": password mismatch, client: %.*s",
                                SLICE_ARGS(name), SLICE_ARGS(call->client));
    return refuse(call, rule, FAULT_credentials_wrong);
}

static enum policy_verdict conclude(struct policy_call *call, const struct basic_rule *rule,
                                    const struct basic_asked *asked, enum verifier_answer answer)
{
    switch (answer) {
    case VERIFIER_PENDING: return POLICY_WAIT;
    case VERIFIER_WRONG: return refuse_wrong(call, rule, asked);
    case VERIFIER_BUSY: return refuse(call, rule, FAULT_credentials_unchecked);
    case VERIFIER_RIGHT: break;
    }
    call->user = asked->user->name.text;
    policy_say(call, "basic_auth", asked->user->name.origin, "the password of %.*s is right",
               SLICE_ARGS(call->user));
    return POLICY_PASS;
}

static enum policy_verdict judge(struct policy_call *call, const void *given, void **state)
{
    const struct basic_rule *rule = given;
    struct basic_asked *asked = *state;
    if (call->let_in)
        return POLICY_PASS;
    if (asked)
        return conclude(call, rule, asked, verifier_answer_of(asked->ticket));
    const struct field *field = fields_find(&call->request->fields, FIELD_authorization);
    if (field == NULL)
        return refuse(call, rule, FAULT_credentials_missing);
    *state = asked = arena_zalloc(call->arena, sizeof *asked);
    if (fields_count(&call->request->fields, FIELD_authorization) > 1 ||
        !basic_read(field_value(field), call->arena, &asked->credentials))
        return refuse(call, rule, FAULT_credentials_wrong);
    asked->user = find_user(rule->auth, asked->credentials.user);
    return conclude(call, rule, asked, ask(call, rule, asked));
}

static void forward(struct policy_call *call, const void *given, void **state)
{
    (void)state;
    const struct basic_rule *rule = given;
    if (!rule->auth->forward)
        fields_remove(&call->request->fields, FIELD_authorization);
}

static void respond(struct policy_call *call, const void *given, void **state, struct message *response)
{
    (void)state;
    const struct basic_rule *rule = given;
    if (call->fault != FAULT_credentials_missing && call->fault != FAULT_credentials_wrong)
        return;
    fields_remove(&response->fields, FIELD_www_authenticate);
    fields_add_id(&response->fields, call->arena, FIELD_www_authenticate, rule->challenge);
}

static void finish(struct policy_call *call, const void *rule, void **state, unsigned status)
{
    (void)call, (void)rule, (void)status;
    struct basic_asked *asked = *state;
    if (asked == NULL)
        return;
    verifier_drop(&asked->ticket);
    if (asked->credentials.password.len > 0)
        explicit_bzero((char *)asked->credentials.password.at, asked->credentials.password.len);
}

const struct policy policy_basic_auth = {.name = "basic_auth",
                                         .share = share,
                                         .unshare = unshare,
                                         .compile = compile,
                                         .judge = judge,
                                         .forward = forward,
                                         .respond = respond,
                                         .finish = finish};
