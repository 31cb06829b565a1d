/* Stream 1 in C, in one pass from counters to stored bytes. ../README.md is the contract. */
#ifndef LECUN_DRAW_H
#define LECUN_DRAW_H

#include <stddef.h>
#include <stdint.h>

enum distribution { TRUNCATED_NORMAL, UNIFORM, UNIFORM_OFF_CENTER };
enum dtype { FLOAT64, FLOAT32, BFLOAT16, FLOAT16, FLOAT8_E4M3FN, FLOAT8_E5M2 };

/* A distribution and a dtype, as prepared by `sampler.py`: the numbers are already rounded to the working type. */
typedef struct {
    uint64_t key[2];
    enum distribution distribution;
    enum dtype dtype;
    double factor, center, low, high;
} sampler_params;

#define MAX_AXES 64

/* A box of the canonical layout, and the place of its elements in the output. */
typedef struct {
    int n_axes;
    size_t dims[MAX_AXES];      /* elements along each canonical axis */
    uint64_t counts[MAX_AXES];  /* distance in the stream between neighbors along each axis; the last is 1 */
    ptrdiff_t steps[MAX_AXES];  /* distance in bytes between neighbors in the output */
    uint64_t start;             /* index of the first element in the stream */
    unsigned char *out;
} box;

size_t itemsize(enum dtype dtype);
void draw(const sampler_params *params, const box *wanted);

#endif
