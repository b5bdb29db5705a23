/* aimss/types.h: the plain types that every layer and every caller shares.
 *
 * Status codes, bytes and records. Nothing here allocates, nothing here needs
 * MPI; the header compiles alone as C11 and as C++17.
 */
#ifndef AIMSS_TYPES_H
#define AIMSS_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One line for each status: name, value, message. Zero is success, negative
 * values are errors, the three positive ones are outcomes and not errors. */
#define AIMSS_STATUS_TABLE(X)                                                  \
    X(AIMSS_OK,              0, "success")                                     \
    X(AIMSS_END,             1, "the stream has ended")                        \
    X(AIMSS_TIMEOUT,         2, "nothing happened within the time given")      \
    X(AIMSS_MEMBERSHIP,      3, "the ranks of the run have changed")           \
    X(AIMSS_E_INVALID,      -1, "an argument is invalid")                      \
    X(AIMSS_E_NO_MEMORY,    -2, "out of memory")                               \
    X(AIMSS_E_LIMIT,        -3, "a configured limit is reached")               \
    X(AIMSS_E_NOT_FOUND,    -4, "no such object")                              \
    X(AIMSS_E_EXISTS,       -5, "the object exists already")                   \
    X(AIMSS_E_BUSY,         -6, "the object is in use")                        \
    X(AIMSS_E_IO,           -7, "an input or output operation failed")         \
    X(AIMSS_E_CORRUPT,      -8, "data failed its integrity check")             \
    X(AIMSS_E_TRUNCATED,    -9, "the position was trimmed away")               \
    X(AIMSS_E_MPI,         -10, "an MPI call failed")                          \
    X(AIMSS_E_ROLE,        -11, "the call is not for this rank's role")        \
    X(AIMSS_E_STATE,       -12, "the call is not allowed in this state")       \
    X(AIMSS_E_REVOKED,     -13, "the lease was revoked")                       \
    X(AIMSS_E_USAGE,       -14, "a command line or option is wrong")           \
    X(AIMSS_E_FINISHED,    -15, "the job directory holds a finished job")      \
    X(AIMSS_E_STOPPED,     -16, "the job was stopped on request")              \
    X(AIMSS_E_CALLBACK,    -17, "a callback of the application failed")        \
    X(AIMSS_E_PEER,        -18, "another rank failed")                         \
    X(AIMSS_E_NO_SPACE,    -19, "no space left in memory or on disk")          \
    X(AIMSS_E_UNSUPPORTED, -20, "not supported by this build or machine")      \
    X(AIMSS_E_DEADLINE,    -21, "a deadline passed")

typedef enum aimss_status {
#define AIMSS_STATUS_ENUM(name, value, text) name = value,
    AIMSS_STATUS_TABLE(AIMSS_STATUS_ENUM)
#undef AIMSS_STATUS_ENUM
    AIMSS_STATUS_SIZE_ = 0x7fffffff /* keeps the type an int everywhere */
} aimss_status_t;

/* A borrowed run of bytes; data may be NULL when len_bytes is 0. */
struct aimss_bytes {
    const void *data;
    size_t len_bytes;
};

#ifdef __cplusplus
#define AIMSS_NO_BYTES (aimss_bytes{nullptr, 0})
#else
#define AIMSS_NO_BYTES ((struct aimss_bytes){ NULL, 0 })
#endif

/* How the records of a stream are laid out in its chunks. */
enum aimss_format {
    AIMSS_FORMAT_KEYED = 0, /* key and value, each record with a header */
    AIMSS_FORMAT_BYTES = 1, /* no framing: a record is a run of bytes, e.g. whole lines */
    AIMSS_FORMAT_FIXED = 2  /* record_bytes each, no header; a record is its value */
};

/* One record as a reader or a callback sees it; all borrowed. Neither key nor
 * value is aligned: copy numbers out with memcpy(). */
struct aimss_record {
    struct aimss_bytes key;   /* empty for bytes and fixed records */
    struct aimss_bytes value;
    uint64_t event_time_ns;   /* 0: the record carries none */
    uint64_t ordinal;         /* counts the records of one writer's run, for messages */
};

/* Where a rank's data moves: what aimss_runtime_role() returns. */
enum aimss_role {
    AIMSS_ROLE_COORDINATOR = 0,
    AIMSS_ROLE_BROKER = 1,
    AIMSS_ROLE_COMPUTE = 2
};

#ifdef __cplusplus
}
#endif

#endif
