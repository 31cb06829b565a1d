/* The kernel under the sanitizers: random boxes of every distribution and dtype, in arrays with guarded ends. Each
 * element is compared with the same element drawn alone. Built and run by `make check-kernel`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"

static uint64_t state = 1;

static uint64_t below(uint64_t n) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % n;
}

static void alone(const sampler_params *params, uint64_t index, unsigned char *out) {
    box one = {.n_axes = 1, .dims = {1}, .counts = {1}, .start = index, .out = out};
    one.steps[0] = (ptrdiff_t)itemsize(params->dtype);
    draw(params, &one);
}

/* A random box of a random shape, its output axes in random order, some of them reversed. */
static int trial(void) {
    sampler_params params = {{below(1u << 30), below(1u << 30)}, (enum distribution)below(3), (enum dtype)below(6), 0.05, 0.0625, -0.25, 0.125};
    const size_t size = itemsize(params.dtype);
    box wanted = {.n_axes = 1 + (int)below(4)};
    uint64_t count = 1, most = below(8) ? 7 : 150;
    int order[4] = {0, 1, 2, 3};
    for (int axis = wanted.n_axes - 1; axis >= 0; axis--) {
        uint64_t whole = 1 + below(axis > 1 ? 7 : most), low = below(whole), n = 1 + below(whole - low);
        if (below(3) == 0) {
            low = 0;
            n = whole;
        }
        wanted.dims[axis] = (size_t)n;
        wanted.counts[axis] = count;
        wanted.start += low * count;
        count *= whole;
    }
    for (int i = wanted.n_axes - 1; i > 0; i--) {
        int j = (int)below((uint64_t)i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    size_t total = 1, offset = 0;
    for (int i = wanted.n_axes - 1; i >= 0; i--) {
        ptrdiff_t step = (ptrdiff_t)(total * size);
        if (below(4) == 0) {
            offset += (wanted.dims[order[i]] - 1) * (size_t)step;
            step = -step;
        }
        wanted.steps[order[i]] = step;
        total *= wanted.dims[order[i]];
    }
    const size_t shift = below(2);
    unsigned char *memory = malloc(total * size + shift), *expected = malloc(8);
    if (memory == NULL || expected == NULL) {
        exit(2);
    }
    wanted.out = memory + shift + offset;
    draw(&params, &wanted);
    int failed = 0;
    size_t index[4] = {0};
    for (size_t k = 0; k < total && !failed; k++) {
        uint64_t element = wanted.start;
        const unsigned char *at = wanted.out;
        for (int axis = 0; axis < wanted.n_axes; axis++) {
            element += index[axis] * wanted.counts[axis];
            at += (ptrdiff_t)index[axis] * wanted.steps[axis];
        }
        alone(&params, element, expected);
        failed = memcmp(at, expected, size) != 0;
        for (int axis = wanted.n_axes - 1; axis >= 0 && ++index[axis] == wanted.dims[axis]; axis--) {
            index[axis] = 0;
        }
    }
    free(memory);
    free(expected);
    return failed;
}

int main(void) {
    int failed = 0;
    for (int i = 0; i < 3000; i++) {
        failed += trial();
    }
    printf("kernel boxes: %d passed, %d failed\n", 3000 - failed, failed);
    return failed != 0;
}
