/* word.h: shared words. Every shared word is 8-byte aligned and has one writer.
 *
 * Release by the writer, acquire by its readers; the full fence belongs to the
 * doorbell (a store that must be seen before a later load of another word).
 */
#ifndef AIMSS_BASE_WORD_H
#define AIMSS_BASE_WORD_H

#include <stdint.h>

static inline uint64_t word_load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void word_store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline void word_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
