/* crc_combine.h: the CRC32C of a whole from the CRCs of its parts. */
#ifndef AIMSS_BASE_CRC_COMBINE_H
#define AIMSS_BASE_CRC_COMBINE_H

#include <stdint.h>

/* The CRC32C of A followed by B, without their bytes: crc_a = crc32c(0, A),
 * crc_b = crc32c(0, B), len_b_bytes the length of B. Time grows with the
 * logarithm of len_b_bytes. */
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b_bytes);

#endif
