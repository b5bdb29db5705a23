/* pages.h: large arrays straight from the kernel, in huge pages where it has
 * them: touching the first page of each 4 KiB costs more than sorting what lies
 * in it. Any thread.
 */
#ifndef AIMSS_STATE_PAGES_H
#define AIMSS_STATE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

struct pages {
    void *data;       /* aligned to PAGES_HUGE_BYTES; NULL: none */
    size_t len_bytes;
};

enum { PAGES_HUGE_BYTES = 2 * 1024 * 1024 };

/* At least len_bytes of zeros; false when there is no memory. */
bool pages_open(struct pages *pages, size_t len_bytes);

/* Address space alone: pages_use() makes the first len_bytes memory. */
bool pages_reserve(struct pages *pages, size_t len_bytes);
bool pages_use(const struct pages *pages, size_t len_bytes);

/* From keep_bytes on: zeros again, and no memory until they are touched. */
void pages_forget(const struct pages *pages, size_t keep_bytes);

void pages_close(struct pages *pages);

#endif
