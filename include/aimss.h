/* aimss.h: active in-memory storage for batch jobs.
 *
 * Some ranks of an MPI job store, the others compute. Rank 0 coordinates, the
 * next few ranks are brokers: they hold streams as logs in memory and push
 * what arrives into the compute ranks. The application hands its data movement
 * over and keeps the computing.
 *
 * Two ways to use it:
 *
 *   - A job: declare a graph (source, apply, shuffle, count, sink) and run it
 *     with aimss_job_main(). Every rank runs the same program.
 *   - The streams themselves: aimss_runtime_create(), then on compute ranks
 *     create or open streams, write records, read shared buffers.
 *
 * Words. A stream is cut into streamlets, key ranges that consumers share out.
 * A consumer group is a name under which ranks read a stream together: each
 * group gets every record once. Brokers hold records in chunks, chunks in
 * segments, and the segments of one writer in groups: messages name such places.
 *
 * Conventions. Calls marked "Collective" are made by all ranks of the runtime.
 * Calls come from the thread that created the runtime; aimss_buffer_release(),
 * aimss_task_emit() and the error functions come from any thread. A function
 * returns AIMSS_OK, a positive outcome that is listed at the call, or a negative
 * error; aimss_error_text() then says what was found, what was expected and what
 * helps. Outputs are last and set only on success. Destroy and close functions
 * accept NULL; all others need their objects. Options structs are
 * zero-initialised: zero means the default, and NULL stands for all zero. All
 * times are nanoseconds, all sizes bytes.
 */
#ifndef AIMSS_H
#define AIMSS_H

#include <aimss/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AIMSS_VERSION_MAJOR 0
#define AIMSS_VERSION_MINOR 1
#define AIMSS_VERSION_PATCH 0

/* A timeout that never ends. */
#define AIMSS_FOREVER UINT64_MAX

struct aimss_runtime;
struct aimss_stream;
struct aimss_reader;
struct aimss_buffer;
struct aimss_writer;
struct aimss_job;
struct aimss_flow;
struct aimss_task;

/* ---- errors ------------------------------------------------------------ */

/* The fixed message of a status; never NULL, "unknown status" for others. */
const char *aimss_status_string(aimss_status_t status);

/* What went wrong last on the calling thread, in one sentence: object, found,
 * expected, remedy. Empty after no error. Valid until the thread's next call. */
const char *aimss_error_text(void);

/* Where diagnostics go: fn gets one line without a newline. NULL restores the
 * default, which is standard error. level: 0 error, 1 warning, 2 note. */
typedef void aimss_log_fn(void *arg, int level, const char *line);
void aimss_log_set(aimss_log_fn *fn, void *arg);

/* "0.1.0" */
const char *aimss_version(void);

/* ---- runtime ----------------------------------------------------------- */

struct aimss_runtime_options {
    const char *job_dir;       /* job directory; NULL: none, nothing is written to disk */
    unsigned broker_count;     /* 0: one broker for every three compute ranks, at least one */
    unsigned brokers_per_node; /* instead of broker_count: so many on each node */
    unsigned nodes_as;         /* count the ranks of one machine as so many nodes; 0: real nodes */
    uint64_t arena_bytes;      /* memory of one broker's arena; 0: a share of what is free */
    uint64_t record_max_bytes; /* largest record; 0: 64 MiB */
    uint64_t deadline_ns;      /* a blocked MPI call ends the process after so long; 0: 60 s */
    uint64_t reserved[8];
};

/* Collective. Starts the runtime on MPI_COMM_WORLD and initialises MPI (FUNNELED)
 * unless the program has; needs at least 3 ranks. Takes the options of aimss
 * from argv (see aimss(1)) and removes them; words that it does not know, --help
 * among them, stay. argc and argv may be NULL. On the coordinator and on brokers
 * it returns like everywhere else; those ranks serve in aimss_runtime_destroy().
 * Errors: AIMSS_E_USAGE (too few ranks, an option), AIMSS_E_MPI,
 * AIMSS_E_NO_SPACE (the arena does not fit), AIMSS_E_BUSY, AIMSS_E_FINISHED
 * (job_dir): all ranks get the same status. */
aimss_status_t aimss_runtime_create(int *argc, char ***argv,
                                    const struct aimss_runtime_options *options,
                                    struct aimss_runtime **rt);

/* This rank's role; fixed for the runtime's life. */
enum aimss_role aimss_runtime_role(const struct aimss_runtime *rt);

/* This compute rank's number among the compute ranks, from 0, and how many
 * they are; (unsigned)-1 on other ranks. Either output may be NULL. */
void aimss_runtime_compute_rank(const struct aimss_runtime *rt, unsigned *index,
                                unsigned *count);

