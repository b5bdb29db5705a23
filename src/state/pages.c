/* pages.c: see pages.h. */
#include "state/pages.h"

#include <stdint.h>
#include <sys/mman.h>

/* The kernel gives huge pages only to whole aligned ones: maps one more, and
 * unmaps what lies before and behind. */
bool pages_reserve(struct pages *pages, size_t len_bytes)
{
    size_t huge = PAGES_HUGE_BYTES;
    size_t len = (len_bytes + huge - 1) / huge * huge;
    char *mapped = mmap(NULL, len + huge, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    *pages = (struct pages){ NULL, 0 };
    if (mapped == MAP_FAILED)
        return false;
    size_t before = (huge - (uintptr_t)mapped % huge) % huge;
    if (before != 0)
        munmap(mapped, before);
    munmap(mapped + before + len, huge - before);
    *pages = (struct pages){ mapped + before, len };
    return true;
}

bool pages_use(const struct pages *pages, size_t len_bytes)
{
    if (mprotect(pages->data, len_bytes, PROT_READ | PROT_WRITE) != 0)
        return false;
    if (len_bytes >= PAGES_HUGE_BYTES)
        madvise(pages->data, len_bytes, MADV_HUGEPAGE); /* a hint only */
    return true;
}

bool pages_open(struct pages *pages, size_t len_bytes)
{
    if (!pages_reserve(pages, len_bytes))
        return false;
    if (len_bytes == 0 || pages_use(pages, len_bytes))
        return true;
    pages_close(pages);
    return false;
}

void pages_forget(const struct pages *pages, size_t keep_bytes)
{
    if (keep_bytes < pages->len_bytes)
        madvise((char *)pages->data + keep_bytes, pages->len_bytes - keep_bytes, MADV_DONTNEED);
}

void pages_close(struct pages *pages)
{
    if (pages->data != NULL)
        munmap(pages->data, pages->len_bytes);
    *pages = (struct pages){ NULL, 0 };
}
