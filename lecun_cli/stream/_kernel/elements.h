/* Elements of a stream, one after another: words, law, rounding. */
#ifndef LECUN_ELEMENTS_H
#define LECUN_ELEMENTS_H

#include "draw.h"

#define BLOCK 8       /* elements of 32 bits in a block; of 64 bits half as many */
#define CAPACITY 1024 /* elements worked on at once: words and numbers stay in the first-level cache */

size_t elements_per_block(enum dtype dtype);

/* At most CAPACITY elements from `start`, one after another; `out` is aligned to an element. */
void run(const sampler_params *params, uint64_t start, size_t n, unsigned char *out);

/* `count` whole blocks, at most CAPACITY elements, one after another in `out`; they begin `between` elements apart in the
 * stream, which is a number of blocks, and `start` begins the first. */
void run_of_blocks(const sampler_params *params, uint64_t start, uint64_t between, size_t count, unsigned char *out);

#endif
