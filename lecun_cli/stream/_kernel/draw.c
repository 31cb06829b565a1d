/* Writes a box of a stream to its place in the output, either directly or by way of tiles. */
#include "draw.h"

#include <string.h>

#include "clones.h"
#include "elements.h"

#define TILE 128           /* rows that are drawn before they are written transposed */
#define TILE_LENGTH 32     /* elements of each row, if rows do not begin with a block */

/* Copies one element of `size` bytes. */
static inline void put(unsigned char *to, const unsigned char *from, size_t size) {
    switch (size) {
    case 1: *to = *from; break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    default: memcpy(to, from, 8); break;
    }
}

/* Copies a row of `n` elements that are `step` bytes apart in the output and `stride` bytes apart in the tile. */
static inline void scatter(unsigned char *to, ptrdiff_t step, const unsigned char *from, size_t stride, size_t n, size_t size) {
    for (size_t i = 0; i < n; i++) {
        put(to + (ptrdiff_t)i * step, from + i * stride, size);
    }
}

/* Copies one block of each of `n` rows from `from`: element e of row r goes to out[e * step + r]. It is written out
 * element by element, because compilers then turn it into shuffles of whole vectors. */
#define ACROSS(NAME, TYPE, PER_BLOCK, REST)                                                                     \
    CLONES void NAME(TYPE *restrict out, ptrdiff_t step, const TYPE *restrict from, size_t n) {                 \
        TYPE *restrict const o1 = out + step, *restrict const o2 = o1 + step, *restrict const o3 = o2 + step;   \
        TYPE *restrict const o4 = o3 + (REST)*step, *restrict const o5 = o4 + (REST)*step;                      \
        TYPE *restrict const o6 = o5 + (REST)*step, *restrict const o7 = o6 + (REST)*step;                      \
        (void)o4, (void)o5, (void)o6, (void)o7;                                                                 \
        _Pragma("GCC ivdep") for (size_t r = 0; r < n; r++) {                                                   \
            const TYPE *row = from + (PER_BLOCK)*r;                                                             \
            out[r] = row[0], o1[r] = row[1], o2[r] = row[2], o3[r] = row[3];                                    \
            if (REST) {                                                                                         \
                o4[r] = row[4 * (REST)], o5[r] = row[5 * (REST)], o6[r] = row[6 * (REST)], o7[r] = row[7 * (REST)]; \
            }                                                                                                   \
        }                                                                                                       \
    }
ACROSS(across8, uint8_t, BLOCK, 1)
ACROSS(across16, uint16_t, BLOCK, 1)
ACROSS(across32, uint32_t, BLOCK, 1)
ACROSS(across64, uint64_t, BLOCK / 2, 0)

