/* crc32c.c: isa-l's CRC32C under the standard's conventions. */
#include "base/crc32c.h"

#include <isa-l.h>

/* isa-l takes and returns the bare register; the standard CRC32C starts from
 * all ones and is inverted at the end. Its length is an int. */
uint32_t crc32c(uint32_t seed, const void *data, uint64_t len_bytes)
{
    const uint64_t run_max_bytes = 1u << 30;
    unsigned char *at = (unsigned char *)data; /* isa-l lacks the const, but only reads */
    uint32_t crc = ~seed;
    while (len_bytes > 0) {
        uint64_t run_bytes = len_bytes < run_max_bytes ? len_bytes : run_max_bytes;
        crc = crc32_iscsi(at, (int)run_bytes, crc);
        at += run_bytes;
        len_bytes -= run_bytes;
    }
    return ~crc;
}
