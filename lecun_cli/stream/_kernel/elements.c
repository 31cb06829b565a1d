/* Converts counters to stored elements, bit for bit like the NumPy code of this package.
 *
 * Every operation is one IEEE operation: the build turns contraction off (-ffp-contract=off), so compilers do not
 * replace a product and a sum by a fused multiply-add. Loops are plain, so that the compiler can vectorize them. On
 * x86-64 with glibc they are compiled several times and the loader selects the best variant, so a wheel runs anywhere. */
#include "elements.h"

#include <float.h>
#include <string.h>

#include "clones.h"
#include "coefficients.h"
#include "philox.h"

#if FLT_EVAL_METHOD != 0
#error "float arithmetic here is wider than float, so its bits would be others: NumPy draws in place of the kernel"
#endif

size_t itemsize(enum dtype dtype) {
    static const size_t sizes[] = {8, 4, 2, 2, 1, 1};
    return sizes[dtype];
}

/* u = float32(word) * 2^-31; z = u * (P(t) / Q(t)), t = 1 - u*u; w = z * sigma. */
CLONES void normal32(const int32_t *words, float *out, size_t n, float sigma) {
    for (size_t i = 0; i < n; i++) {
        float u = (float)words[i] * 0x1p-31f;
        float t = 1.0f - u * u;
        float p = P32_4 * t + P32_3;
        float q = t + Q32_3;
        p = p * t + P32_2;
        q = q * t + Q32_2;
        p = p * t + P32_1;
        q = q * t + Q32_1;
        p = p * t + P32_0;
        q = q * t + Q32_0;
        out[i] = u * (p / q) * sigma;
    }
}

CLONES void uniform32(const int32_t *words, float *out, size_t n, float half) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)words[i] * 0x1p-31f * half;
    }
}

CLONES void uniform32_off_center(const int32_t *words, float *out, size_t n, float half, float center, float low, float top) {
    for (size_t i = 0; i < n; i++) {
        float w = (float)words[i] * 0x1p-31f * half + center;
        w = w > low ? w : low;
        out[i] = w < top ? w : top;
    }
}

/* A separate loop, because few processors convert 64-bit integers in vectors. */
static void units64(const int64_t *words, double *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (double)words[i] * 0x1p-63;
    }
}

CLONES void normal64(double *out, size_t n, double sigma) {
    for (size_t i = 0; i < n; i++) {
        double u = out[i];
        double t = 1.0 - u * u;
        double p = P64_10 * t + P64_9, q = t + Q64_9;
#define STEP(K) p = p * t + P64_##K, q = q * t + Q64_##K
        STEP(8);
        STEP(7);
        STEP(6);
        STEP(5);
        STEP(4);
        STEP(3);
        STEP(2);
        STEP(1);
        STEP(0);
#undef STEP
        out[i] = u * (p / q) * sigma;
    }
}

CLONES void uniform64(double *out, size_t n, double half) {
    for (size_t i = 0; i < n; i++) {
        out[i] = out[i] * half;
    }
}

CLONES void uniform64_off_center(double *out, size_t n, double half, double center, double low, double top) {
    for (size_t i = 0; i < n; i++) {
        double w = out[i] * half + center;
        w = w > low ? w : low;
        out[i] = w < top ? w : top;
    }
}

CLONES void to_bfloat16(const uint32_t *bits, uint16_t *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint16_t)((bits[i] + 0x7FFFu + ((bits[i] >> 16) & 1u)) >> 16);
    }
}

/* The rounding of by_integers in `rounding.py`: adding the power of two with the unit of the result rounds the
 * magnitude, and leaves the number of units in the low bits of the sum. */
#define NARROW(NAME, TYPE, BITS, FRACTION, LOWEST)                                                       \
    CLONES void NAME(const uint32_t *bits, TYPE *out, size_t n) {                                        \
        const int shift = 23 - (FRACTION);                                                               \
        const uint32_t least = (uint32_t)((LOWEST) + 127) << 23;                                         \
        for (size_t i = 0; i < n; i++) {                                                                 \
            uint32_t exponent = bits[i] & 0x7F800000u;                                                   \
            exponent = exponent > least ? exponent : least;                                              \
            uint32_t power = exponent + ((uint32_t)shift << 23), size = bits[i] & 0x7FFFFFFFu, sum;      \
            float a, b;                                                                                  \
            memcpy(&a, &size, 4);                                                                        \
            memcpy(&b, &power, 4);                                                                       \
            a = a + b;                                                                                   \
            memcpy(&sum, &a, 4);                                                                         \
            sum += (exponent >> shift) - ((uint32_t)((LOWEST) + 127) << (FRACTION));                     \
            out[i] = (TYPE)((sum & ((1u << ((BITS)-1)) - 1u)) |                                          \
                            ((bits[i] >> (32 - (BITS))) & (1u << ((BITS)-1))));                          \
        }                                                                                                \
    }