static void across(unsigned char *out, ptrdiff_t step, const unsigned char *from, size_t n, size_t size) {
    void *to = out;
    const void *rows = from;
    switch (size) {
    case 1: across8(to, step, rows, n); break;
    case 2: across16(to, step / 2, rows, n); break;
    case 4: across32(to, step / 4, rows, n); break;
    default: across64(to, step / 8, rows, n); break;
    }
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* A box as rows of consecutive elements. A row consists of the last axes, as far as they are contiguous in the stream. */
typedef struct {
    const sampler_params *params;
    const box *wanted;
    int inner;          /* first axis of a row */
    size_t length;      /* elements of a row */
    int across;         /* axis whose neighbors are closest in the output, or -1 if it belongs to the row */
} walk;

/* Returns the offset of an element of a row from the first one in the output; a row may have several axes. */
typedef struct {
    size_t index[MAX_AXES];
    ptrdiff_t at;
} place;

static inline void advance(place *p, const walk *w) {
    const box *b = w->wanted;
    const int last = b->n_axes - 1;
    p->at += b->steps[last];
    for (int axis = last; ++p->index[axis] == b->dims[axis] && axis > w->inner; axis--) {
        p->index[axis] = 0;
        p->at += b->steps[axis - 1] - (ptrdiff_t)b->dims[axis] * b->steps[axis];
    }
}

/* Draws `count` rows that are neighbors along the axis `across`, from index `start`; `out` is the first element. */
static void rows(const walk *w, uint64_t start, unsigned char *out, size_t count) {
    const box *b = w->wanted;
    const size_t size = itemsize(w->params->dtype), per_block = elements_per_block(w->params->dtype);
    const uint64_t between = w->across < 0 ? 0 : b->counts[w->across];
    const ptrdiff_t step = w->across < 0 ? 0 : b->steps[w->across];
    /* The same block of every row is one run, so the lanes of the processor are full even if rows are short. */
    const int by_blocks = between % per_block == 0;
    const size_t length = by_blocks ? per_block : TILE_LENGTH;
    const int last = b->n_axes - 1;
    const int side_by_side = step == (ptrdiff_t)size && b->steps[last] % (ptrdiff_t)size == 0 && (uintptr_t)out % size == 0;
    union {
        double aligned;
        unsigned char bytes[TILE * TILE_LENGTH * 8];
    } tile;
    place next = {{0}, 0};
    for (size_t done = 0; done < w->length;) {
        /* Up to the next whole block, so that each block of a row is computed once. */
        const size_t skip = (size_t)((start + done) % per_block), n = least(w->length - done, length - skip);
        const unsigned char *from = tile.bytes;
        if (by_blocks) {
            run_of_blocks(w->params, start + done - skip, between, count, tile.bytes);
            from += skip * size;
        } else {
            for (size_t r = 0; r < count; r++) {
                run(w->params, start + done + r * between, n, tile.bytes + r * length * size);
            }
        }
        if (by_blocks && side_by_side && n == per_block && next.index[last] + n <= b->dims[last]) {
            across(out + next.at, b->steps[last], from, count, size);
            next.index[last] += n - 1;
            next.at += (ptrdiff_t)(n - 1) * b->steps[last];
            advance(&next, w);
            done += n;
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            scatter(out + next.at, step, from + i * size, length * size, count, size);
            advance(&next, w);
        }
        done += n;
    }
}

/* Rows that are contiguous in the output too do not need a tile. */
static void straight(const walk *w, uint64_t start, unsigned char *out) {
    const size_t size = itemsize(w->params->dtype);
    if ((uintptr_t)out % size == 0) {
        for (size_t done = 0; done < w->length;) {
            size_t n = least(w->length - done, CAPACITY - (size_t)((start + done) % BLOCK));
            run(w->params, start + done, n, out + done * size);
            done += n;
        }
        return;
    }
    union {
        double aligned;
        unsigned char bytes[CAPACITY * 8];
    } chunk;
    for (size_t done = 0; done < w->length;) {
        size_t n = least(w->length - done, CAPACITY);
        run(w->params, start + done, n, chunk.bytes);
        memcpy(out + done * size, chunk.bytes, n * size);
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

/* Of the first `n_axes` axes with more than one element, returns that whose neighbors are closest in the output; else -1. */
static int closest(const box *b, int n_axes) {
    int found = -1;
    for (int axis = 0; axis < n_axes; axis++) {
        if (b->dims[axis] > 1 && (found < 0 || magnitude(b->steps[axis]) <= magnitude(b->steps[found]))) {
            found = axis;
        }
    }
    return found;
}

void draw(const sampler_params *params, const box *wanted) {
    walk w = {params, wanted, wanted->n_axes - 1, wanted->dims[wanted->n_axes - 1], -1};
    const size_t size = itemsize(params->dtype);
    int flat = is_straight(wanted, w.inner, size);
    if (!flat || closest(wanted, wanted->n_axes) < w.inner) {
        w.across = closest(wanted, w.inner);
        flat = flat && w.across < 0;
    }
    /* Rows grow by the axes before theirs, as long as these are contiguous in the stream, and are contiguous in the
     * output or are not the axis across. */
    while (w.inner > w.across + 1 && wanted->counts[w.inner - 1] == w.length &&
           (!flat || is_straight(wanted, w.inner - 1, size))) {
        w.inner--;
        w.length *= wanted->dims[w.inner];
    }
    outer(&w, 0, wanted->start, wanted->out, flat);
}
