/* key.h: keys of tables: loading, hashing and comparing short ones fast.
 *
 * Most keys are words: up to 16 bytes. Two integers hold such a key, zeros
 * behind its end, so that comparing and hashing it take a few instructions and
 * no branch that depends on its length (lengths of words are random, and a
 * wrong guess of the processor costs more than all the rest). Every table and
 * partitioner of a job uses key_hash(); partitions take its upper bits, tables
 * its lower ones. Stateless, any thread.
 */
#ifndef AIMSS_STATE_KEY_H
#define AIMSS_STATE_KEY_H

#include "base/hash.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { KEY_SHORT_BYTES = 16, KEY_PAGE_BYTES = 4096 };

struct key_words {
    uint64_t word[2];
};

/* Loads exactly the bytes of the key. */
static inline struct key_words key_load_exact(const void *data, size_t len_bytes)
{
    struct key_words key = { { 0, 0 } };
    if (len_bytes != 0)
        memcpy(key.word, data, len_bytes);
    return key;
}

/* Whether 16 bytes may be read at data although the key is shorter: always,
 * unless they reach into the next page, which may not be there. Sanitizers
 * know nothing of pages; under them only the key's own bytes are read. */
static inline int key_page_allows(const void *data)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)data;
    return 0;
#else
    return ((uintptr_t)data & (KEY_PAGE_BYTES - 1)) <= KEY_PAGE_BYTES - KEY_SHORT_BYTES;
#endif
}

/* The words of a key of at most KEY_SHORT_BYTES. */
static inline struct key_words key_load(const void *data, size_t len_bytes)
{
    static const uint64_t mask[KEY_SHORT_BYTES + 1] = {
        0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
        UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
        UINT64_MAX, UINT64_MAX
    };
    if (__builtin_expect(len_bytes == 0 || !key_page_allows(data), 0)) /* empty: may be NULL */
        return key_load_exact(data, len_bytes);
    /* The compiler must not know the object, whose end this reads over. */
    __asm__("" : "+r"(data));
    struct key_words key;
    memcpy(key.word, data, sizeof key.word);
    key.word[0] &= mask[len_bytes];
    key.word[1] &= len_bytes > 8 ? mask[len_bytes - 8] : 0;
    return key;
}

static inline uint64_t key_hash_words(struct key_words key, size_t len_bytes)
{
    uint64_t mixed = hash_fold(key.word[0] ^ HASH_K0, key.word[1] ^ HASH_K1);
    return hash_fold(mixed ^ len_bytes, HASH_K2);
}

static inline uint64_t key_hash(const void *data, size_t len_bytes)
{
    if (len_bytes <= KEY_SHORT_BYTES)
        return key_hash_words(key_load(data, len_bytes), len_bytes);
    return hash_bytes(data, len_bytes, 0);
}

/* Which of count parts a hash belongs to: its upper bits times count. */
static inline unsigned key_part(uint64_t hash, unsigned count)
{
    return (unsigned)(((hash >> 32) * count) >> 32);
}

#endif
