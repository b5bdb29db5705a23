/* aimss-wordcount: how often does each word occur?
 *
 * Brokers push the text; split() runs where it lands. The shuffle brings equal
 * words together; the sorted table appears when all ranks have written theirs.
 *
 * A word is a maximal run of bytes that are not ASCII white space (space, \t,
 * \n, \v, \f, \r), whatever else the bytes are.
 */
#include <aimss.h>
#include <string.h>

#define EACH_BYTE(value) (0x0101010101010101u * (value))
#define LOW_BITS EACH_BYTE(0x7f)

/* The top bit of each byte of the eight that is white space. Sums of two
 * seven-bit numbers stay in their byte: top bits are looked at one by one. */
static uint64_t spaces(uint64_t eight)
{
    uint64_t low = eight & LOW_BITS;
    uint64_t from_tab = low + EACH_BYTE(0x80 - '\t');
    uint64_t past_return = low + EACH_BYTE(0x7f - '\r');
    uint64_t not_space = (low ^ EACH_BYTE(' ')) + LOW_BITS;
    return ((from_tab & ~past_return) | ~not_space) & ~eight & ~LOW_BITS;
}

static int is_space(unsigned char byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* The length of the word that the text begins with; eight bytes at a time,
 * the first of them (lowest, on the machines that AIMSS runs on) first. */
static size_t word_length(const unsigned char *text, size_t len_bytes)
{
    size_t at = 0;

    for (uint64_t eight, found; at + sizeof eight <= len_bytes; at += sizeof eight) {
        memcpy(&eight, text + at, sizeof eight);
        found = spaces(eight);
        if (found != 0)
            return at + (size_t)__builtin_ctzll(found) / 8;
    }
    while (at < len_bytes && !is_space(text[at]))
        at++;
    return at;
}

/* Takes the next word off the front of the text; 0 when there is none. */
static int next_word(struct aimss_bytes *text, struct aimss_bytes *word)
{
    const unsigned char *at = text->data, *end = at + text->len_bytes;

    while (at < end && is_space(*at))
        at++;
    word->data = at;
    word->len_bytes = word_length(at, (size_t)(end - at));
    text->data = at + word->len_bytes;
    text->len_bytes = (size_t)(end - at) - word->len_bytes;
    return word->len_bytes != 0;
}

static aimss_status_t split(struct aimss_task *task, const struct aimss_record *lines)
{
    struct aimss_bytes text = lines->value, word;
    aimss_status_t status = AIMSS_OK;

    while (status == AIMSS_OK && next_word(&text, &word))
        status = aimss_task_emit(task, word, AIMSS_NO_BYTES);
    return status;
}

/* The most frequent first, then by their bytes. */
static int by_count(const struct aimss_counted *a, const struct aimss_counted *b)
{
    size_t shorter = a->key.len_bytes < b->key.len_bytes ? a->key.len_bytes : b->key.len_bytes;
    int bytes = memcmp(a->key.data, b->key.data, shorter);

    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    if (bytes != 0)
        return bytes;
    return (a->key.len_bytes > b->key.len_bytes) - (a->key.len_bytes < b->key.len_bytes);
}

int main(int argc, char **argv)
{
    struct aimss_job *job = aimss_job_create("wordcount", argc, argv);

    struct aimss_flow *lines  = aimss_flow_source(job, "text");
    struct aimss_flow *words  = aimss_flow_apply(lines, split);
    struct aimss_flow *groups = aimss_flow_shuffle(words, AIMSS_BY_HASH);
    struct aimss_flow *counts = aimss_flow_count(groups);
    aimss_flow_sink(counts, "wordcount.tsv",
                    &(struct aimss_sink_options){ .order = by_count, .show_count = 10 });

    return aimss_job_main(job);
}