/* Lets the runtime work for timeout_ns (0: one look), so that streams move while
 * the application does something else. AIMSS_OK, or the error that stopped the
 * run. Compute ranks only. */
aimss_status_t aimss_runtime_progress(struct aimss_runtime *rt, uint64_t timeout_ns);

/* Collective. Ends the runtime; close readers and writers before. The
 * coordinator and the brokers serve in here until all compute ranks have called
 * it. Returns the outcome of the run: the first error that any rank met. Before
 * MPI_Finalize; finalises MPI if aimss_runtime_create() initialised it. */
aimss_status_t aimss_runtime_destroy(struct aimss_runtime *rt);

/* ---- streams: compute ranks only ---------------------------------------- */

struct aimss_stream_options {
    const char *parent;            /* name of the parent stream; NULL: none */
    const char *source;            /* "text": brokers fill the stream from files; NULL: writers.
                                      A record is some whole lines of one file, each with its
                                      newline (the file's last may lack it) */
    const char *const *inputs;     /* source only: files, directories, glob patterns; NULL: those
                                      that the job's --input names */
    size_t input_count;
    enum aimss_format format;      /* of the records; a source brings its own */
    uint32_t record_bytes;         /* AIMSS_FORMAT_FIXED: size of a record, 1 to 65536; at most
                                      chunk_bytes - 256 */
    uint32_t streamlet_count;      /* 0: one for each compute rank; 65536 at most */
    uint32_t writer_count;         /* the stream ends when so many writers have closed; 0: when
                                      aimss_stream_seal() is called. aimss_write_to() counts as a
                                      writer of its own */
    uint64_t segment_bytes;        /* full size of a segment, a power of two; 0: 8 MiB */
    uint64_t segment_first_bytes;  /* size of a group's first segment; 0: 4 KiB, growing by 4 */
    uint64_t chunk_bytes;          /* what a writer publishes at once; 0: 16 KiB, or what a fixed
                                      record needs; 4 KiB to 256 KiB */
    uint64_t reserved[8];
};

/* Creates a stream, or opens it if it exists with the same options (so that
 * every compute rank may call it). Blocks for a round trip to the coordinator.
 * Errors: AIMSS_E_EXISTS (other options), AIMSS_E_NOT_FOUND (parent, source,
 * input), AIMSS_E_INVALID, AIMSS_E_LIMIT, AIMSS_E_ROLE. */
aimss_status_t aimss_stream_create(struct aimss_runtime *rt, const char *name,
                                   const struct aimss_stream_options *options,
                                   struct aimss_stream **stream);

/* Opens a stream that another rank created. AIMSS_E_NOT_FOUND if there is none
 * yet: try again, or let every rank create it. */
aimss_status_t aimss_stream_open(struct aimss_runtime *rt, const char *name,
                                 struct aimss_stream **stream);

/* No writer opens after this (AIMSS_E_STATE); readers get AIMSS_END once all
 * open writers have closed and all that they put is read. */
aimss_status_t aimss_stream_seal(struct aimss_stream *stream);

/* Gives the handle back and closes the writer of aimss_write_to(), whose error
 * it returns; the stream itself lives until the runtime ends. Readers and
 * writers of the handle must be closed. NULL is fine. */
aimss_status_t aimss_stream_destroy(struct aimss_stream *stream);

/* ---- readers ------------------------------------------------------------ */

struct aimss_reader_options {
    const char *group;     /* consumer group: its members share the streamlets; NULL: "default" */
    uint64_t member_count; /* brokers push when so many members have joined, so that streamlets,
                              and with them keys, need not move; 0: at once */
    uint64_t reserved[8];
};

/* Joins a consumer group of the stream; the brokers push from now on. A
 * streamlet has one consumer per group at a time; when members join or leave,
 * streamlets move between them without loss or repetition, and the records of a
 * key then come to several ranks in turn. A new group begins with the oldest
 * record that is still held: what all groups before it have read may be gone.
 * What brokers push shares one lane per broker: a rank with several readers must
 * take from each of them, or the others stand still. */
aimss_status_t aimss_read_from(struct aimss_stream *stream,
                               const struct aimss_reader_options *options,
                               struct aimss_reader **reader);

/* The next buffer of records, to be given back with aimss_buffer_release().
 * Its bytes lie where the broker put them. timeout_ns 0 is one look. Returns
 * AIMSS_OK, AIMSS_END, AIMSS_TIMEOUT, or the error that stopped the run. */
aimss_status_t aimss_reader_next(struct aimss_reader *reader, uint64_t timeout_ns,
                                 struct aimss_buffer **buffer);

/* Calls fn for each record until the stream ends (AIMSS_OK); a non-zero return
 * of fn stops with AIMSS_E_CALLBACK, and the rest of that buffer counts as read.
 * The record is borrowed for the call. */
