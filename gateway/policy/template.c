/*
 * The texts of policy/template.h: a list of literals and variables. Called by the policies; a variable is
 * what the call already knows, so that none costs more than a copy.
 */
#include "policy/template.h"

#include "http/bytes.h"

/* A literal, or a variable. */
struct part {
    struct slice text;
    template_value_fn *value; /* NULL: text */
};

struct template
{
    uint32_t count;
    struct part parts[];
};

/* --- the variables --- */

static struct slice variable_client_ip(const struct policy_call *call)
{
    return call->client;
}

static struct slice variable_remote_ip(const struct policy_call *call)
{
    return call->remote;
}

static struct slice variable_scheme(const struct policy_call *call)
{
    return call->secure ? SLICE("https") : SLICE("http");
}

static struct slice variable_host(const struct policy_call *call)
{
    return call->authority->host;
}

static struct slice variable_authority(const struct policy_call *call)
{
    return call->request->authority;
}

static struct slice variable_port(const struct policy_call *call)
{
    if (call->authority->port == 0)
        return call->secure ? SLICE("443") : SLICE("80");
    return arena_printf(call->arena, "%u", call->authority->port);
}

static struct slice variable_method(const struct policy_call *call)
{
    return call->request->method_text;
}

static struct slice variable_path(const struct policy_call *call)
{
    struct slice raw = call->target->raw;
    const char *query = raw.len ? memchr(raw.at, '?', raw.len) : NULL;
    return query ? slice_make(raw.at, (size_t)(query - raw.at)) : raw;
}

static struct slice variable_query(const struct policy_call *call)
{
    return call->target->query;
}

static struct slice variable_target(const struct policy_call *call)
{
    return call->target->raw;
}

static struct slice variable_request_id(const struct policy_call *call)
{
    return call->request_id;
}

static struct slice variable_tls_version(const struct policy_call *call)
{
    return stream_told(call->connection)->version;
}

static struct slice variable_tls_cipher(const struct policy_call *call)
{
    return stream_told(call->connection)->cipher;
}

static struct slice variable_tls_sni(const struct policy_call *call)
{
    return stream_told(call->connection)->server_name;
}

static struct slice variable_client_cert(const struct policy_call *call)
{
    return stream_told(call->connection)->certificate_subject;
}

static const struct variable {
    struct slice name;
    template_value_fn *value;
} variables[] = {
#define VARIABLE(name, sentence) {{#name, sizeof #name - 1}, variable_##name},
#include "tables/variables.def"
#undef VARIABLE
};

const char template_variables[] =
#define VARIABLE(name, sentence) " " #name
#include "tables/variables.def"
#undef VARIABLE
    ;

/* --- compiling --- */

template_value_fn *template_variable(struct slice name)
{
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (slice_equal(variables[i].name, name))
            return variables[i].value;
    return NULL;
}

static size_t count_signs(struct slice text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == '%';
    return count;
}

/* Where the next "%{" begins, or the end. */
static size_t find_opening(struct slice text)
{
    const char *at = text.len ? memmem(text.at, text.len, "%{", 2) : NULL;
    return at ? (size_t)(at - text.at) : text.len;
}

/* The variable at the front of `rest`, which moves behind it; false after adding an error. */
static bool take_variable(struct slice *rest, struct part *part, const struct config_text *text,
                          struct config_findings *findings)
{
    const char *end = memchr(rest->at, '}', rest->len);
    if (end == NULL) {
        config_error(findings, text->origin, "\"%%{\" has no closing \"}\"; %%%%{ stands for %%{");
        return false;
    }
    struct slice name = slice_make(rest->at + 2, (size_t)(end - rest->at) - 2);
    part->value = template_variable(name);
    *rest = slice_after(*rest, name.len + 3);
    if (part->value == NULL)
        config_error(findings, text->origin, "unknown variable \"%%{%.*s}\"; known are%s",
                     (int)(name.len < 40 ? name.len : 40), name.at, template_variables);
    return part->value != NULL;
}

static void add_literal(struct template *template, const char *at, size_t len)
{
    if (len > 0)
        template->parts[template->count++] = (struct part){slice_make(at, len), NULL};
}

const struct template *template_compile(struct arena *arena, const struct config_text *text,
                                        struct config_findings *findings)
{
    size_t most = 2 * count_signs(text->text) + 1; /* each sign ends a literal and may begin a variable */
    struct template *template = arena_alloc(arena, sizeof *template + most * sizeof template->parts[0]);
    struct slice rest = text->text;
    template->count = 0;
    while (rest.len > 0) {
        size_t len = text->origin.redacted ? rest.len : find_opening(rest);
        bool escaped = len < rest.len && len > 0 && rest.at[len - 1] == '%';
        add_literal(template, rest.at, len - escaped);
        rest = slice_after(rest, len);
        if (escaped) {
            add_literal(template, rest.at, 2);
            rest = slice_after(rest, 2);
        } else if (rest.len > 0) {
            struct part *part = &template->parts[template->count++];
            *part = (struct part){{NULL, 0}, NULL};
            if (!take_variable(&rest, part, text, findings))
                return NULL;
        }
    }
    return template;
}

/* --- expanding --- */

static struct slice value_of(const struct part *part, const struct policy_call *call)
{
    return part->value ? part->value(call) : part->text;
}

struct slice template_expand(const struct template *template, const struct policy_call *call)
{
    if (template->count <= 1)
        return template->count == 1 ? value_of(&template->parts[0], call) : SLICE("");
    struct slice *values = arena_alloc(call->arena, template->count * sizeof *values);
    size_t len = 0;
    for (uint32_t i = 0; i < template->count; i++) {
        values[i] = value_of(&template->parts[i], call);
        len += values[i].len;
    }
    char *text = arena_alloc(call->arena, len + 1), *at = text;
    for (uint32_t i = 0; i < template->count; i++) {
        if (values[i].len > 0)
            memcpy(at, values[i].at, values[i].len);
        at += values[i].len;
    }
    *at = '\0';
    return slice_make(text, len);
}

bool template_field_value(const struct template *template, const struct policy_call *call,
                          struct slice *value_out)
{
    struct slice value = slice_trim(template_expand(template, call));
    if (value.len == 0 || !bytes_all(value, BYTE_VALUE))
        return false;
    *value_out = value;
    return true;
}
