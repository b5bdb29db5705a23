/* writer.h: the writing side on a compute rank: records into leased segments.
 *
 * A writer has one open group in each streamlet that it writes to. Records go
 * straight into the leased segment (near), or into a window that is Put there
 * (far); a COMMIT_RANGE entry in the commit lane tells the broker. What is put
 * becomes visible when 64 KiB of chunks are sealed, or when the broker has
 * answered the last commit and 5 us have passed. MPI thread only.
 */
#ifndef AIMSS_FLOW_WRITER_H
#define AIMSS_FLOW_WRITER_H

#include "env/env.h"
#include "net/lanes.h"

struct writers; /* all writers of a rank */
struct writer;

/* Called while a writer has to wait: lets the rest of the rank work. It must
 * not call the writer again. */
typedef aimss_status_t writer_wait_fn(void *arg, uint64_t deadline_ns);

struct writers_config {
    struct env *env;
    struct net *net;
    struct lanes *lanes;
    uint64_t record_max_bytes;
    writer_wait_fn *wait;
    void *wait_arg;
};

aimss_status_t writers_create(const struct writers_config *config, struct writers **writers);
void writers_destroy(struct writers *writers);

/* Grants in, due commits out. */
aimss_status_t writers_step(struct writers *writers, bool *busy);

aimss_status_t writer_open(struct writers *writers, const struct wire_stream *stream,
                           uint64_t timeout_ns, struct writer **writer);
aimss_status_t writer_put(struct writer *writer, struct aimss_bytes key, struct aimss_bytes value);
/* Publishes all; accepted: waits for the brokers. */
aimss_status_t writer_flush(struct writer *writer, bool accepted);
uint64_t writer_record_count(const struct writer *writer);
uint32_t writer_id(const struct writer *writer);
/* One of the writers that are open, or NULL. */
struct writer *writers_first(struct writers *writers);
uint32_t writer_stream(const struct writer *writer);
/* Flushes to accepted, gives the leases back, frees. */
aimss_status_t writer_close(struct writer *writer);

#endif
