/* Computes blocks in lanes: as many at once as fit in the vectors of the processor, or two with plain 64-bit
 * multiplications. Every variant is integer arithmetic, so all of them give the same bits. */
#include "philox.h"

#define AT_ONCE 2 /* blocks at once in plain C, so that their multiplications overlap */

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 product;
#endif

static inline uint64_t high(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    return (uint64_t)(((product)a * b) >> 64);
#else
    uint64_t al = a & 0xFFFFFFFFu, ah = a >> 32, bl = b & 0xFFFFFFFFu, bh = b >> 32;
    uint64_t low = al * bl, middle = ah * bl + (low >> 32), other = al * bh + (middle & 0xFFFFFFFFu);
    return ah * bh + (middle >> 32) + (other >> 32);
#endif
}

static void plain(const uint64_t key[2], uint64_t first, uint64_t step, size_t count, uint64_t *words) {
    for (size_t done = 0; done < count; done += AT_ONCE) {
        uint64_t c0[AT_ONCE], c1[AT_ONCE], c2[AT_ONCE], c3[AT_ONCE], k0 = key[0], k1 = key[1];
        for (int i = 0; i < AT_ONCE; i++) {
            c0[i] = first + step * (done + (uint64_t)i);
            c1[i] = c2[i] = c3[i] = 0;
        }
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < AT_ONCE; i++) {
                uint64_t h0 = high(M0, c0[i]), l0 = M0 * c0[i], h1 = high(M1, c2[i]), l1 = M1 * c2[i];
                c0[i] = h1 ^ c1[i] ^ k0;
                c1[i] = l1;
                c2[i] = h0 ^ c3[i] ^ k1;
                c3[i] = l0;
            }
            k0 += W0;
            k1 += W1;
        }
        for (int i = 0; i < AT_ONCE; i++) {
            uint64_t *block = words + 4 * (done + (size_t)i);
            block[0] = c0[i];
            block[1] = c1[i];
            block[2] = c2[i];
            block[3] = c3[i];
        }
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Rows of registers, one lane per block. A product consists of four products of 32-bit halves:
 *     a * m = hh * 2^64 + (hl + lh) * 2^32 + ll,  and every sum below fits in 64 bits. */
#define LANES(NAME, TARGET, SETS, PER_SET, LANE, MUL, ADD, XOR, AND, LEFT, RIGHT, ODD, SPREAD, COUNT, STORE)          \
    __attribute__((target(TARGET))) static void NAME(const uint64_t key[2], uint64_t first, uint64_t step,           \
                                                     size_t count, uint64_t *words) {                                \
        const LANE m0 = SPREAD(M0), m1 = SPREAD(M1), n0 = RIGHT(m0, 32), n1 = RIGHT(m1, 32);                          \
        const LANE low_half = SPREAD(UINT64_C(0xFFFFFFFF));                                                           \
        for (size_t done = 0; done < count; done += (SETS) * (PER_SET)) {                                             \
            LANE c0[SETS], c1[SETS], c2[SETS], c3[SETS];                                                              \
            uint64_t k0 = key[0], k1 = key[1];                                                                        \
            for (int s = 0; s < (SETS); s++) {                                                                        \
                c0[s] = ADD(SPREAD(first + step * (done + (uint64_t)(s * (PER_SET)))), COUNT(step));                  \
                c1[s] = c2[s] = c3[s] = SPREAD(0);                                                                    \
            }                                                                                                         \
            for (int round = 0; round < ROUNDS; round++) {                                                            \
                const LANE key0 = SPREAD(k0), key1 = SPREAD(k1);                                                      \
                for (int s = 0; s < (SETS); s++) {                                                                    \
                    const LANE a = c0[s], b = c2[s], ah = RIGHT(a, 32), bh = RIGHT(b, 32);                            \
                    const LANE all = MUL(a, m0), bll = MUL(b, m1);                                                    \
                    const LANE at = ADD(MUL(ah, m0), RIGHT(all, 32)), bt = ADD(MUL(bh, m1), RIGHT(bll, 32));          \
                    const LANE au = ADD(MUL(a, n0), AND(at, low_half)), bu = ADD(MUL(b, n1), AND(bt, low_half));      \
                    const LANE high0 = ADD(ADD(MUL(ah, n0), RIGHT(at, 32)), RIGHT(au, 32));                           \
                    const LANE high1 = ADD(ADD(MUL(bh, n1), RIGHT(bt, 32)), RIGHT(bu, 32));                           \
                    c0[s] = XOR(XOR(high1, c1[s]), key0);                                                             \
                    c1[s] = ODD(bll, LEFT(bu, 32));                                                                   \
                    c2[s] = XOR(XOR(high0, c3[s]), key1);                                                             \
                    c3[s] = ODD(all, LEFT(au, 32));                                                                   \
                }                                                                                                     \
                k0 += W0;                                                                                             \
                k1 += W1;                                                                                             \
            }                                                                                                         \
            for (int s = 0; s < (SETS); s++) {                                                                        \
                STORE(words + 4 * (done + (size_t)(s * (PER_SET))), c0[s], c1[s], c2[s], c3[s]);                      \
            }                                                                                                         \
        }                                                                                                             \
    }

