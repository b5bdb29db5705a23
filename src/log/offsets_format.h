/* offsets_format.h: bytes of DIR/offsets.log. Little endian, fixed width, versioned.
 *
 * A file header, then records without gaps; every one is a multiple of 8 bytes
 * and begins at one. A record is a header and a payload, which is a fixed part
 * and text whose length the fixed part tells. Text is bytes without a
 * terminating zero unless a field says otherwise.
 *
 * durable_bytes is what tells a torn tail from damage. Pages of a batch reach
 * the disk in any order, so a bad record may well be followed by a good one
 * after a power cut. But if a good one says that the bad one's place had been
 * synced before, then what lay there was lost, not unfinished.
 */
#ifndef AIMSS_LOG_OFFSETS_FORMAT_H
#define AIMSS_LOG_OFFSETS_FORMAT_H

#include <assert.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes on disk are little endian");

enum {
    OFFSETS_VERSION = 1,
    OFFSETS_ALIGN_BYTES = 8,
    OFFSETS_UUID_BYTES = 16,
    OFFSETS_RECORD_MAX_BYTES = 1024 * 1024,  /* with header and padding */
    OFFSETS_FILE_MAX_BYTES = 256 * 1024 * 1024
};

#define OFFSETS_MAGIC UINT64_C(0x4c464f53534d4941) /* "AIMSSOFL" */

struct offsets_file_header {
    uint64_t magic;         /* OFFSETS_MAGIC */
    uint32_t version;       /* OFFSETS_VERSION */
    uint32_t header_bytes;  /* 64: where the first record begins */
    uint8_t job_uuid[OFFSETS_UUID_BYTES]; /* of job.conf */
    uint32_t reserved[7];   /* 0 */
    uint32_t crc32c;        /* of the 60 bytes before; in its place in every version */
};
static_assert(sizeof(struct offsets_file_header) == 64, "file header");

enum offsets_kind {
    OFFSETS_RUN = 1,            /* struct offsets_run: a start of the job directory */
    OFFSETS_STREAM = 2,         /* struct offsets_stream: a stream was made */
    OFFSETS_READER_GROUP = 3,   /* struct offsets_reader_group: a consumer group was made */
    OFFSETS_PARTITION_DONE = 4, /* struct offsets_partition_done: a part of an input is read */
    OFFSETS_COMMIT = 5,         /* struct offsets_commit: an epoch exists */
    OFFSETS_END = 6             /* struct offsets_end: the run has ended by itself */
};

struct offsets_record {
    uint32_t len_bytes;     /* of the record: header, payload, zeros up to a multiple of 8 */
    uint32_t payload_bytes; /* behind the header, without padding */
    uint64_t sequence;      /* of the record in its file, from 1, without gaps */
    uint64_t durable_bytes; /* length of the file that was on disk for certain at the append */
    uint32_t kind;          /* enum offsets_kind; others are passed over */
    uint32_t crc32c;        /* of the 28 bytes before, the payload and the padding */
};
static_assert(sizeof(struct offsets_record) == 32, "record header");

/* Followed by the names of the run's arenas, each with its terminating zero. */
struct offsets_run {
    uint64_t started_unix_ns; /* UTC */
    uint32_t run;             /* from 1 */
    uint32_t rank_count;
    uint32_t arena_count;
    uint32_t names_bytes;     /* of all names with their zeros */
};
static_assert(sizeof(struct offsets_run) == 24, "RUN");

/* Followed by the stream's name. */
struct offsets_stream {
    uint32_t id;
    uint32_t parent;          /* id of the parent stream, 0 for none */
    uint32_t streamlet_count;
    uint32_t format;          /* enum aimss_format */
    uint32_t record_bytes;    /* of fixed records, else 0 */
    uint32_t name_bytes;
};
static_assert(sizeof(struct offsets_stream) == 24, "STREAM");

/* Followed by the consumer group's name. */
struct offsets_reader_group {
    uint32_t stream;     /* id */
    uint32_t number;     /* of the consumer group in its stream */
    uint32_t name_bytes;
    uint32_t reserved;   /* 0 */
};
static_assert(sizeof(struct offsets_reader_group) == 16, "READER_GROUP");

struct offsets_partition_done {
    uint32_t stream;     /* id */
    uint32_t number;     /* of the partition in its stream */
    uint32_t file;       /* number of the input file, as in a chunk's input_source */
    uint32_t reserved;   /* 0 */
    uint64_t begin, end; /* range of the file, in bytes */
    uint64_t records;    /* that it gave */
    uint64_t bytes;      /* of these records */
};
static_assert(sizeof(struct offsets_partition_done) == 48, "PARTITION_DONE");

/* Followed by file_count times a struct offsets_commit_file and its name. */
struct offsets_commit {
    uint64_t epoch;
    uint32_t file_count;
    uint32_t reserved;   /* 0 */
};
static_assert(sizeof(struct offsets_commit) == 16, "COMMIT");

/* One part of a sink's file. Followed by the file's name, below DIR, and zeros
 * up to a multiple of 8. */
struct offsets_commit_file {
    uint64_t offset;     /* of the part in the file */
    uint64_t len_bytes;  /* of the part */
    uint64_t line_count; /* in the part */
    uint32_t crc32c;     /* of the part */
    uint32_t name_bytes;
};
static_assert(sizeof(struct offsets_commit_file) == 32, "a file of a COMMIT");

/* Followed by the message. */
struct offsets_end {
    int32_t status;         /* aimss_status_t */
    uint32_t message_bytes;
};
static_assert(sizeof(struct offsets_end) == 8, "END");

static inline uint64_t offsets_align(uint64_t len_bytes)
{
    return (len_bytes + (OFFSETS_ALIGN_BYTES - 1)) & ~(uint64_t)(OFFSETS_ALIGN_BYTES - 1);
}

/* The file behind one of a COMMIT whose lengths are known to fit. */
static inline const struct offsets_commit_file *
offsets_commit_next(const struct offsets_commit_file *file)
{
    return (const void *)((const char *)(file + 1) + offsets_align(file->name_bytes));
}

#endif
