/* ref_words: a tight single-threaded loop that counts the words of a file, and wc beside it.
 *
 * A word is a maximal run of bytes that are not ASCII white space (space \t \n \v \f \r). The
 * file is read through a page-cached mmap, 64 bytes at a time: SSE2 compares give a mask of
 * white space, whose edges are the words. A word is hashed eight bytes at a time and counted in
 * an open-addressing table; keys lie in an arena, are compared byte for byte, and words wait in
 * a short batch so that the table's cache misses overlap.
 *
 * The yardstick is `LC_ALL=C wc -w` of the same file, pass for pass in the same run; the loop
 * must reach 0.8 of it. Passes go on until --seconds have been spent in the loop; each starts
 * with an empty table, and medians are printed.
 *
 * usage: ref_words --file PATH [--seconds S] [--cpu N] [--dump TSV]
 */
#include <getopt.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "measure.h"

enum { BLOCK_BYTES = 64, BATCH_WORDS = 32, PASSES_MAX = 64, SLOTS_FIRST = 1 << 16,
       ARENA_BLOCK_BYTES = 1 << 22 };

struct slot {
    uint64_t prefix;                     /* the first eight bytes, zeros behind a shorter word */
    const uint8_t *key;                  /* in the arena; NULL: free */
    uint64_t count;
    uint32_t len_bytes, hash;
};

struct arena_block {
    struct arena_block *next;
    size_t used_bytes, room_bytes;
    uint8_t data[];
};

struct word {
    const uint8_t *at;
    uint64_t prefix;
    uint32_t len_bytes, hash;
};

struct table {
    struct slot *slot;
    size_t mask, distinct;
    uint64_t total;
    struct arena_block *arena;
    struct word batch[BATCH_WORDS];
    unsigned batch_count;
};

static void *need(void *memory)
{
    if (!memory)
        die("out of memory");
    return memory;
}

static void table_open(struct table *table)
{
    *table = (struct table){ .slot = need(calloc(SLOTS_FIRST, sizeof *table->slot)),
                             .mask = SLOTS_FIRST - 1 };
}

static void table_close(struct table *table)
{
    while (table->arena) {
        struct arena_block *next = table->arena->next;

        free(table->arena);
        table->arena = next;
    }
    free(table->slot);
}

static const uint8_t *arena_copy(struct table *table, const struct word *word)
{
    struct arena_block *block = table->arena;

    if (!block || block->room_bytes - block->used_bytes < word->len_bytes) {
        size_t room = word->len_bytes > ARENA_BLOCK_BYTES ? word->len_bytes : ARENA_BLOCK_BYTES;

        block = need(malloc(sizeof *block + room));
        *block = (struct arena_block){ .next = table->arena, .room_bytes = room };
        table->arena = block;
    }
    uint8_t *key = block->data + block->used_bytes;
    memcpy(key, word->at, word->len_bytes);
    block->used_bytes += word->len_bytes;
    return key;
}

static void table_grow(struct table *table)
{
    size_t count = table->mask + 1;
    struct slot *old = table->slot;

    table->slot = need(calloc(2 * count, sizeof *table->slot));
    table->mask = 2 * count - 1;
    for (size_t i = 0; i < count; i++) {
        size_t to = old[i].hash & table->mask;

        if (!old[i].key)
            continue;
        while (table->slot[to].key)
            to = (to + 1) & table->mask;
        table->slot[to] = old[i];
    }
    free(old);
}

static inline bool slot_holds(const struct slot *slot, const struct word *word)
{
    return slot->prefix == word->prefix && slot->len_bytes == word->len_bytes &&
           (word->len_bytes <= 8 || memcmp(slot->key + 8, word->at + 8, word->len_bytes - 8) == 0);
}

