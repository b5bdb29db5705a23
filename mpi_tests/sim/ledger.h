/* ledger.h: what was written and what must come out, kept by the test itself.
 *
 * The content of a record follows from seed, writer and number, so that nothing
 * of it has to be stored. Of each writer and key the ledger knows which number
 * comes next: one that is missing, doubled, out of order or altered is noticed
 * as it is read.
 */
#ifndef AIMSS_SIM_LEDGER_H
#define AIMSS_SIM_LEDGER_H

#include "sim/sim.h"

enum {
    LEDGER_WRITERS_MAX = SIM_RANKS_MAX,
    LEDGER_KEYS_MAX = 8,
    LEDGER_GROUPS_MAX = 2,
    LEDGER_VALUE_MAX = 64 * 1024,
    LEDGER_LINES_MAX = 16 * 1024
};

/* A text whose lines begin with their number. */
struct ledger_text {
    struct sim_file file;
    unsigned line_count;
    uint32_t line_at[LEDGER_LINES_MAX + 1];
};
struct ledger_text *ledger_text_create(const char *path, uint64_t len_bytes);
void ledger_text_destroy(struct ledger_text *text);

struct ledger {
    uint64_t seed;
    unsigned key_count;
    uint64_t large_bytes;                       /* of the few large records, at most */
    uint64_t written[LEDGER_WRITERS_MAX];       /* records put */
    uint64_t accepted[LEDGER_WRITERS_MAX];      /* of these: the brokers vouch for them */
    uint64_t next[LEDGER_GROUPS_MAX][LEDGER_WRITERS_MAX][LEDGER_KEYS_MAX];
    const struct ledger_text *text;
    uint64_t lines[LEDGER_GROUPS_MAX];
    uint8_t line_seen[LEDGER_GROUPS_MAX][LEDGER_LINES_MAX];
};

void ledger_start(struct ledger *ledger, uint64_t seed);

/* A record's key and value; value has room for LEDGER_VALUE_MAX. */
uint64_t ledger_key(const struct ledger *ledger, unsigned writer, uint64_t number);
size_t ledger_fill(const struct ledger *ledger, unsigned writer, uint64_t number, char *value);

/* A record, or lines of the text, as a consumer group reads them. again: was
 * seen before, and only its bytes are looked at. */
void ledger_see(struct ledger *ledger, struct sim *sim, unsigned group,
                const struct aimss_record *record, bool again);
void ledger_see_lines(struct ledger *ledger, struct sim *sim, unsigned group,
                      const struct aimss_record *record, bool again);

/* All that was accepted must have been seen. */
void ledger_check(const struct ledger *ledger, struct sim *sim, unsigned group);
void ledger_check_lines(const struct ledger *ledger, struct sim *sim, unsigned group);

#endif