typedef int aimss_record_fn(void *arg, const struct aimss_record *record);
aimss_status_t aimss_reader_apply(struct aimss_reader *reader, aimss_record_fn *fn, void *arg);

/* Leaves the group. Buffers must have been released. NULL is fine. */
aimss_status_t aimss_reader_close(struct aimss_reader *reader);

/* ---- buffers ------------------------------------------------------------ */

/* The records of a buffer, one after the other. *cursor starts at 0. Each
 * chunk's CRC32C is checked as the cursor enters it. Returns AIMSS_OK, AIMSS_END
 * or AIMSS_E_CORRUPT, which names the place. The record is borrowed until the
 * buffer's release. */
aimss_status_t aimss_buffer_record(const struct aimss_buffer *buffer, uint64_t *cursor,
                                   struct aimss_record *record);

/* A buffer's bytes and their room. For a leased one: to be filled; for one that
 * was read: its chunks as they lie in memory, not to be written to. */
void *aimss_buffer_data(struct aimss_buffer *buffer, size_t *len_bytes);

/* Leases a buffer of at least len_bytes (256 KiB at most) for a bytes or fixed
 * stream, to be filled in place and handed over with aimss_write_to(). */
aimss_status_t aimss_buffer_lease(struct aimss_stream *stream, size_t len_bytes,
                                  struct aimss_buffer **buffer);

/* How much of a leased buffer is filled; all of it by default. */
aimss_status_t aimss_buffer_resize(struct aimss_buffer *buffer, size_t len_bytes);

/* Gives a buffer back, read or leased. Any thread. NULL is fine. */
void aimss_buffer_release(struct aimss_buffer *buffer);

/* Hands a leased buffer over: its bytes become one record (bytes stream) or
 * records (fixed stream). On success the buffer is gone; on error it stays the
 * caller's and holds what was not put. Its first call on a handle opens a writer
 * (see writer_count), which aimss_stream_destroy() closes. */
aimss_status_t aimss_write_to(struct aimss_stream *stream, struct aimss_buffer *buffer);

/* ---- writers ------------------------------------------------------------ */

struct aimss_writer_options {
    uint64_t timeout_ns;   /* how long a put may wait for memory; 0: for ever (a note on standard
                              error tells after 10 s) */
    uint64_t reserved[8];
};

/* How far a flush waits. */
enum aimss_level {
    AIMSS_PUBLISHED = 0,   /* handed to the brokers */
    AIMSS_ACCEPTED = 1     /* the brokers vouch for it */
};

/* Opens a writer. It leases groups from the brokers as it needs them. */
aimss_status_t aimss_writer_open(struct aimss_stream *stream,
                                 const struct aimss_writer_options *options,
                                 struct aimss_writer **writer);

/* Appends one record. The key chooses the streamlet; it is at most 65535
 * bytes and must be empty for bytes and fixed streams. Records become visible
 * when 64 KiB of chunks are full, or when the broker has answered and 5 us have
 * passed, whichever is first; a pause after the last put needs a flush (or
 * aimss_runtime_progress()). Returns AIMSS_OK; AIMSS_TIMEOUT (no memory within
 * timeout_ns: nothing was put, call again); AIMSS_E_LIMIT (above record_max),
 * AIMSS_E_INVALID. A rank that reads the stream that it writes must not wait here
 * for memory that only its own reading frees: give it a timeout. */
aimss_status_t aimss_writer_put(struct aimss_writer *writer, struct aimss_bytes key,
                                struct aimss_bytes value);

/* Publishes what was put; with AIMSS_ACCEPTED also waits until brokers vouch
 * for it. *position (may be NULL) is the count of records put so far. */
aimss_status_t aimss_writer_flush(struct aimss_writer *writer, enum aimss_level level,
                                  uint64_t *position);

/* Flushes to AIMSS_ACCEPTED and gives the leases back. NULL is fine. */
aimss_status_t aimss_writer_close(struct aimss_writer *writer);

/* ---- shuffle ------------------------------------------------------------ */

/* The six calls of the programming model are aimss_stream_create,
 * aimss_read_from, aimss_write_to, aimss_shuffle_stream, aimss_shuffle_streams
 * and aimss_stream_destroy. Children of a parent collect what a compute rank
 * has for others; when all are ready, the ranks exchange. */

struct aimss_shuffle_options {
    aimss_record_fn *deliver;  /* gets each record that arrives here */
    void *arg;
    uint64_t reserved[8];
};

/* This rank's part of a child stream is complete and may be exchanged; puts are
 * refused (AIMSS_E_STATE) until the shuffle is done. */
aimss_status_t aimss_shuffle_stream(struct aimss_stream *child);

