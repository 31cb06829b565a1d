/* Philox4x64-10 (Salmon et al., SC'11): block b is a function of the counter (b, 0, 0, 0) and the key. */
#ifndef LECUN_PHILOX_H
#define LECUN_PHILOX_H

#include <stddef.h>
#include <stdint.h>

#define M0 UINT64_C(0xD2E7470EE14C6C93)
#define M1 UINT64_C(0xCA5A826395121157)
#define W0 UINT64_C(0x9E3779B97F4A7C15)
#define W1 UINT64_C(0xBB67AE8584CAA73B)
#define ROUNDS 10
#define SPARE_BLOCKS 8 /* that may be computed beyond the last one */

/* Computes `count` blocks of four u64 each: the first one, then each `step` after the one before. `words` has space
 * for SPARE_BLOCKS more. */
void philox(const uint64_t key[2], uint64_t first, uint64_t step, size_t count, uint64_t *words);

#endif
