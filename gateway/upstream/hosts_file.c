/*
 * The reader of hosts(5) behind upstream/hosts_file.h. The text is kept as it is and searched line by line:
 * names are looked up every few seconds, not per request. c-ares 1.18 could only read the system's file, and
 * would read it on every lookup. Called by the resolver alone.
 */
#include "upstream/hosts_file.h"

#include "upstream/file_stamp.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct hosts_file {
    struct file_stamp stamp;
    char *path;
    char *text; /* NULL when there is none */
    size_t len;
};

struct hosts_file *hosts_file_new(const char *path)
{
    struct hosts_file *hosts = calloc(1, sizeof *hosts);
    CHECK(hosts != NULL);
    hosts->path = strdup(path);
    CHECK(hosts->path != NULL);
    return hosts;
}

void hosts_file_free(struct hosts_file **hosts)
{
    struct hosts_file *old = *hosts;
    *hosts = NULL;
    if (old == NULL)
        return;
    free(old->path);
    free(old->text);
    free(old);
}

/* Up to `size` bytes; fewer when the file is shorter or cannot be read. */
static size_t read_up_to(int fd, char *bytes, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(fd, bytes + len, size - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    return len;
}

static void read_text(struct hosts_file *hosts)
{
    struct stat found;
    int fd = open(hosts->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    free(hosts->text);
    hosts->text = NULL;
    hosts->len = 0;
    if (fd < 0)
        return;
    if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_size > 0) {
        hosts->text = malloc((size_t)found.st_size);
        CHECK(hosts->text != NULL);
        hosts->len = read_up_to(fd, hosts->text, (size_t)found.st_size);
    }
    close(fd);
}

bool hosts_file_refresh(struct hosts_file *hosts)
{
    if (!file_stamp_renew(&hosts->stamp, hosts->path))
        return false;
    read_text(hosts);
    return true;
}

/* The next line without its comment; moves `rest` behind it. False at the end. */
static bool next_line(struct slice *rest, struct slice *line_out)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->at, '\n', rest->len);
    struct slice line = slice_make(rest->at, end ? (size_t)(end - rest->at) : rest->len);
    *rest = slice_after(*rest, line.len + (end ? 1 : 0));
    const char *comment = line.len ? memchr(line.at, '#', line.len) : NULL;
    if (comment)
        line.len = (size_t)(comment - line.at);
    *line_out = line;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line, empty at its end; moves `rest` behind it. */
static struct slice next_word(struct slice *rest)
{
    while (rest->len > 0 && is_space(rest->at[0]))
        *rest = slice_after(*rest, 1);
    size_t len = 0;
    while (len < rest->len && !is_space(rest->at[len]))
        len++;
    struct slice word = slice_make(rest->at, len);
    *rest = slice_after(*rest, len);
    return word;
}

static bool line_names(struct slice line, struct slice name)
{
    for (struct slice word = next_word(&line); word.len > 0; word = next_word(&line))
        if (slice_equal_nocase(word, name))
            return true;
    return false;
}

static bool is_localhost(struct slice name)
{
    static const char suffix[] = ".localhost";
    size_t len = sizeof suffix - 1;
    if (slice_equal_nocase(name, SLICE("localhost")))
        return true;
    return name.len > len && slice_equal_nocase(slice_after(name, name.len - len), slice_make(suffix, len));
}

static uint32_t loopback(struct address addresses_out[HOSTS_FILE_FOUND_MAX])
{
    CHECK(address_from_literal(SLICE("127.0.0.1"), 0, &addresses_out[0]));
    CHECK(address_from_literal(SLICE("::1"), 0, &addresses_out[1]));
    return 2;
}

uint32_t hosts_file_find(const struct hosts_file *hosts, struct slice name,
                         struct address addresses_out[HOSTS_FILE_FOUND_MAX])
{
    struct slice rest = slice_make(hosts->text, hosts->len), line;
    uint32_t count = 0;
    if (name.len > 0 && name.at[name.len - 1] == '.')
        name.len--;
    while (count < HOSTS_FILE_FOUND_MAX && next_line(&rest, &line)) {
        struct slice literal = next_word(&line);
        if (line_names(line, name) && address_from_literal(literal, 0, &addresses_out[count]))
            count++;
    }
    return count == 0 && is_localhost(name) ? loopback(addresses_out) : count;
}
