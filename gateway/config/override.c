/*
 * The table of config/override.h. Filled by the commands, asked by the reading of addresses.
 */
#include "config/override.h"

static struct {
    const char *text;
    struct slice from, to;
    bool used;
} overrides[CONFIG_OVERRIDES_MAX];
static unsigned count;

bool config_override_add(const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || equals[1] == '\0' || count == CONFIG_OVERRIDES_MAX)
        return false;
    overrides[count].text = text;
    overrides[count].from = slice_make(text, (size_t)(equals - text));
    overrides[count++].to = slice_of(equals + 1);
    return true;
}

struct slice config_override_find(struct slice text)
{
    for (unsigned i = 0; i < count; i++) {
        if (slice_equal(overrides[i].from, text)) {
            overrides[i].used = true;
            return overrides[i].to;
        }
    }
    return text;
}

const char *config_override_unused(void)
{
    const char *unused = NULL;
    for (unsigned i = count; i > 0; i--) {
        if (!overrides[i - 1].used)
            unused = overrides[i - 1].text;
        overrides[i - 1].used = false;
    }
    return unused;
}
