/* Philox in lanes under the sanitizers: every variant that this processor has is compared with the plain one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "philox.c"

typedef void variant(const uint64_t key[2], uint64_t first, uint64_t step, size_t count, uint64_t *words);

static int differs(variant *params, uint64_t seed, uint64_t step, size_t count) {
    const uint64_t key[2] = {seed * UINT64_C(0x9E3779B97F4A7C15), ~seed}, first = seed % 3 ? seed << 33 : 0 - seed;
    uint64_t *expected = malloc(32 * (count + SPARE_BLOCKS)), *words = malloc(32 * (count + SPARE_BLOCKS));
    if (expected == NULL || words == NULL) {
        exit(2);
    }
    for (size_t i = 0; i < count; i++) { /* space for the second block, which it computes with each */
        plain(key, first + step * i, 1, 1, expected + 4 * i);
    }
    params(key, first, step, count, words);
    const int found = memcmp(expected, words, 32 * count) != 0;
    free(words);
    free(expected);
    return found;
}

int main(void) {
    variant *variants[4] = {philox};
    int n = 1, failed = 0;
#if defined(__x86_64__) && defined(__GNUC__)
    if (__builtin_cpu_supports("avx2")) {
        variants[n++] = in_4_lanes;
    }
    if (__builtin_cpu_supports("avx512f")) {
        variants[n++] = in_8_lanes;
    }
#endif
    for (int i = 0; i < n; i++) {
        for (size_t count = 0; count < 70; count++) {
            failed += differs(variants[i], count * count + (uint64_t)i, 1, count);
            failed += differs(variants[i], count + (uint64_t)i, UINT64_C(1) << count % 64, count);
        }
    }
    printf("kernel blocks: %d variants, %d failed\n", n, failed);
    return failed != 0;
}
