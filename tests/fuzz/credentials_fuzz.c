/*
 * Authorization fields and htpasswd files of any bytes: what is read lies inside what was given, keeps the
 * rules of its header, and a hash that is accepted is one that libcrypt knows. Input: one text that is taken
 * for both.
 */
#include "config/htpasswd.h"
#include "http/basic.h"

#include <crypt.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_field(struct slice text)
{
    struct arena arena;
    struct basic_credentials credentials;
    arena_init(&arena, NULL, 0);
    if (basic_read(text, &arena, &credentials)) {
        struct slice user = credentials.user, password = credentials.password;
        if (strlen(user.at) != user.len || strlen(password.at) != password.len ||
            password.len > BASIC_PASSWORD_MAX || user.len + password.len + 1 > text.len / 4 * 3)
            abort();
    }
    arena_fini(&arena);
}

static void check_line(struct slice text, const struct htpasswd_line *line)
{
    const char *end = text.at + text.len;
    if (line->name.at < text.at || line->name.at + line->name.len > end)
        abort();
    if (line->hash.at == NULL)
        return;
    if (line->hash.at != line->name.at + line->name.len + 1 || line->hash.at + line->hash.len > end)
        abort();
    if (htpasswd_check_name(line->name) == NULL && memchr(line->name.at, ':', line->name.len))
        abort();
    if (htpasswd_check_hash(line->hash) != NULL)
        return;
    char *hash = strndup(line->hash.at, line->hash.len);
    if (strlen(hash) != line->hash.len || crypt_checksalt(hash) != CRYPT_SALT_OK)
        abort();
    free(hash);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1); /* so that reading past the end is seen */
    memcpy(copy, data, size);
    struct slice text = slice_make(copy, size), rest = text;
    struct htpasswd_line line = {.number = 0};
    unsigned before = 0;
    while (htpasswd_next(&rest, &line)) {
        if (line.number <= before || line.name.len + line.hash.len == 0)
            abort();
        before = line.number;
        check_line(text, &line);
    }
    if (size > 0)
        read_field(text);
    free(copy);
    return 0;
}
