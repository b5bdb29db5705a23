/* hash.h: a 64-bit hash of bytes, fast for the short keys of records.
 *
 * The multiply-fold family (Wang Yi's wyhash and its kin): 16 bytes of input
 * are mixed into two odd constants and multiplied to 128 bits, whose halves are
 * xored. Keys of 1 to 16 bytes are read by overlapping loads and need two such
 * multiplications. Stateless; any alignment; the bytes are read as little
 * endian, so that CPU and GPU agree bit for bit. Not for keys that an attacker
 * chooses.
 *
 * Partitioners take the upper bits, hash tables the lower: both are good.
 */
#ifndef AIMSS_BASE_HASH_H
#define AIMSS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Numbers with no simple relation and about half of their bits set: the
 * fractional parts of the square roots of 2, 3, 5 and 7, made odd. */
#define HASH_K0 0x6a09e667f3bcc909u
#define HASH_K1 0xbb67ae8584caa73bu
#define HASH_K2 0x3c6ef372fe94f82bu
#define HASH_K3 0xa54ff53a5f1d36f1u

static inline uint64_t hash_read8(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline uint64_t hash_read4(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

/* Multiplies to 128 bits and folds the halves. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
#ifdef __CUDA_ARCH__
    return (a * b) ^ __umul64hi(a, b);
#else
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#endif
}

/* The first and last words of 1 to 16 bytes; together they hold every byte. */
static inline void hash_read_short(const unsigned char *at, size_t len_bytes, uint64_t *a,
                                   uint64_t *b)
{
    if (len_bytes >= 8) {
        *a = hash_read8(at);
        *b = hash_read8(at + len_bytes - 8);
    } else if (len_bytes >= 4) {
        *a = hash_read4(at);
        *b = hash_read4(at + len_bytes - 4);
    } else if (len_bytes > 0) {
        *a = (uint64_t)at[0] << 16 | (uint64_t)at[len_bytes / 2] << 8 | at[len_bytes - 1];
        *b = 0;
    } else {
        *a = *b = 0;
    }
}

static inline uint64_t hash_bytes(const void *data, size_t len_bytes, uint64_t seed)
{
    const unsigned char *at = (const unsigned char *)data;
    uint64_t state = seed ^ HASH_K0, a, b;
    size_t left_bytes = len_bytes;
    for (; left_bytes > 16; left_bytes -= 16, at += 16)
        state = hash_fold(hash_read8(at) ^ HASH_K1, hash_read8(at + 8) ^ state);
    hash_read_short(at, left_bytes, &a, &b);
    state = hash_fold(a ^ HASH_K2, b ^ state);
    return hash_fold(state ^ HASH_K3, (uint64_t)len_bytes ^ HASH_K1);
}

#endif
