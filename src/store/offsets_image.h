/* offsets_image.h: an offsets.log in memory: its checks, and a walk over it.
 *
 * For offsets_log.c alone. The log is small, so that it is loaded whole. No
 * state, any thread.
 */
#ifndef AIMSS_STORE_OFFSETS_IMAGE_H
#define AIMSS_STORE_OFFSETS_IMAGE_H

#include "store/offsets_log.h"

struct offsets_image {
    const char *path;   /* for messages */
    char *data;         /* malloc'ed; the owner frees it, also after a failed load */
    uint64_t len_bytes;
};

/* Where the sound records end, and the number of the last. */
struct offsets_walked {
    uint64_t end, sequence;
};

uint32_t offsets_file_header_crc(const struct offsets_file_header *header);
/* Trusts len_bytes. */
uint32_t offsets_record_crc(const struct offsets_record *record);

/* Loads the file into an image that has its path. */
aimss_status_t offsets_image_load(struct env *env, int fd, struct offsets_image *image);

/* Checks the file header; uuid NULL: any job's. */
aimss_status_t offsets_image_check(const struct offsets_image *image, const uint8_t *uuid);

/* Checks the records, and calls fn (may be NULL) for each. An unfinished end is
 * no error: walked tells where it begins. Damage is AIMSS_E_CORRUPT. */
aimss_status_t offsets_image_walk(const struct offsets_image *image, offsets_log_fn *fn, void *arg,
                                  struct offsets_walked *walked);

#endif