static inline void word_count(struct table *table, const struct word *word)
{
    struct slot *slot = &table->slot[word->hash & table->mask];

    while (slot->key && !slot_holds(slot, word))
        slot = slot == &table->slot[table->mask] ? table->slot : slot + 1;
    if (!slot->key) {
        *slot = (struct slot){ .prefix = word->prefix, .key = arena_copy(table, word),
                               .len_bytes = word->len_bytes, .hash = word->hash };
        table->distinct++;
    }
    slot->count++;
}

static void batch_count(struct table *table)
{
    for (unsigned i = 0; i < table->batch_count; i++)
        word_count(table, &table->batch[i]);
    table->total += table->batch_count;
    table->batch_count = 0;
    if (2 * table->distinct > table->mask)
        table_grow(table);
}

/* The eight bytes at a place of which len_bytes (8 or more: all) belong to the word. */
static inline uint64_t load_part(const uint8_t *at, size_t len_bytes)
{
    uint64_t part;

    memcpy(&part, at, sizeof part);
    return len_bytes >= 8 ? part : part & ((UINT64_C(1) << 8 * len_bytes) - 1);
}

static inline void word_add(struct table *table, const uint8_t *at, size_t len_bytes)
{
    struct word *word = &table->batch[table->batch_count++];
    uint64_t hash;

    if (len_bytes > UINT32_MAX)
        die("a word of %zu bytes: at most %u are counted", len_bytes, UINT32_MAX);
    word->at = at;
    word->len_bytes = (uint32_t)len_bytes;
    word->prefix = load_part(at, len_bytes);
    hash = (word->prefix ^ len_bytes) * 0x9E3779B97F4A7C15u;
    for (size_t done = 8; done < len_bytes; done += 8)
        hash = (hash ^ hash >> 32 ^ load_part(at + done, len_bytes - done)) * 0xD6E8FEB86659FD93u;
    word->hash = (uint32_t)(hash >> 32);
    __builtin_prefetch(&table->slot[word->hash & table->mask], 1);
    if (table->batch_count == BATCH_WORDS)
        batch_count(table);
}

/* Bit i: byte i is white space. */
static inline uint64_t space_mask(const uint8_t *at)
{
    uint64_t mask = 0;

#if defined(__SSE2__)
    for (int i = 0; i < BLOCK_BYTES; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(at + i));
        __m128i control = _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(8)),
                                        _mm_cmplt_epi8(bytes, _mm_set1_epi8(14)));
        __m128i space = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')), control);

        mask |= (uint64_t)(uint32_t)_mm_movemask_epi8(space) << i;
    }
#else
    for (int i = 0; i < BLOCK_BYTES; i++)
        mask |= (uint64_t)(at[i] == ' ' || (at[i] >= 9 && at[i] <= 13)) << i;
#endif
    return mask;
}

/* Counts the words of a text with BLOCK_BYTES readable bytes behind it. An edge is a byte whose
 * kind differs from the byte before; edges are by turns a word's start and its end. */
static void text_count(struct table *table, const uint8_t *text, size_t len_bytes)
{
    const uint8_t *start = NULL;         /* of the word that is open */

    for (size_t at = 0; at < len_bytes; at += BLOCK_BYTES) {
        uint64_t spaces = space_mask(text + at);

        if (len_bytes - at < BLOCK_BYTES)
            spaces |= ~UINT64_C(0) << (len_bytes - at);
        uint64_t edges = spaces ^ (spaces << 1 | (start == NULL));
        for (; edges != 0; edges &= edges - 1) {
            const uint8_t *edge = text + at + __builtin_ctzll(edges);

            if (start == NULL) {
                start = edge;
            } else {
                word_add(table, start, (size_t)(edge - start));
                start = NULL;
            }
        }
    }
    if (start != NULL)
        word_add(table, start, (size_t)(text + len_bytes - start));
    batch_count(table);
}

/* Maps a file with a page of zeros behind it. */
static const uint8_t *text_map(const char *path, size_t *len_bytes)
{
    int fd = open(path, O_RDONLY);
    struct stat info;
    uint8_t *base;

    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size == 0)
        die("%s: %s", path, fd < 0 ? strerror(errno) : "empty");
    *len_bytes = (size_t)info.st_size;
    base = mmap(NULL, *len_bytes + 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED ||
        mmap(base, *len_bytes, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) ==
            MAP_FAILED)
        die("%s: %s", path, strerror(errno));
    close(fd);
    return base;
}