/* Converts lanes to blocks by transposing 4 rows of lanes. */
__attribute__((target("avx2"))) static inline void store4(uint64_t *words, __m256i c0, __m256i c1, __m256i c2, __m256i c3) {
    const __m256i even = _mm256_unpacklo_epi64(c0, c1), odd = _mm256_unpackhi_epi64(c0, c1);
    const __m256i even2 = _mm256_unpacklo_epi64(c2, c3), odd2 = _mm256_unpackhi_epi64(c2, c3);
    __m256i *out = (__m256i *)(void *)words;
    _mm256_storeu_si256(out + 0, _mm256_permute2x128_si256(even, even2, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(odd, odd2, 0x20));
    _mm256_storeu_si256(out + 2, _mm256_permute2x128_si256(even, even2, 0x31));
    _mm256_storeu_si256(out + 3, _mm256_permute2x128_si256(odd, odd2, 0x31));
}

__attribute__((target("avx512f"))) static inline void store8(uint64_t *words, __m512i c0, __m512i c1, __m512i c2, __m512i c3) {
    store4(words, _mm512_castsi512_si256(c0), _mm512_castsi512_si256(c1), _mm512_castsi512_si256(c2),
           _mm512_castsi512_si256(c3));
    store4(words + 16, _mm512_extracti64x4_epi64(c0, 1), _mm512_extracti64x4_epi64(c1, 1),
           _mm512_extracti64x4_epi64(c2, 1), _mm512_extracti64x4_epi64(c3, 1));
}

#define SPREAD4(X) _mm256_set1_epi64x((long long)(X))
#define COUNT4(STEP) _mm256_setr_epi64x(0, (long long)(STEP), (long long)(2 * (STEP)), (long long)(3 * (STEP)))
#define ODD4(LOW, HIGH) _mm256_blend_epi32(LOW, HIGH, 0xAA)
LANES(in_4_lanes, "avx2", 2, 4, __m256i, _mm256_mul_epu32, _mm256_add_epi64, _mm256_xor_si256, _mm256_and_si256,
      _mm256_slli_epi64, _mm256_srli_epi64, ODD4, SPREAD4, COUNT4, store4)

#define SPREAD8(X) _mm512_set1_epi64((long long)(X))
#define TIMES(N, STEP) ((long long)((N) * (STEP)))
#define COUNT8(STEP)                                                                                                  \
    _mm512_setr_epi64(0, TIMES(1, STEP), TIMES(2, STEP), TIMES(3, STEP), TIMES(4, STEP), TIMES(5, STEP),              \
                      TIMES(6, STEP), TIMES(7, STEP))
#define ODD8(LOW, HIGH) _mm512_mask_blend_epi32(0xAAAA, LOW, HIGH)
LANES(in_8_lanes, "avx512f", 1, 8, __m512i, _mm512_mul_epu32, _mm512_add_epi64, _mm512_xor_si512, _mm512_and_si512,
      _mm512_slli_epi64, _mm512_srli_epi64, ODD8, SPREAD8, COUNT8, store8)
LANES(in_16_lanes, "avx512f", 2, 8, __m512i, _mm512_mul_epu32, _mm512_add_epi64, _mm512_xor_si512, _mm512_and_si512,
      _mm512_slli_epi64, _mm512_srli_epi64, ODD8, SPREAD8, COUNT8, store8)

void philox(const uint64_t key[2], uint64_t first, uint64_t step, size_t count, uint64_t *words) {
    size_t done = 0;
    if (count > AT_ONCE && __builtin_cpu_supports("avx512f")) {
        done = count / 16 * 16;
        in_16_lanes(key, first, step, done, words);
        if (count - done > AT_ONCE) {
            in_8_lanes(key, first + step * done, step, count - done, words + 4 * done);
            return;
        }
    } else if (count > AT_ONCE && __builtin_cpu_supports("avx2")) {
        in_4_lanes(key, first, step, count, words);
        return;
    }
    plain(key, first + step * done, step, count - done, words + 4 * done);
}
#else
void philox(const uint64_t key[2], uint64_t first, uint64_t step, size_t count, uint64_t *words) {
    plain(key, first, step, count, words);
}
#endif
