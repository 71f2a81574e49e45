/*
 * The mixes, rates and thresholds of a load test's command line. Beyond memory safety: what is taken can be
 * sent and is in range, what is refused says where, within the text.
 */
#include "loadtest/thresholds.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct mix_error *error, size_t size)
{
    CHECK(error->column >= 1 && error->column <= size + 1 && error->sentence.len > 0);
}

static void check_mix(struct slice text, struct arena *arena)
{
    struct mix_entry *entries;
    struct mix_error error;
    unsigned count;
    if (!mix_parse(text, arena, &entries, &count, &error)) {
        check_error(&error, text.len);
        return;
    }
    CHECK(count >= 1 && count <= LOAD_LINES_MAX);
    for (unsigned i = 0; i < count; i++) {
        CHECK(entries[i].target.len > 0 && entries[i].target.at[0] == '/');
        CHECK(entries[i].weight >= 1 && entries[i].weight <= LOAD_WEIGHT_MAX);
        for (size_t j = 0; j < entries[i].target.len; j++)
            CHECK((unsigned char)entries[i].target.at[j] > ' ' &&
                  (unsigned char)entries[i].target.at[j] < 0x7f);
    }
}

static void check_thresholds(struct slice text, struct load_plan *plan)
{
    static struct load_line_tally sums[2] = {{.good = 1}, {.good = 1}};
    struct load_tally tally = {.plan = plan, .measured_us = 1, .lines = sums};
    struct threshold *thresholds;
    struct mix_error error;
    unsigned count;
    char sentence[THRESHOLD_SENTENCE_MAX];
    if (!thresholds_parse(text, plan, &thresholds, &count, &error)) {
        check_error(&error, text.len);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        if (threshold_is_broken(&thresholds[i], &tally, sentence))
            CHECK(memchr(sentence, '\0', sizeof sentence) != NULL && sentence[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct load_rate rate;
    struct load_line lines[] = {{.name = SLICE("/a"), .protocol = LOAD_H1},
                                {.name = SLICE("b:1/<c>"), .protocol = LOAD_WEBSOCKET}};
    struct load_plan plan = {.lines = lines, .line_count = 2};
    if (size == 0)
        return 0;
    arena_init(&plan.arena, NULL, 0);
    check_mix(text, &plan.arena);
    check_thresholds(text, &plan);
    if (load_rate_parse(text, &rate))
        CHECK(rate.count > 0 && rate.window_us > 0 && rate.count <= 10000000 * (rate.window_us / 1000000));
    arena_fini(&plan.arena);
    return 0;
}
