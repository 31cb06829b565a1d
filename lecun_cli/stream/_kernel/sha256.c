/* The rounds with the SHA-256 instructions of the processor; without these, digests.py uses hashlib. */
#include "sha256.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>

#define WITH_SHA __attribute__((target("sha,sse4.1")))

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The words a..h of a state in the order of the instructions: (a b e f) and (c d g h), each highest lane first. */
typedef struct {
    __m128i abef, cdgh;
} state;

WITH_SHA static inline state load(const sha256 *digest) {
    const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)digest->words);
    const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(digest->words + 4));
    const __m128i badc = _mm_shuffle_epi32(low, 0xB1), hgfe = _mm_shuffle_epi32(high, 0x1B);
    return (state){_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xF0)};
}

WITH_SHA static inline void store(sha256 *digest, state s) {
    const __m128i feba = _mm_shuffle_epi32(s.abef, 0x1B), dchg = _mm_shuffle_epi32(s.cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)(void *)digest->words, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(void *)(digest->words + 4), _mm_alignr_epi8(dchg, feba, 8));
}

WITH_SHA static inline void load_block(__m128i message[4], const unsigned char *data) {
    const __m128i big_endian = _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
    for (int i = 0; i < 4; i++) {
        message[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(data + 16 * i)), big_endian);
    }
}

/* Replaces `message[at]` by the four words of the schedule that follow 16 words later. */
WITH_SHA static inline void schedule(__m128i message[4], int at) {
    const __m128i last = message[(at + 3) & 3];
    __m128i next = _mm_sha256msg1_epu32(message[at & 3], message[(at + 1) & 3]);
    next = _mm_add_epi32(next, _mm_alignr_epi8(last, message[(at + 2) & 3], 4));
    message[at & 3] = _mm_sha256msg2_epu32(next, last);
}

/* `streams` is 1, or 2 with interleaved rounds. If `shared` is true, both read the same bytes in step and share one
 * schedule. Both arguments are constants wherever this is inlined. */
WITH_SHA static inline __attribute__((always_inline)) void compress(sha256 *const digests[], const unsigned char *const data[],
                                                                    size_t n_blocks, int streams, int shared) {
    state now[2];
    for (int s = 0; s < streams; s++) {
        now[s] = load(digests[s]);
    }
    for (size_t block = 0; block < n_blocks; block++) {
        __m128i message[2][4], words[2];
        state before[2];
        for (int s = 0; s < streams; s++) {
            before[s] = now[s];
            if (s == 0 || !shared) {
                load_block(message[s], data[s] + SHA256_BLOCK * block);
            }
        }
#pragma GCC unroll 16
        for (int four = 0; four < 16; four++) {
            const __m128i k = _mm_loadu_si128((const __m128i *)(const void *)(constants + 4 * four));
            for (int s = 0; s < streams; s++) {
                words[s] = _mm_add_epi32(message[shared ? 0 : s][four & 3], k);
                now[s].cdgh = _mm_sha256rnds2_epu32(now[s].cdgh, now[s].abef, words[s]);
            }
            for (int s = 0; s < streams; s++) {
                now[s].abef = _mm_sha256rnds2_epu32(now[s].abef, now[s].cdgh, _mm_shuffle_epi32(words[s], 0x0E));
                if (four < 12 && (s == 0 || !shared)) {
                    schedule(message[s], four);
                }
            }
        }
        for (int s = 0; s < streams; s++) {
            now[s].abef = _mm_add_epi32(now[s].abef, before[s].abef);
            now[s].cdgh = _mm_add_epi32(now[s].cdgh, before[s].cdgh);
        }
    }
    for (int s = 0; s < streams; s++) {
        store(digests[s], now[s]);
    }
}

WITH_SHA static void compress_one(sha256 *a, const unsigned char *data, size_t n_blocks) {
    compress((sha256 *const[]){a}, (const unsigned char *const[]){data}, n_blocks, 1, 0);
}

WITH_SHA static void compress_same(sha256 *a, sha256 *b, const unsigned char *data, size_t n_blocks) {
    compress((sha256 *const[]){a, b}, (const unsigned char *const[]){data, data}, n_blocks, 2, 1);
}

