/*
 * What a listener with `redirect: https` answers: the https address of the same page, and the files by which
 * an ACME authority (RFC 8555 section 8.3) verifies who owns a name. Called by exchange.c before a route is
 * looked for.
 */
#include "exchange/internal.h"
#include "policy/url_template.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_MAX = 128, CHALLENGE_BYTES_MAX = 4096 };

static const struct slice CHALLENGES = {"/.well-known/acme-challenge/",
                                        sizeof "/.well-known/acme-challenge/" - 1};

/* --- challenges --- */

/* RFC 8555 section 8: characters of the base64url alphabet; so it names a file of the folder and nothing
 * else. */
static bool is_token(struct slice token)
{
    for (size_t i = 0; i < token.len; i++) {
        char c = ascii_lower(token.at[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return token.len > 0 && token.len <= TOKEN_MAX;
}

/* A regular file of the folder, no link; small, so that reading it does not hold up the thread. */
static bool read_challenge(struct exchange *x, const char *path, struct slice *text_out)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return false;
    char *text = arena_alloc(x->arena, CHALLENGE_BYTES_MAX);
    bool fits = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= CHALLENGE_BYTES_MAX;
    ssize_t len = fits ? read(fd, text, CHALLENGE_BYTES_MAX) : -1;
    close(fd);
    if (len <= 0)
        return false;
    *text_out = slice_make(text, (size_t)len);
    return true;
}

static enum fault answer_challenge(struct exchange *x, struct slice folder)
{
    struct slice token = slice_after(x->target.path, CHALLENGES.len), text;
    enum method method = x->in->rx_head.method;
    if (method != METHOD_GET && method != METHOD_HEAD)
        return FAULT_method_refused;
    if (!is_token(token))
        return FAULT_no_challenge;
    struct slice path = arena_printf(x->arena, "%.*s/%.*s", SLICE_ARGS(folder), SLICE_ARGS(token));
    if (!read_challenge(x, path.at, &text))
        return FAULT_no_challenge;
    x->call.answer =
        (struct policy_answer){.status = 200, .type = SLICE("application/octet-stream"), .text = text};
    return FAULT_NONE;
}

/* --- redirects --- */

static enum fault answer_redirect(struct exchange *x)
{
    const struct config *config = x->pin->config;
    enum method method = x->in->rx_head.method;
    if (x->site == NULL)
        return FAULT_misdirected;
    struct slice name = url_host(x->site, x->authority.host);
    if (name.len == 0)
        return FAULT_bad_host;
    struct slice port = config->https_port ? arena_printf(x->arena, ":%u", config->https_port) : SLICE("");
    struct slice raw = x->target.form == TARGET_ASTERISK ? SLICE("/") : x->target.raw;
    struct slice location =
        arena_printf(x->arena, "https://%.*s%.*s%.*s", SLICE_ARGS(name), SLICE_ARGS(port), SLICE_ARGS(raw));
    x->call.answer =
        (struct policy_answer){.status = method == METHOD_GET || method == METHOD_HEAD ? 301 : 308,
                               .type = SLICE("text/plain; charset=utf-8"),
                               .location = location,
                               .text = arena_printf(x->arena, "see %.*s\n", SLICE_ARGS(location))};
    return FAULT_NONE;
}

enum fault redirect_answer(struct exchange *x)
{
    struct slice folder = x->pin->config->tls.acme_challenge;
    if (!slice_starts_with(x->target.path, CHALLENGES))
        return answer_redirect(x);
    return slice_equal(folder, SLICE("off")) ? FAULT_NONE : answer_challenge(x, folder);
}
