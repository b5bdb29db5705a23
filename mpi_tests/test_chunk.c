/* test_chunk.c: the CRC against the standard's definition, chunks against damage. */
#include "check.h"

#include "base/crc32c.h"
#include "base/crc_combine.h"
#include "log/chunk.h"
#include <string.h>

/* Bit by bit, from the published polynomial (RFC 3720, appendix B.4). */
static uint32_t crc_by_definition(uint32_t seed, const unsigned char *data, size_t len_bytes)
{
    uint32_t crc = ~seed;
    for (size_t i = 0; i < len_bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return ~crc;
}

static void fill_random(uint64_t *seed, void *data, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        ((unsigned char *)data)[i] = (unsigned char)check_random(seed);
}

static void crc_is_the_standard_one(void **state)
{
    (void)state;
    unsigned char zeros[32] = { 0 };
    assert_int_equal(crc32c(0, "", 0), 0);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c(0, zeros, sizeof zeros), 0x8a9136aau);
    uint64_t seed = check_seed();
    unsigned char data[3000];
    fill_random(&seed, data, sizeof data);
    for (int i = 0; i < 500; i++) {
        size_t at = check_below(&seed, 100), len = check_below(&seed, sizeof data - 100);
        uint32_t start = (uint32_t)check_random(&seed);
        assert_int_equal(crc32c(start, data + at, len), crc_by_definition(start, data + at, len));
    }
}

static void crc_goes_on(void **state)
{
    (void)state;
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}

static void crc_combines(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    size_t room = 1 << 20;
    unsigned char *data = malloc(room);
    fill_random(&seed, data, room);
    for (int i = 0; i < 300; i++) {
        size_t len_a = check_below(&seed, 1 + check_below(&seed, room / 2));
        size_t len_b = i % 10 ? check_below(&seed, room / 2) : (size_t)i / 10;
        uint32_t crc_a = crc32c(0, data, len_a), crc_b = crc32c(0, data + len_a, len_b);
        assert_int_equal(crc32c_combine(crc_a, crc_b, len_b), crc32c(0, data, len_a + len_b));
    }
    free(data);
}

/* A length that no buffer holds: zeros are appended by doubling. */
static void crc_combines_large(void **state)
{
    (void)state;
    unsigned char zeros[64] = { 0 };
    uint32_t crc = crc32c(0, zeros, sizeof zeros), expected = crc32c(0, "x", 1);
    for (uint64_t len = sizeof zeros; len < 1ull << 30; len *= 2)
        crc = crc32c_combine(crc, crc, len);
    uint32_t combined = crc32c_combine(expected, crc, 1ull << 30);
    unsigned char *block = calloc(1, 1 << 20);
    for (int i = 0; i < 1 << 10; i++)
        expected = crc32c(expected, block, 1 << 20);
    free(block);
    assert_int_equal(combined, expected);
}

/* ---- chunks */

struct room {
    struct chunk_header header;
    unsigned char payload[4096];
};

static void make(uint64_t *seed, struct room *room, uint32_t payload_bytes)
{
    fill_random(seed, room, sizeof *room);
    room->header.payload_bytes = payload_bytes;
    room->header.fragment = CHUNK_WHOLE;
    chunk_seal(&room->header);
}

static void sealed_chunks_check(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct room room;
    for (uint32_t payload_bytes = 0; payload_bytes <= 200; payload_bytes++) {
        make(&seed, &room, payload_bytes);
        uint32_t len_bytes = room.header.len_bytes;
        assert_int_equal(len_bytes % CHUNK_ALIGN_BYTES, 0);
        assert_in_range(len_bytes, 64 + payload_bytes, 64 + payload_bytes + 7);
        for (uint32_t i = payload_bytes; i < len_bytes - 64; i++)
            assert_int_equal(room.payload[i], 0);
        assert_int_equal(chunk_check(&room.header, len_bytes), AIMSS_OK);
        assert_int_equal(chunk_check(&room.header, len_bytes + 1000), AIMSS_OK);
        assert_int_equal(chunk_check(&room.header, len_bytes - 1), AIMSS_E_CORRUPT);
        assert_int_equal(chunk_check(&room.header, 63), AIMSS_E_CORRUPT);
        assert_int_equal(crc_by_definition(crc_by_definition(0, (void *)&room, 60), room.payload,
                                           payload_bytes), room.header.crc32c);
    }
}

static void each_flipped_bit_is_found(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct room room;
    make(&seed, &room, 100);
    for (uint32_t bit = 0; bit < (64 + 100) * 8; bit++) {
        unsigned char *byte = (unsigned char *)&room + bit / 8;
        *byte ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(chunk_check(&room.header, sizeof room), AIMSS_E_CORRUPT);
        *byte ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(chunk_check(&room.header, sizeof room), AIMSS_OK);
}

/* Whatever a header claims, a check reads nothing outside its room. */
static void wild_headers_are_refused(void **state)
{
    (void)state;
    uint64_t seed = check_seed();
    struct chunk_header *header = malloc(128); /* the sanitizer's fence is behind it */
    for (int i = 0; i < 100000; i++) {
        fill_random(&seed, header, 128);
        header->version = FORMAT_VERSION;
        header->fragment = 0;
        if (i % 2)
            header->len_bytes = format_align(64 + header->payload_bytes);
        assert_int_equal(chunk_check(header, 128), AIMSS_E_CORRUPT);
    }
    free(header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_is_the_standard_one),
        cmocka_unit_test(crc_goes_on),
        cmocka_unit_test(crc_combines),
        cmocka_unit_test(crc_combines_large),
        cmocka_unit_test(sealed_chunks_check),
        cmocka_unit_test(each_flipped_bit_is_found),
        cmocka_unit_test(wild_headers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
