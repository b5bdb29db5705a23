/* ledger.c: see ledger.h. */
#include "sim/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* In front of each value. */
struct stamp {
    uint64_t writer, number;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return (x ^ (x >> 29)) * UINT64_C(0xc4ceb9fe1a85ec53);
}

static uint64_t draw(const struct ledger *ledger, unsigned writer, uint64_t number, uint64_t salt)
{
    return mix(mix(ledger->seed + salt) ^ mix(number * LEDGER_WRITERS_MAX + writer));
}

void ledger_start(struct ledger *ledger, uint64_t seed)
{
    uint64_t random = seed;
    const struct ledger_text *text = ledger->text;

    memset(ledger, 0, sizeof *ledger);
    ledger->text = text;
    ledger->seed = seed;
    ledger->key_count = 1 + (unsigned)sim_below(&random, LEDGER_KEYS_MAX);
    ledger->large_bytes = 1000 + sim_below(&random, LEDGER_VALUE_MAX / 2);
}

static unsigned key_index(const struct ledger *ledger, unsigned writer, uint64_t number)
{
    return (unsigned)(draw(ledger, writer, number, 1) >> 20) % ledger->key_count;
}

uint64_t ledger_key(const struct ledger *ledger, unsigned writer, uint64_t number)
{
    return mix(key_index(ledger, writer, number) + 1);
}

/* Mostly small, now and then as large as a chunk, or larger than several. */
static size_t value_bytes(const struct ledger *ledger, unsigned writer, uint64_t number)
{
    uint64_t random = draw(ledger, writer, number, 2) >> 8;

    if (random % 41 == 0)
        return sizeof(struct stamp) + random / 41 % ledger->large_bytes;
    if (random % 13 == 0)
        return sizeof(struct stamp) + random / 13 % 5000;
    return sizeof(struct stamp) + random / 13 % 200;
}

size_t ledger_fill(const struct ledger *ledger, unsigned writer, uint64_t number, char *value)
{
    size_t len = value_bytes(ledger, writer, number);
    struct stamp stamp = { writer, number };
    uint64_t word = draw(ledger, writer, number, 3);

    memcpy(value, &stamp, sizeof stamp);
    for (size_t at = sizeof stamp; at < len; at += sizeof word) {
        size_t rest = len - at;

        word += UINT64_C(0x9e3779b97f4a7c15);
        memcpy(value + at, &word, rest < sizeof word ? rest : sizeof word);
    }
    return len;
}

static uint64_t next_number(const struct ledger *ledger, unsigned writer, unsigned key,
                            uint64_t from)
{
    while (key_index(ledger, writer, from) != key)
        from++;
    return from;
}

static void see_number(struct ledger *ledger, struct sim *sim, unsigned group,
                       const struct stamp *stamp)
{
    unsigned writer = (unsigned)stamp->writer, key = key_index(ledger, writer, stamp->number);
    uint64_t *next = &ledger->next[group][writer][key];

    *next = next_number(ledger, writer, key, *next);
    if (stamp->number != *next)
        sim_fail(sim, "group %u reads record %" PRIu64 " of writer %u with key %u, but %" PRIu64
                 " comes next", group, stamp->number, writer, key, *next);
    ++*next;
}

void ledger_see(struct ledger *ledger, struct sim *sim, unsigned group,
                const struct aimss_record *record, bool again)
{
    char expected[LEDGER_VALUE_MAX];
    struct stamp stamp;
    uint64_t key;

    if (record->key.len_bytes != sizeof key || record->value.len_bytes < sizeof stamp)
        sim_fail(sim, "group %u reads a record with a key of %zu and a value of %zu bytes", group,
                 record->key.len_bytes, record->value.len_bytes);
    memcpy(&key, record->key.data, sizeof key);
    memcpy(&stamp, record->value.data, sizeof stamp);
    if (stamp.writer >= LEDGER_WRITERS_MAX || stamp.number >= ledger->written[stamp.writer] ||
        key != ledger_key(ledger, (unsigned)stamp.writer, stamp.number))
        sim_fail(sim, "group %u reads record %" PRIu64 " of writer %" PRIu64 " and key %" PRIx64
                 ", which nobody wrote", group, stamp.number, stamp.writer, key);
    if (record->value.len_bytes != ledger_fill(ledger, (unsigned)stamp.writer, stamp.number,
                                               expected) ||
        memcmp(expected, record->value.data, record->value.len_bytes) != 0)
        sim_fail(sim, "group %u: record %" PRIu64 " of writer %" PRIu64 " has other bytes than "
                 "were written%s", group, stamp.number, stamp.writer,
                 again ? ", while its buffer is held" : "");
    if (!again)
        see_number(ledger, sim, group, &stamp);
}

