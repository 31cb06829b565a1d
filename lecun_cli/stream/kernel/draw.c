/* From counters to stored bytes, bit for bit what the NumPy code beside it makes.
 *
 * Every operation is one IEEE operation: the build turns contraction off (-ffp-contract=off), so no compiler makes
 * a fused multiply-add of a product and a sum. Loops are plain, for the compiler to vectorise; on x86-64 with glibc
 * they are built several times and the loader takes the best that the processor has, so a wheel runs anywhere. */
#include "draw.h"

#include <string.h>

#include "coefficients.h"
#include "philox.h"

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(LECUN_NO_CLONES)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

#define BLOCK 8            /* elements of 32 bits in a block; of 64 bits half as many */
#define CAPACITY 1024      /* elements worked on at once: words and numbers stay in the first-level cache */
#define TILE 64            /* rows that are drawn before they are written across */
#define TILE_LENGTH 64     /* elements of each */

size_t itemsize(enum dtype dtype) {
    static const size_t sizes[] = {8, 4, 2, 2, 1, 1};
    return sizes[dtype];
}

/* u = float32(word) * 2^-31; z = u * (P(t) / Q(t)), t = 1 - u*u; w = z * sigma. */
CLONES void normal32(const int32_t *words, float *out, size_t n, float sigma) {
    for (size_t i = 0; i < n; i++) {
        float u = (float)words[i] * 0x1p-31f;
        float t = 1.0f - u * u;
        float p = P32_4 * t + P32_3;
        float q = t + Q32_3;
        p = p * t + P32_2;
        q = q * t + Q32_2;
        p = p * t + P32_1;
        q = q * t + Q32_1;
        p = p * t + P32_0;
        q = q * t + Q32_0;
        out[i] = u * (p / q) * sigma;
    }
}

CLONES void uniform32(const int32_t *words, float *out, size_t n, float half) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)words[i] * 0x1p-31f * half;
    }
}

CLONES void uniform32_off_center(const int32_t *words, float *out, size_t n, float half, float center, float low, float top) {
    for (size_t i = 0; i < n; i++) {
        float w = (float)words[i] * 0x1p-31f * half + center;
        w = w > low ? w : low;
        out[i] = w < top ? w : top;
    }
}

/* Apart from what follows, since few processors convert 64-bit integers in vectors. */
static void units64(const int64_t *words, double *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (double)words[i] * 0x1p-63;
    }
}

CLONES void normal64(double *out, size_t n, double sigma) {
    for (size_t i = 0; i < n; i++) {
        double u = out[i];
        double t = 1.0 - u * u;
        double p = P64_10 * t + P64_9, q = t + Q64_9;
#define STEP(K) p = p * t + P64_##K, q = q * t + Q64_##K
        STEP(8);
        STEP(7);
        STEP(6);
        STEP(5);
        STEP(4);
        STEP(3);
        STEP(2);
        STEP(1);
        STEP(0);
#undef STEP
        out[i] = u * (p / q) * sigma;
    }
}

CLONES void uniform64(double *out, size_t n, double half) {
    for (size_t i = 0; i < n; i++) {
        out[i] = out[i] * half;
    }
}

CLONES void uniform64_off_center(double *out, size_t n, double half, double center, double low, double top) {
    for (size_t i = 0; i < n; i++) {
        double w = out[i] * half + center;
        w = w > low ? w : low;
        out[i] = w < top ? w : top;
    }
}

CLONES void to_bfloat16(const uint32_t *bits, uint16_t *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint16_t)((bits[i] + 0x7FFFu + ((bits[i] >> 16) & 1u)) >> 16);
    }
}

/* The rounding of `rounding.py`, by_integers: adding the power of two whose unit is the wanted one rounds the
 * magnitude, and leaves the count of units in the low bits of the sum. */
#define NARROW(NAME, TYPE, BITS, FRACTION, LOWEST)                                                       \
    CLONES void NAME(const uint32_t *bits, TYPE *out, size_t n) {                                        \
        const int shift = 23 - (FRACTION);                                                               \
        const uint32_t least = (uint32_t)((LOWEST) + 127) << 23;                                         \
        for (size_t i = 0; i < n; i++) {                                                                 \
            uint32_t exponent = bits[i] & 0x7F800000u;                                                   \
            exponent = exponent > least ? exponent : least;                                              \
            uint32_t power = exponent + ((uint32_t)shift << 23), size = bits[i] & 0x7FFFFFFFu, sum;      \
            float a, b;                                                                                  \
            memcpy(&a, &size, 4);                                                                        \
            memcpy(&b, &power, 4);                                                                       \
            a = a + b;                                                                                   \
            memcpy(&sum, &a, 4);                                                                         \
            sum += (exponent >> shift) - ((uint32_t)((LOWEST) + 127) << (FRACTION));                     \
            out[i] = (TYPE)((sum & ((1u << ((BITS)-1)) - 1u)) |                                          \
                            ((bits[i] >> (32 - (BITS))) & (1u << ((BITS)-1))));                          \
        }                                                                                                \
    }

