/* crc_combine.c: appending n zero bytes multiplies a CRC by x^(8n) modulo the
 * polynomial, so crc(AB) = crc(A) * x^(8 |B|) + crc(B) (M. Adler's crc32_combine
 * in zlib). The power comes from square and multiply. Polynomials are reflected:
 * the highest bit is the coefficient of x^0.
 */
#include "base/crc_combine.h"

static const uint32_t POLYNOMIAL = 0x82f63b78u;
static const uint32_t X_TO_0 = 0x80000000u;
static const uint32_t X_TO_8 = 0x00800000u;

/* a * b modulo the polynomial. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t bit = X_TO_0; bit != 0; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? b >> 1 ^ POLYNOMIAL : b >> 1; /* b times x */
    }
    return product;
}

uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b_bytes)
{
    uint32_t power = X_TO_0, square = X_TO_8;
    for (; len_b_bytes != 0; len_b_bytes >>= 1) {
        if (len_b_bytes & 1)
            power = multiply(power, square);
        square = multiply(square, square);
    }
    return multiply(power, crc_a) ^ crc_b;
}
