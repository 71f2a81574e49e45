/*
 * The distance behind "did you mean". Words longer than WORD_MAX suggest nothing, so that a hostile file
 * cannot make the quadratic comparison expensive; a third of the letters, at least one, may differ.
 */
#include "config/suggest.h"

enum { WORD_MAX = 40 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(struct slice a, struct slice b)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= b.len; j++)
        last[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            char x = ascii_lower(a.at[i - 1]), y = ascii_lower(b.at[j - 1]);
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
            bool swapped = i > 1 && j > 1 && x == ascii_lower(b.at[j - 2]) && ascii_lower(a.at[i - 2]) == y;
            if (swapped)
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.len];
}

struct suggestion suggest_start(struct slice word)
{
    unsigned allowed = word.len < 6 ? 1 : (unsigned)(word.len / 3);
    if (word.len >= 4 && allowed < 2)
        allowed = 2;
    return (struct suggestion){.word = word, .distance = word.len > WORD_MAX ? 0 : allowed + 1};
}

void suggest_offer(struct suggestion *suggestion, struct slice known)
{
    size_t longer = known.len > suggestion->word.len ? known.len : suggestion->word.len;
    size_t shorter = known.len + suggestion->word.len - longer;
    if (longer > WORD_MAX || longer - shorter >= suggestion->distance)
        return;
    unsigned found = distance(suggestion->word, known);
    if (found >= suggestion->distance || found >= longer)
        return;
    suggestion->best = known;
    suggestion->distance = found;
}