NARROW(to_float16, uint16_t, 16, 10, -14)
NARROW(to_float8_e4m3fn, uint8_t, 8, 3, -6)
NARROW(to_float8_e5m2, uint8_t, 8, 2, -14)

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
/* 32-bit words are the halves of a u64, the low half first; stored bytes are little-endian. */
static void halves(uint64_t *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        words[i] = words[i] << 32 | words[i] >> 32;
    }
}

static void little(unsigned char *out, size_t size, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char byte = out[i * size + k];
            out[i * size + k] = out[i * size + size - 1 - k];
            out[i * size + size - 1 - k] = byte;
        }
    }
}
#else
#define halves(words, n) ((void)(words), (void)(n))
#define little(out, size, n) ((void)(out), (void)(size), (void)(n))
#endif

size_t elements_per_block(enum dtype dtype) { return dtype == FLOAT64 ? BLOCK / 2 : BLOCK; }

/* Converts words to at most CAPACITY elements, from word `skip` on; `out` is aligned to an element. */
static void finish(const sampler_params *params, uint64_t *words, size_t skip, size_t n, unsigned char *out) {
    if (params->dtype == FLOAT64) {
        double *to = (double *)(void *)out;
        units64((const int64_t *)words + skip, to, n);
        switch (params->distribution) {
        case TRUNCATED_NORMAL: normal64(to, n, params->factor); break;
        case UNIFORM: uniform64(to, n, params->factor); break;
        case UNIFORM_OFF_CENTER: uniform64_off_center(to, n, params->factor, params->center, params->low, params->high); break;
        }
        little(out, 8, n);
        return;
    }
    halves(words, (skip + n + 1) / 2);
    union {
        float number[CAPACITY];
        uint32_t bits[CAPACITY];
    } single;
    float *to = params->dtype == FLOAT32 ? (float *)(void *)out : single.number;
    const int32_t *from = (const int32_t *)(const void *)words + skip;
    const float factor = (float)params->factor;
    switch (params->distribution) {
    case TRUNCATED_NORMAL: normal32(from, to, n, factor); break;
    case UNIFORM: uniform32(from, to, n, factor); break;
    case UNIFORM_OFF_CENTER:
        uniform32_off_center(from, to, n, factor, (float)params->center, (float)params->low, (float)params->high);
        break;
    }
    switch (params->dtype) {
    case BFLOAT16: to_bfloat16(single.bits, (uint16_t *)(void *)out, n); break;
    case FLOAT16: to_float16(single.bits, (uint16_t *)(void *)out, n); break;
    case FLOAT8_E4M3FN: to_float8_e4m3fn(single.bits, out, n); break;
    case FLOAT8_E5M2: to_float8_e5m2(single.bits, out, n); break;
    default: break;
    }
    little(out, itemsize(params->dtype), n);
}

/* Space for the words of CAPACITY elements that begin anywhere in a block. */
typedef uint64_t block_words[4 * (CAPACITY / 4 + 1 + SPARE_BLOCKS)];

/* Draws at most CAPACITY consecutive elements from `start` on. */
void run(const sampler_params *params, uint64_t start, size_t n, unsigned char *out) {
    block_words words;
    const size_t per_block = elements_per_block(params->dtype), skip = (size_t)(start % per_block);
    philox(params->key, start / per_block, 1, (skip + n + per_block - 1) / per_block, words);
    finish(params, words, skip, n, out);
}

/* Draws `count` whole blocks of elements, consecutive in `out` and `between` elements apart in the stream. */
void run_of_blocks(const sampler_params *params, uint64_t start, uint64_t between, size_t count, unsigned char *out) {
    block_words words;
    const size_t per_block = elements_per_block(params->dtype);
    philox(params->key, start / per_block, between / per_block, count, words);
    finish(params, words, 0, count * per_block, out);
}