/* Collective over the compute ranks, with the same children open on each.
 * AIMSS_E_STATE unless all children of the parent are ready on this rank. Exchanges
 * their records by hash of the key and calls deliver, inside this call, for those
 * that belong here, in no order and whichever child they came from. Children are
 * keyed streams created with .parent; what is put into them stays on its rank
 * until here. An error, also a non-zero return of deliver, stops the run on all
 * ranks. Afterwards they are empty and take records again. */
aimss_status_t aimss_shuffle_streams(struct aimss_stream *parent,
                                     const struct aimss_shuffle_options *options);

/* ---- jobs: a graph that runs itself -------------------------------------- */

/* Declarations are sticky: NULL in, NULL out; aimss_job_main() reports the
 * first error. All ranks of the job run the same declarations. */

/* Starts a job program called name; argc and argv are main()'s and stay as they
 * are. Reads the options, does not start MPI. A job's results and records lie in
 * the directory that --job names, its inputs are what --input names. */
struct aimss_job *aimss_job_create(const char *name, int argc, char **argv);

/* An option of the program's own, called name (without dashes): --name VALUE on
 * the command line, also AIMSS_NAME, in job.conf and --help. Returns its value
 * (the default if absent), borrowed for the job's life; NULL if the job is NULL
 * or the declaration is refused. */
const char *aimss_job_option(struct aimss_job *job, const char *name, const char *value_default,
                             const char *help);

/* A source of records: "text" reads --input files, whole lines in each record. */
struct aimss_flow *aimss_flow_source(struct aimss_job *job, const char *source);

/* Runs fn on each record, on a worker thread. fn emits records with
 * aimss_task_emit(); it borrows its inputs, calls no MPI and nothing else of
 * AIMSS; a status other than AIMSS_OK stops the job and names stream and
 * position. After a shuffle all records of a key come to one caller at a time.
 * The chain is: source, any apply, then nothing more, or shuffle, any apply, and
 * then nothing more, or count and sink. */
typedef aimss_status_t aimss_apply_fn(struct aimss_task *task, const struct aimss_record *record);
struct aimss_flow *aimss_flow_apply(struct aimss_flow *flow, aimss_apply_fn *fn);

/* Gives the function of the apply before it an argument; see aimss_task_arg(). */
struct aimss_flow *aimss_flow_arg(struct aimss_flow *flow, void *arg);

/* Brings equal keys together on one compute rank. */
enum aimss_shuffle_by { AIMSS_BY_HASH = 0 };
struct aimss_flow *aimss_flow_shuffle(struct aimss_flow *flow, enum aimss_shuffle_by how);

/* Counts the records of each key; the result has one record a key. Follows a
 * shuffle. */
struct aimss_flow *aimss_flow_count(struct aimss_flow *flow);

/* A key and its count, as counted and as an order sees them. */
struct aimss_counted {
    struct aimss_bytes key;
    uint64_t count;
};

/* Negative, zero, positive, as for qsort. */
typedef int aimss_order_fn(const struct aimss_counted *a, const struct aimss_counted *b);

struct aimss_sink_options {
    aimss_order_fn *order;  /* NULL: in no order; otherwise the file is in this order as a whole,
                               ties by the bytes of the key */
    unsigned show_count;    /* aimss_job_main prints the first so many lines as a table */
    uint64_t reserved[8];
};

/* Writes key TAB count lines to DIR/out/file; keys are written as they are. The
 * file appears when the job has succeeded. Follows a count. */
struct aimss_flow *aimss_flow_sink(struct aimss_flow *flow, const char *file,
                                   const struct aimss_sink_options *options);

/* Collective. Runs the job and destroys it. Returns the exit code of the program: 0 done,
 * 1 failed, 2 usage, 128+n signalled. Prints progress, the table
 * of the sink and errors; everything else stays silent. */
int aimss_job_main(struct aimss_job *job);

/* ---- tasks: inside a callback ------------------------------------------- */

/* Emits one record downstream; key and value are copied. */
aimss_status_t aimss_task_emit(struct aimss_task *task, struct aimss_bytes key,
                               struct aimss_bytes value);

/* What aimss_flow_arg() gave to the running callback's apply; NULL if nothing. */
void *aimss_task_arg(const struct aimss_task *task);

/* State of a key: len_bytes (at most 4096) of memory, zero the first time,
 * kept for the job's life, borrowed until the callback returns. In a callback
 * after a shuffle; key is the record's own, or any other that belongs to this
 * rank alone. All callbacks of a rank share it. Errors: AIMSS_E_LIMIT
 * (--state-memory), AIMSS_E_STATE. */
aimss_status_t aimss_task_state(struct aimss_task *task, struct aimss_bytes key,
                                size_t len_bytes, void **ptr);

#ifdef __cplusplus
}
#endif

#endif
