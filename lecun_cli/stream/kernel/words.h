/* Philox4x64-10 (Salmon and others, SC'11): block b is the function of counter (b, 0, 0, 0) and the key. */
#ifndef LECUN_WORDS_H
#define LECUN_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define M0 UINT64_C(0xD2E7470EE14C6C93)
#define M1 UINT64_C(0xCA5A826395121157)
#define W0 UINT64_C(0x9E3779B97F4A7C15)
#define W1 UINT64_C(0xBB67AE8584CAA73B)
#define ROUNDS 10
#define AT_ONCE 2 /* blocks in flight: their multiplications overlap */

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

/* Blocks `first .. first + count - 1`, four u64 each; `words` has room for a multiple of AT_ONCE blocks. */
static void philox(const uint64_t key[2], uint64_t first, size_t count, uint64_t *words) {
    for (size_t done = 0; done < count; done += AT_ONCE) {
        uint64_t c0[AT_ONCE], c1[AT_ONCE], c2[AT_ONCE], c3[AT_ONCE], k0 = key[0], k1 = key[1];
        for (int i = 0; i < AT_ONCE; i++) {
            c0[i] = first + done + (uint64_t)i;
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

#endif
