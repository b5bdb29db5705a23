/* nearest.h: the known word that a mistyped one most likely means. */
#ifndef AIMSS_BASE_NEAREST_H
#define AIMSS_BASE_NEAREST_H

#include <stddef.h>

/* How a search goes: start with NEAREST_START and offer each known word. */
struct nearest {
    const char *word;       /* what was typed */
    const char *best;       /* the nearest known one so far; NULL: none is near */
    size_t best_distance;
};

#define NEAREST_START(typed) ((struct nearest){ .word = (typed) })

void nearest_offer(struct nearest *nearest, const char *known);

#endif
