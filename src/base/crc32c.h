/* crc32c.h: the checksum of everything in memory and on disk. */
#ifndef AIMSS_BASE_CRC32C_H
#define AIMSS_BASE_CRC32C_H

#include <stdint.h>

/* CRC32C (Castagnoli) of data after seed, which is 0 or the CRC of what comes
 * before. "123456789" gives 0xE3069283. */
uint32_t crc32c(uint32_t seed, const void *data, uint64_t len_bytes);

#endif
