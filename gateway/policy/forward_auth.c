/*
 * Who may come in, as a service says (`forward_auth`): a question to an upstream before the request goes on,
 * in the field names that oauth2-proxy, Authelia and their like read. Only consent lets a request pass, and
 * who it comes from then stands in fields that no client can forge. Called through policy/policy.h.
 */
#include "policy/policy.h"

static const void *compile(const struct policy_compile *given)
{
    const struct config_forward_auth *auth = given->scope->forward_auth;
    if (auth == NULL || auth->upstream == NULL)
        return NULL;
    for (uint32_t i = 0; i < auth->copy_count; i++) {
        const struct config_text *name = &auth->copy[i];
        enum field_id id = field_id_of(name->text);
        bool ours = field_traits(id) & (TRAIT_HOP | TRAIT_FRAMING) || id == FIELD_host;
        bool token = name->text.len > 0 && name->text.len < 256;
        for (size_t j = 0; j < name->text.len; j++) {
            char c = ascii_lower(name->text.at[j]);
            token = token && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
        }
        if (ours || !token)
            config_error(given->findings, name->origin, "\"%.*s\" is no field that can be copied%s",
                         SLICE_ARGS(name->text), token ? "" : "; names are letters, digits and '-'");
    }
    return auth;
}

/* The client's fields that the service needs for its judgement, and for telling pages from scripts. */
static bool is_passed(const struct field *field)
{
    switch (field->id) {
    case FIELD_cookie:
    case FIELD_authorization:
    case FIELD_accept:
    case FIELD_user_agent: return true;
    default:
        return slice_equal_nocase(field_name(field), SLICE("accept-language")) ||
               slice_equal_nocase(field_name(field), SLICE("x-requested-with"));
    }
}

static void add(const struct policy_call *call, struct fields *fields, struct slice name, struct slice value)
{
    fields_add(fields, call->arena, name, value);
}

static void add_fields(const struct policy_call *call, const struct config_forward_auth *auth,
                       struct fields *fields)
{
    const struct message *request = call->request;
    struct slice scheme = call->secure ? SLICE("https") : SLICE("http"), uri = call->target->raw;
    add(call, fields, SLICE("host"), auth->upstream->servers[0].text);
    add(call, fields, SLICE("x-forwarded-method"), request->method_text);
    add(call, fields, SLICE("x-forwarded-proto"), scheme);
    add(call, fields, SLICE("x-forwarded-host"), request->authority);
    add(call, fields, SLICE("x-forwarded-uri"), uri);
    add(call, fields, SLICE("x-forwarded-for"), call->client);
    add(call, fields, SLICE("x-real-ip"), call->client);
    add(call, fields, SLICE("x-original-method"), request->method_text);
    add(call, fields, SLICE("x-original-url"),
        arena_printf(call->arena, "%.*s://%.*s%.*s", SLICE_ARGS(scheme), SLICE_ARGS(request->authority),
                     SLICE_ARGS(uri)));
    add(call, fields, SLICE("x-request-id"), call->request_id);
    for (unsigned i = 0; i < request->fields.count; i++) {
        const struct field *field = &request->fields.at[i];
        if (!(field->marks & FIELD_GONE) && is_passed(field))
            add(call, fields, field_name(field), field_value(field));
    }
}

static enum policy_verdict ask(struct policy_call *call, const struct config_forward_auth *auth,
                               struct policy_question **question_out)
{
    struct policy_question *question = arena_zalloc(call->arena, sizeof *question);
    question->upstream = auth->upstream;
    question->timeout_us = auth->timeout_us;
    question->request = (struct message){.method = METHOD_GET,
                                         .method_text = SLICE("GET"),
                                         .target = auth->path.text,
                                         .authority = auth->upstream->servers[0].text,
                                         .version_minor = 1,
                                         .keep_alive = true};
    add_fields(call, auth, &question->request.fields);
    call->question = *question_out = question;
    return POLICY_ASK;
}

/* The service's answer as the client's: all fields but those that the gateway writes itself. */
static enum policy_verdict pass_on(struct policy_call *call, struct policy_question *question)
{
    struct fields *fields = arena_zalloc(call->arena, sizeof *fields);
    struct slice type = slice_make(NULL, 0);
    for (unsigned i = 0; i < question->response.fields.count; i++) {
        const struct field *field = &question->response.fields.at[i];
        if (field->id == FIELD_content_type)
            type = field_value(field);
        else if (field->id != FIELD_date && field->id != FIELD_server && field->id != FIELD_x_request_id)
            fields_add(fields, call->arena, field_name(field), field_value(field));
    }
    call->answer = (struct policy_answer){
        .status = question->response.status, .type = type, .text = question->content, .fields = fields};
    return POLICY_ANSWER;
}

static enum policy_verdict refuse(struct policy_call *call, const struct policy_question *question)
{
    struct slice name = question->upstream->name;
    call->fault = FAULT_auth_unavailable;
    call->notice = question->fault ? arena_printf(call->arena, "forward_auth: upstream %.*s: %s",
                                                  SLICE_ARGS(name), fault_row(question->fault)->sentence)
                                   : arena_printf(call->arena, "forward_auth: upstream %.*s answers %u",
                                                  SLICE_ARGS(name), question->response.status);
    return POLICY_REFUSE;
}

static bool consents(const struct policy_question *question)
{
    return question && question->answered && !question->fault && question->response.status / 100 == 2;
}

static enum policy_verdict judge(struct policy_call *call, const void *rule, void **state)
{
    const struct config_forward_auth *auth = rule;
    struct policy_question *question = *state;
    if (call->let_in)
        return POLICY_PASS;
    policy_say(call, "forward_auth", auth->origin, "%.*s is asked, GET %.*s; its consent is supposed here",
               SLICE_ARGS(auth->upstream->name), SLICE_ARGS(auth->path.text));
    if (call->trace || consents(question))
        return POLICY_PASS;
    if (question == NULL)
        return ask(call, auth, (struct policy_question **)state);
    if (!question->answered)
        return POLICY_ASK;
    unsigned status = question->response.status;
    return question->fault || status >= 500 || status == 304 ? refuse(call, question)
                                                             : pass_on(call, question);
}

static void forward(struct policy_call *call, const void *rule, void **state)
{
    const struct config_forward_auth *auth = rule;
    const struct policy_question *question = *state;
    struct fields *fields = &call->request->fields;
    call->drops_trailers = true;
    for (uint32_t i = 0; i < auth->copy_count; i++) {
        struct slice name = auth->copy[i].text;
        fields_remove_name(fields, name);
        for (unsigned j = 0; question && j < question->response.fields.count; j++) {
            const struct field *field = &question->response.fields.at[j];
            if (slice_equal_nocase(field_name(field), name))
                fields_add(fields, call->arena, name, field_value(field));
        }
    }
}

/* A session that the service has renewed. */
static void respond(struct policy_call *call, const void *rule, void **state, struct message *response)
{
    (void)rule;
    const struct policy_question *question = *state;
    if (!consents(question))
        return;
    for (unsigned i = 0; i < question->response.fields.count; i++) {
        const struct field *field = &question->response.fields.at[i];
        if (field->id == FIELD_set_cookie)
            fields_add_id(&response->fields, call->arena, FIELD_set_cookie, field_value(field));
    }
}

const struct policy policy_forward_auth = {.name = "forward_auth",
                                           .compile = compile,
                                           .judge = judge,
                                           .forward = forward,
                                           .respond = respond};