/* Seconds that `LC_ALL=C wc -w` takes; its answer in *words. */
static double wc_run(const char *path, uint64_t *words)
{
    uint64_t start_ns = now_ns();
    char answer[64] = "";
    int ends[2], status;

    if (pipe(ends) != 0)
        die("pipe: %s", strerror(errno));
    pid_t child = fork_bound();
    if (child == 0) {
        setenv("LC_ALL", "C", 1);
        dup2(ends[1], STDOUT_FILENO);
        execlp("wc", "wc", "-w", path, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ssize_t len = read(ends[0], answer, sizeof answer - 1);
    close(ends[0]);
    if (len <= 0 || waitpid(child, &status, 0) < 0 || status != 0)
        die("wc -w %s failed", path);
    *words = strtoull(answer, NULL, 10);
    return (double)(now_ns() - start_ns) / 1e9;
}

/* For a check by outside tools: word TAB count, in the order of the table. */
static void table_dump(const struct table *table, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        die("%s: %s", path, strerror(errno));
    for (const struct slot *slot = table->slot; slot <= table->slot + table->mask; slot++) {
        if (!slot->key)
            continue;
        fwrite(slot->key, slot->len_bytes, 1, file);
        fprintf(file, "\t%" PRIu64 "\n", slot->count);
    }
    if (fclose(file) != 0)
        die("%s: %s", path, strerror(errno));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *value, size_t count)
{
    qsort(value, count, sizeof *value, by_value);
    return value[count / 2];
}

static void measure(const char *path, double seconds, const char *dump)
{
    double loop_s[PASSES_MAX], wc_s[PASSES_MAX], spent_s = 0, loop, wc;
    uint64_t wc_words = 0, total = 0;
    size_t len_bytes, passes = 0, distinct = 0;
    const uint8_t *text = text_map(path, &len_bytes);
    char more[160];

    for (; passes < PASSES_MAX && (passes < 3 || spent_s < seconds); passes++) {
        uint64_t start_ns = now_ns();
        struct table table;

        table_open(&table);
        text_count(&table, text, len_bytes);
        loop_s[passes] = (double)(now_ns() - start_ns) / 1e9;
        spent_s += loop_s[passes];
        total = table.total;
        distinct = table.distinct;
        if (dump && passes == 0)
            table_dump(&table, dump);
        table_close(&table);
        wc_s[passes] = wc_run(path, &wc_words);
    }
    loop = (double)len_bytes / median(loop_s, passes) / 1e6;
    wc = (double)len_bytes / median(wc_s, passes) / 1e6;
    snprintf(more, sizeof more, ", \"words\": %" PRIu64 ", \"distinct\": %zu, \"wc_words\": %"
             PRIu64 ", \"bytes\": %zu", total, distinct, wc_words, len_bytes);
    result_print(&(struct result){
        .bench = "wordcount", .case_name = "loop", .value = loop, .unit = "MB/s",
        .yardstick = "wc -w MB/s", .yardstick_value = wc, .share = loop / wc, .more = more });
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "file", required_argument, NULL, 'f' }, { "seconds", required_argument, NULL, 's' },
        { "cpu", required_argument, NULL, 'c' }, { "dump", required_argument, NULL, 'd' }, { 0 },
    };
    const char *path = NULL, *dump = NULL;
    double seconds = 1.5;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'f': path = optarg; break;
        case 's': seconds = atof(optarg); break;
        case 'c': pin_to_cpu(atoi(optarg)); break;
        case 'd': dump = optarg; break;
        default: return 2;
        }
    }
    if (!path)
        die("usage: ref_words --file PATH [--seconds S] [--cpu N] [--dump TSV]");
    measure(path, seconds, dump);
    return 0;
}
