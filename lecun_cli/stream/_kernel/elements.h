/* Consecutive elements of a stream: words, distribution, rounding. */
#ifndef LECUN_ELEMENTS_H
#define LECUN_ELEMENTS_H

#include "draw.h"

#define BLOCK 8       /* elements of 32 bits in a block; half as many of 64 bits */
#define CAPACITY 1024 /* elements at once; words and numbers stay in the first-level cache */

size_t elements_per_block(enum dtype dtype);

/* Draws at most CAPACITY consecutive elements from `start` on; `out` is aligned to an element. */
void run(const sampler_params *params, uint64_t start, size_t n, unsigned char *out);

/* Draws `count` whole blocks, at most CAPACITY elements, consecutive in `out`. The first begins at `start`, and each
 * begins `between` elements after the one before, which is a whole number of blocks. */
void run_of_blocks(const sampler_params *params, uint64_t start, uint64_t between, size_t count, unsigned char *out);

#endif
