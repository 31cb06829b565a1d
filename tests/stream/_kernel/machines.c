/* Prints one number for what the kernel draws: every dtype and distribution, plain, transposed and as a convolution. It
 * must be equal on all machines; `make check-machines` compares several. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "draw.h"

enum { ROOM = 1 << 20, MOST_AXES = 4 };

static unsigned char out[ROOM];

/* FNV-1a, 64 bits. */
static uint64_t hashed(uint64_t hash, size_t nbytes) {
    for (size_t i = 0; i < nbytes; i++) {
        hash = (hash ^ out[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

/* A box whose stored axes, outermost first, are the canonical axes `order`. */
static uint64_t drawn(uint64_t hash, const sampler_params *params, int n_axes, const size_t *dims, const int *order, uint64_t start) {
    box wanted = {.n_axes = n_axes, .start = start, .out = out};
    uint64_t count = 1;
    size_t nbytes = itemsize(params->dtype);
    for (int axis = n_axes - 1; axis >= 0; axis--) {
        wanted.dims[axis] = dims[axis];
        wanted.counts[axis] = count;
        count *= dims[axis];
    }
    for (int k = n_axes - 1; k >= 0; k--) {
        wanted.steps[order[k]] = (ptrdiff_t)nbytes;
        nbytes *= dims[order[k]];
    }
    draw(params, &wanted);
    return hashed(hash, nbytes);
}

int main(void) {
    static const size_t shapes[][MOST_AXES] = {{100003}, {300, 333}, {304, 336}, {130, 16, 3, 3}};
    static const int axes[] = {1, 2, 2, 4}, orders[][MOST_AXES] = {{0}, {1, 0}, {1, 0}, {2, 3, 1, 0}};
    uint64_t hash = UINT64_C(1469598103934665603);
    for (int dtype = FLOAT64; dtype <= FLOAT8_E5M2; dtype++) {
        for (int distribution = TRUNCATED_NORMAL; distribution <= UNIFORM_OFF_CENTER; distribution++) {
            const sampler_params params = {{7, 42}, (enum distribution)distribution, (enum dtype)dtype, 0.05, 0.0625, -0.25, 0.125};
            for (int i = 0; i < 4; i++) {
                hash = drawn(hash, &params, axes[i], shapes[i], orders[i], (uint64_t)(3 * (i % 2)));
            }
        }
    }
    printf("%016" PRIx64 "\n", hash);
    return 0;
}