NARROW(to_float16, uint16_t, 16, 10, -14)
NARROW(to_float8_e4m3fn, uint8_t, 8, 3, -6)
NARROW(to_float8_e5m2, uint8_t, 8, 2, -14)

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
/* Words of 32 bits are the halves of a u64, the low one first; stored bytes are little-endian. */
static void halves(uint64_t *words, size_t n) {
    for (size_t i = 0; i < n; i++) {
        words[i] = words[i] << 32 | words[i] >> 32;
    }
}

static void little(unsigned char *out, size_t size, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char byte = out[i * size + k];
            out[i * size + k] = out[i * size + size - 1 - k];
            out[i * size + size - 1 - k] = byte;
        }
    }
}
#else
#define halves(words, n) ((void)(words), (void)(n))
#define little(out, size, n) ((void)(out), (void)(size), (void)(n))
#endif

/* At most CAPACITY elements from `start`, one after another; `out` is aligned to an element. */
static void run(const recipe *made, uint64_t start, size_t n, unsigned char *out) {
    uint64_t words[4 * (CAPACITY / 4 + 1 + SPARE_BLOCKS)];
    const unsigned per_block = made->dtype == FLOAT64 ? BLOCK / 2 : BLOCK;
    const size_t skip = (size_t)(start % per_block);
    const size_t blocks = (skip + n + per_block - 1) / per_block;
    philox(made->key, start / per_block, blocks, words);
    if (made->dtype == FLOAT64) {
        double *to = (double *)(void *)out;
        units64((const int64_t *)words + skip, to, n);
        switch (made->law) {
        case TRUNCATED_NORMAL: normal64(to, n, made->factor); break;
        case UNIFORM: uniform64(to, n, made->factor); break;
        case UNIFORM_OFF_CENTER: uniform64_off_center(to, n, made->factor, made->center, made->low, made->high); break;
        }
        little(out, 8, n);
        return;
    }
    halves(words, 4 * blocks);
    union {
        float number[CAPACITY];
        uint32_t bits[CAPACITY];
    } single;
    float *to = made->dtype == FLOAT32 ? (float *)(void *)out : single.number;
    const int32_t *from = (const int32_t *)(const void *)words + skip;
    const float factor = (float)made->factor;
    switch (made->law) {
    case TRUNCATED_NORMAL: normal32(from, to, n, factor); break;
    case UNIFORM: uniform32(from, to, n, factor); break;
    case UNIFORM_OFF_CENTER:
        uniform32_off_center(from, to, n, factor, (float)made->center, (float)made->low, (float)made->high);
        break;
    }
    switch (made->dtype) {
    case BFLOAT16: to_bfloat16(single.bits, (uint16_t *)(void *)out, n); break;
    case FLOAT16: to_float16(single.bits, (uint16_t *)(void *)out, n); break;
    case FLOAT8_E4M3FN: to_float8_e4m3fn(single.bits, out, n); break;
    case FLOAT8_E5M2: to_float8_e5m2(single.bits, out, n); break;
    default: break;
    }
    little(out, itemsize(made->dtype), n);
}

/* One element of `size` bytes. */
static inline void put(unsigned char *to, const unsigned char *from, size_t size) {
    switch (size) {
    case 1: *to = *from; break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    default: memcpy(to, from, 8); break;
    }
}

