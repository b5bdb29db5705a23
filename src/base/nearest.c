/* nearest.c: optimal string alignment distance between short words.
 *
 * Insertions, deletions, substitutions and swaps of two neighbours cost one
 * each (Damerau, CACM 7(3), 1964, in the restricted form). A word is near if at
 * most a third of it, and at least one letter, is wrong; a known word that the
 * typed one begins is near too ("broker" for "brokers-per-node").
 */
#include "base/nearest.h"

#include <string.h>

enum { WORD_BYTES_MAX = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_BYTES_MAX + 1];
    size_t *two_up = rows[0], *up = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        up[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(least(up[j], row[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_up[j - 2] + 1);
        }
        size_t *oldest = two_up;
        two_up = up;
        up = row;
        row = oldest;
    }
    return up[b_len];
}

void nearest_offer(struct nearest *nearest, const char *known)
{
    size_t word_len = strlen(nearest->word), known_len = strlen(known);
    size_t found, limit = word_len / 3 > 0 ? word_len / 3 : 1;

    if (word_len == 0 || word_len > WORD_BYTES_MAX || known_len > WORD_BYTES_MAX)
        return;
    found = distance(nearest->word, word_len, known, known_len);
    if (found > limit && word_len >= 3 && strncmp(nearest->word, known, word_len) == 0)
        found = limit;
    if (found <= limit && (nearest->best == NULL || found < nearest->best_distance)) {
        nearest->best = known;
        nearest->best_distance = found;
    }
}
