/*
 * The whole way of a configuration file from bytes: YAML, ${env:}, schema, names, defaults, printing. What
 * was accepted must print, and what is printed must be accepted again.
 */
#include "config/print.h"

#include <stdint.h>
#include <stdlib.h>

/* What the configuration prints; to be freed. */
static struct slice print(const struct config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        abort();
    config_print(config, out);
    fclose(out);
    return slice_make(text, size);
}

static void check_findings(const struct config_findings *findings, size_t size)
{
    for (const struct config_finding *finding = findings->first; finding; finding = finding->next)
        if (finding->text.len == 0 || finding->origin.line > size + 2 || finding->origin.column > size + 2)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_findings findings;
    config_findings_init(&findings);
    struct config *config = config_load_text("fuzz.yaml", slice_make((const char *)data, size), &findings);
    check_findings(&findings, size);
    if ((config != NULL) != (findings.errors == 0))
        abort();
    config_findings_fini(&findings);
    if (!config)
        return 0;
    struct slice printed = print(config);
    config_free(&config);
    config_findings_init(&findings);
    config = config_load_text("fuzz.yaml", printed, &findings);
    if (!config) {
        fprintf(stderr, "%.*s\n", SLICE_ARGS(printed));
        abort();
    }
    config_free(&config);
    config_findings_fini(&findings);
    free((void *)(uintptr_t)printed.at);
    return 0;
}