/* A row of `n` elements that lie `step` bytes apart in the output and `stride` in the tile. */
static inline void scatter(unsigned char *to, ptrdiff_t step, const unsigned char *from, size_t stride, size_t n, size_t size) {
    for (size_t i = 0; i < n; i++) {
        put(to + (ptrdiff_t)i * step, from + i * stride, size);
    }
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* The box is walked as rows of consecutive elements: its last axes, as far as they follow each other in the stream. */
typedef struct {
    const recipe *made;
    const box *wanted;
    int inner;          /* the first axis of a row */
    size_t length;      /* elements of a row */
    int across;         /* the axis whose neighbours lie closest in the output, or -1 where that is the row's own */
} walk;

/* Rows `rows` of them, neighbours along the axis `across`, from index `start`; `out` is the first element's place. */
static void rows(const walk *w, uint64_t start, unsigned char *out, size_t count) {
    const box *b = w->wanted;
    const size_t size = itemsize(w->made->dtype);
    const int last = b->n_axes - 1;
    const uint64_t between = w->across < 0 ? 0 : b->counts[w->across];
    const ptrdiff_t step = w->across < 0 ? 0 : b->steps[w->across];
    union {
        double aligned;
        unsigned char bytes[TILE * TILE_LENGTH * 8];
    } tile;
    size_t index[MAX_AXES] = {0}; /* where in the row's axes the next element is */
    ptrdiff_t at = 0;             /* its distance from `out` */
    for (size_t done = 0; done < w->length;) {
        /* Up to the next whole block, so that no block is made twice for the same row. */
        size_t n = least(w->length - done, TILE_LENGTH - (size_t)((start + done) % BLOCK));
        for (size_t r = 0; r < count; r++) {
            run(w->made, start + done + r * between, n, tile.bytes + r * TILE_LENGTH * size);
        }
        for (size_t i = 0; i < n; i++) {
            scatter(out + at, step, tile.bytes + i * size, TILE_LENGTH * size, count, size);
            at += b->steps[last];
            for (int axis = last; ++index[axis] == b->dims[axis] && axis > w->inner; axis--) {
                index[axis] = 0;
                at += b->steps[axis - 1] - (ptrdiff_t)b->dims[axis] * b->steps[axis];
            }
        }
        done += n;
    }
}

/* Rows that lie in the output as they lie in the stream need no tile. */
static void straight(const walk *w, uint64_t start, unsigned char *out) {
    const size_t size = itemsize(w->made->dtype);
    if ((uintptr_t)out % size == 0) {
        for (size_t done = 0; done < w->length;) {
            size_t n = least(w->length - done, CAPACITY - (size_t)((start + done) % BLOCK));
            run(w->made, start + done, n, out + done * size);
            done += n;
        }
        return;
    }
    union {
        double aligned;
        unsigned char bytes[CAPACITY * 8];
    } piece;
    for (size_t done = 0; done < w->length;) {
        size_t n = least(w->length - done, CAPACITY);
        run(w->made, start + done, n, piece.bytes);
        memcpy(out + done * size, piece.bytes, n * size);
        done += n;
    }
}

static int is_straight(const box *b, int inner, size_t size) {
    ptrdiff_t expected = (ptrdiff_t)size;
    for (int axis = b->n_axes - 1; axis >= inner; axis--) {
        if (b->dims[axis] > 1 && b->steps[axis] != expected) {
            return 0;
        }
        expected *= (ptrdiff_t)b->dims[axis];
    }
    return 1;
}

static void outer(const walk *w, int axis, uint64_t start, unsigned char *out, int flat) {
    const box *b = w->wanted;
    if (axis == w->inner) {
        if (flat) {
            straight(w, start, out);
            return;
        }
        size_t total = w->across < 0 ? 1 : b->dims[w->across];
        for (size_t done = 0; done < total; done += TILE) {
            ptrdiff_t moved = w->across < 0 ? 0 : (ptrdiff_t)done * b->steps[w->across];
            uint64_t later = w->across < 0 ? 0 : done * b->counts[w->across];
            rows(w, start + later, out + moved, least(TILE, total - done));
        }
        return;
    }
    if (axis == w->across && !flat) {
        outer(w, axis + 1, start, out, flat);
        return;
    }
    for (size_t i = 0; i < b->dims[axis]; i++) {
        outer(w, axis + 1, start + i * b->counts[axis], out + (ptrdiff_t)i * b->steps[axis], flat);
    }
}

static ptrdiff_t magnitude(ptrdiff_t n) { return n < 0 ? -n : n; }

void draw(const recipe *made, const box *wanted) {
    walk w = {made, wanted, wanted->n_axes - 1, 1, -1};
    const int last = wanted->n_axes - 1;
    w.length = wanted->dims[last];
    while (w.inner > 0 && wanted->counts[w.inner - 1] == w.length) {
        w.inner--;
        w.length *= wanted->dims[w.inner];
    }
    const int flat = is_straight(wanted, w.inner, itemsize(made->dtype));
    for (int axis = 0; axis < w.inner; axis++) {
        if (wanted->dims[axis] > 1 && (w.across < 0 || magnitude(wanted->steps[axis]) < magnitude(wanted->steps[w.across]))) {
            w.across = axis;
        }
    }
    outer(&w, 0, wanted->start, wanted->out, flat);
}