void ledger_check(const struct ledger *ledger, struct sim *sim, unsigned group)
{
    for (unsigned writer = 0; writer < LEDGER_WRITERS_MAX; writer++) {
        for (unsigned key = 0; key < ledger->key_count && ledger->accepted[writer] > 0; key++) {
            uint64_t next = next_number(ledger, writer, key, ledger->next[group][writer][key]);

            if (next < ledger->accepted[writer])
                sim_fail(sim, "group %u never got record %" PRIu64 " of writer %u with key %u; %"
                         PRIu64 " were accepted", group, next, writer, key,
                         ledger->accepted[writer]);
        }
    }
}

/* ---- lines */

static size_t write_line(char *at, unsigned number, uint64_t *random)
{
    size_t len = (size_t)sprintf(at, "%07u ", number);
    size_t fill = sim_below(random, sim_one_in(random, 97) ? 9000 : 90);

    for (size_t i = 0; i < fill; i++)
        at[len++] = (char)('a' + (number + i) % 26);
    at[len++] = '\n';
    return len;
}

struct ledger_text *ledger_text_create(const char *path, uint64_t len_bytes)
{
    struct ledger_text *text = calloc(1, sizeof *text);
    char *data = malloc(len_bytes + 16 * 1024);
    uint64_t used = 0, random = len_bytes;

    if (text == NULL || data == NULL)
        abort();
    while (used < len_bytes && text->line_count < LEDGER_LINES_MAX) {
        text->line_at[text->line_count] = (uint32_t)used;
        used += write_line(data + used, text->line_count++, &random);
    }
    text->line_at[text->line_count] = (uint32_t)used;
    text->file = (struct sim_file){ .path = path, .data = data, .len_bytes = used };
    return text;
}

void ledger_text_destroy(struct ledger_text *text)
{
    if (text == NULL)
        return;
    free((char *)text->file.data);
    free(text);
}

static void see_line(struct ledger *ledger, struct sim *sim, unsigned group, unsigned number)
{
    if (ledger->line_seen[group][number]++ > 0)
        sim_fail(sim, "group %u reads line %u twice", group, number);
    ledger->lines[group]++;
}

/* A record is whole lines; each is found by its number and compared. */
void ledger_see_lines(struct ledger *ledger, struct sim *sim, unsigned group,
                      const struct aimss_record *record, bool again)
{
    const struct ledger_text *text = ledger->text;
    const char *data = record->value.data;
    size_t len = record->value.len_bytes, at = 0;

    while (at < len) {
        unsigned long number = len - at > 8 ? strtoul(data + at, NULL, 10) : LEDGER_LINES_MAX;
        size_t line;

        if (number >= text->line_count)
            sim_fail(sim, "group %u reads a line that is none, %zu bytes into a record of %zu",
                     group, at, len);
        line = text->line_at[number + 1] - text->line_at[number];
        if (line > len - at || memcmp(data + at, text->file.data + text->line_at[number], line))
            sim_fail(sim, "group %u: line %lu has other bytes than the file", group, number);
        if (!again)
            see_line(ledger, sim, group, (unsigned)number);
        at += line;
    }
}

void ledger_check_lines(const struct ledger *ledger, struct sim *sim, unsigned group)
{
    if (ledger->lines[group] != ledger->text->line_count)
        sim_fail(sim, "group %u got %" PRIu64 " lines of %u", group, ledger->lines[group],
                 ledger->text->line_count);
}