WITH_SHA static void compress_two(sha256 *a, sha256 *b, const unsigned char *from_a, const unsigned char *from_b,
                                  size_t n_blocks) {
    compress((sha256 *const[]){a, b}, (const unsigned char *const[]){from_a, from_b}, n_blocks, 2, 0);
}

int sha256_available(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1)) {
        return 0;
    }
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 29)) != 0;
}
#else
static void compress_one(sha256 *a, const unsigned char *data, size_t n_blocks) { (void)a, (void)data, (void)n_blocks; }
static void compress_same(sha256 *a, sha256 *b, const unsigned char *data, size_t n_blocks) {
    (void)a, (void)b, (void)data, (void)n_blocks;
}
static void compress_two(sha256 *a, sha256 *b, const unsigned char *from_a, const unsigned char *from_b, size_t n_blocks) {
    (void)a, (void)b, (void)from_a, (void)from_b, (void)n_blocks;
}
int sha256_available(void) { return 0; }
#endif

void sha256_begin(sha256 *digest) {
    static const uint32_t words[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(digest->words, words, sizeof words);
    digest->nbytes = 0;
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Takes bytes until `rest` is empty or the bytes end; returns the number of bytes. */
static size_t fill_rest(sha256 *digest, const unsigned char *data, size_t nbytes) {
    const size_t n_rest = digest->nbytes % SHA256_BLOCK;
    if (n_rest == 0) {
        return 0;
    }
    const size_t taken = least(SHA256_BLOCK - n_rest, nbytes);
    memcpy(digest->rest + n_rest, data, taken);
    digest->nbytes += taken;
    if (n_rest + taken == SHA256_BLOCK) {
        compress_one(digest, digest->rest, 1);
    }
    return taken;
}

static void keep_rest(sha256 *digest, const unsigned char *data, size_t nbytes) {
    memcpy(digest->rest, data, nbytes);
    digest->nbytes += nbytes;
}

void sha256_take(sha256 *a, sha256 *b, const unsigned char *data, size_t nbytes) {
    size_t at_a = fill_rest(a, data, nbytes);
    size_t blocks_a = (nbytes - at_a) / SHA256_BLOCK;
    if (b != NULL) {
        size_t at_b = fill_rest(b, data, nbytes);
        const size_t blocks_b = (nbytes - at_b) / SHA256_BLOCK, both = least(blocks_a, blocks_b);
        if (at_a == at_b) {
            compress_same(a, b, data + at_a, both);
        } else {
            compress_two(a, b, data + at_a, data + at_b, both);
        }
        compress_one(b, data + at_b + SHA256_BLOCK * both, blocks_b - both);
        at_b += SHA256_BLOCK * blocks_b;
        b->nbytes += SHA256_BLOCK * blocks_b;
        keep_rest(b, data + at_b, nbytes - at_b);
        compress_one(a, data + at_a + SHA256_BLOCK * both, blocks_a - both);
    } else {
        compress_one(a, data + at_a, blocks_a);
    }
    at_a += SHA256_BLOCK * blocks_a;
    a->nbytes += SHA256_BLOCK * blocks_a;
    keep_rest(a, data + at_a, nbytes - at_a);
}

void sha256_end(sha256 *digest, unsigned char out[SHA256_NBYTES]) {
    /* The padding: a one bit, zeros, and the length in bits, up to the end of a block. */
    static const unsigned char padding[SHA256_BLOCK] = {0x80};
    const uint64_t bits = digest->nbytes * 8;
    unsigned char length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    }
    const size_t n_rest = digest->nbytes % SHA256_BLOCK;
    sha256_take(digest, NULL, padding, (n_rest < 56 ? 56 : 120) - n_rest);
    sha256_take(digest, NULL, length, sizeof length);
    for (int i = 0; i < SHA256_NBYTES; i++) {
        out[i] = (unsigned char)(digest->words[i / 4] >> (24 - 8 * (i % 4)));
    }
}
