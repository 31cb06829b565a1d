/* The Python module of the kernel, in the limited API. See draw.h and sha256.h for what it does. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "draw.h"
#include "sha256.h"

static int is_known(int distribution, int dtype) {
    return distribution >= TRUNCATED_NORMAL && distribution <= UNIFORM_OFF_CENTER && dtype >= FLOAT64 && dtype <= FLOAT8_E5M2;
}

static int read_box(PyObject *counts, const Py_buffer *view, box *wanted) {
    if (view->ndim < 1 || view->ndim > MAX_AXES || PyTuple_Size(counts) != view->ndim) {
        PyErr_SetString(PyExc_ValueError, "axes of out and counts: expected the same number, 1 to 64");
        return 0;
    }
    wanted->n_axes = view->ndim;
    wanted->out = view->buf;
    for (int axis = 0; axis < view->ndim; axis++) {
        wanted->dims[axis] = (size_t)view->shape[axis];
        wanted->steps[axis] = view->strides[axis];
        wanted->counts[axis] = PyLong_AsUnsignedLongLong(PyTuple_GetItem(counts, axis));
        if (PyErr_Occurred()) {
            return 0;
        }
        if (view->shape[axis] < 1) {
            PyErr_SetString(PyExc_ValueError, "out: expected at least one element");
            return 0;
        }
    }
    if (wanted->counts[view->ndim - 1] != 1) {
        PyErr_SetString(PyExc_ValueError, "counts: expected a last axis that is contiguous in the stream");
        return 0;
    }
    return 1;
}

static PyObject *py_draw(PyObject *self, PyObject *arguments) {
    PyObject *out, *counts;
    unsigned long long start, key0, key1;
    int distribution, dtype;
    sampler_params params;
    box wanted;
    Py_buffer view;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "OKO!(KK)ii(dddd)", &out, &start, &PyTuple_Type, &counts, &key0, &key1, &distribution,
                          &dtype, &params.factor, &params.center, &params.low, &params.high)) {
        return NULL;
    }
    if (!is_known(distribution, dtype)) {
        PyErr_SetString(PyExc_ValueError, "unknown distribution or dtype");
        return NULL;
    }
    if (PyObject_GetBuffer(out, &view, PyBUF_STRIDES | PyBUF_WRITABLE) < 0) {
        return NULL;
    }
    params.key[0] = key0;
    params.key[1] = key1;
    params.distribution = (enum distribution)distribution;
    params.dtype = (enum dtype)dtype;
    wanted.start = start;
    if (view.itemsize != (Py_ssize_t)itemsize(params.dtype)) {
        PyErr_SetString(PyExc_ValueError, "out: expected elements of the size of the dtype");
    } else if (read_box(counts, &view, &wanted)) {
        Py_BEGIN_ALLOW_THREADS
        draw(&params, &wanted);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&view);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* A run of consecutive elements, as packed by `bindings.py`. */
typedef struct {
    uint64_t offset, n_elements, start, key[2]; /* offset in bytes */
    int32_t distribution, dtype;
    double numbers[4];
} packed_run;

static int fits(const packed_run *run, size_t nbytes) {
    if (!is_known(run->distribution, run->dtype) || run->n_elements == 0) {
        return 0;
    }
    const size_t size = itemsize((enum dtype)run->dtype);
    return run->offset <= nbytes && run->n_elements <= (nbytes - run->offset) / size;
}

static void draw_run(const packed_run *run, unsigned char *out) {
    const sampler_params params = {{run->key[0], run->key[1]}, (enum distribution)run->distribution, (enum dtype)run->dtype,
                         run->numbers[0], run->numbers[1], run->numbers[2], run->numbers[3]};
    box wanted;
    wanted.n_axes = 1;
    wanted.dims[0] = (size_t)run->n_elements;
    wanted.counts[0] = 1;
    wanted.steps[0] = (ptrdiff_t)itemsize(params.dtype);
    wanted.start = run->start;
    wanted.out = out + run->offset;
    draw(&params, &wanted);
}

static PyObject *py_draw_runs(PyObject *self, PyObject *arguments) {
    Py_buffer out, runs;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "w*y*", &out, &runs)) {
        return NULL;
    }
    const size_t n_runs = (size_t)runs.len / sizeof(packed_run);
    int good = (size_t)runs.len == n_runs * sizeof(packed_run);
    packed_run run;
    for (size_t i = 0; i < n_runs && good; i++) {
        memcpy(&run, (const char *)runs.buf + i * sizeof run, sizeof run);
        good = fits(&run, (size_t)out.len);
    }
    if (good) {
        Py_BEGIN_ALLOW_THREADS
        for (size_t i = 0; i < n_runs; i++) {
            memcpy(&run, (const char *)runs.buf + i * sizeof run, sizeof run);
            draw_run(&run, out.buf);
        }
        Py_END_ALLOW_THREADS
    } else {
        PyErr_SetString(PyExc_ValueError, "invalid run: expected whole runs inside out, of a known distribution and dtype");
    }
    PyBuffer_Release(&runs);
    PyBuffer_Release(&out);
    return good ? Py_BuildValue("") : NULL;
}

/* The state of `digests.py` between calls: the digests of the file and of the current tensor. */
typedef struct {
    sha256 file, tensor;
} pair;

enum flags { TENSOR = 1, BEGINS = 2, ENDS = 4 };

/* A stretch of a file, as packed by `digests.py`. */
typedef struct {
    uint64_t nbytes, flags;
} range;

static size_t take(pair *digests, const unsigned char *data, const range *ranges, size_t n, unsigned char *out) {
    size_t n_ended = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t flags = ranges[i].flags;
        if (flags & BEGINS) {
            sha256_begin(&digests->tensor);
        }
        sha256_take(&digests->file, flags & TENSOR ? &digests->tensor : NULL, data, (size_t)ranges[i].nbytes);
        data += ranges[i].nbytes;
        if (flags & ENDS) {
            sha256_end(&digests->tensor, out + SHA256_NBYTES * n_ended++);
        }
    }
    return n_ended;
}

static PyObject *py_digest_begin(PyObject *self, PyObject *arguments) {
    pair digests;
    (void)self;
    (void)arguments;
    if (!sha256_available()) {
        return Py_BuildValue("");
    }
    memset(&digests, 0, sizeof digests);
    sha256_begin(&digests.file);
    sha256_begin(&digests.tensor);
    return PyByteArray_FromStringAndSize((const char *)&digests, sizeof digests);
}

static PyObject *py_digest(PyObject *self, PyObject *arguments) {
    Py_buffer state, data, ranges;
    PyObject *ended = NULL;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "w*y*y*", &state, &data, &ranges)) {
        return NULL;
    }
    const size_t n = (size_t)ranges.len / sizeof(range);
    range *all = PyMem_Malloc((n + 1) * sizeof(range));
    size_t n_ending = 0;
    uint64_t left = (uint64_t)data.len;
    if (all == NULL) {
        PyErr_NoMemory();
    } else if ((size_t)ranges.len != n * sizeof(range) || (size_t)state.len != sizeof(pair) || !sha256_available()) {
        PyErr_SetString(PyExc_ValueError, "invalid state or stretches, or a processor without SHA-256");
    } else {
        memcpy(all, ranges.buf, (size_t)ranges.len);
        for (size_t i = 0; i < n; i++) {
            n_ending += (all[i].flags & ENDS) != 0;
            if (all[i].nbytes > left) {
                break;
            }
            left -= all[i].nbytes;
        }
        if (left != 0) {
            PyErr_SetString(PyExc_ValueError, "stretches: expected the length of the data");
        } else {
            ended = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(SHA256_NBYTES * n_ending));
        }
    }
    if (ended != NULL) {
        unsigned char *out = (unsigned char *)PyBytes_AsString(ended);
        pair digests;
        memcpy(&digests, state.buf, sizeof digests);
        Py_BEGIN_ALLOW_THREADS
        take(&digests, data.buf, all, n, out);
        Py_END_ALLOW_THREADS
        memcpy(state.buf, &digests, sizeof digests);
    }
    PyMem_Free(all);
    PyBuffer_Release(&ranges);
    PyBuffer_Release(&data);
    PyBuffer_Release(&state);
    return ended;
}

static PyObject *py_digest_end(PyObject *self, PyObject *arguments) {
    Py_buffer state;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "y*", &state)) {
        return NULL;
    }
    PyObject *ended = NULL;
    if ((size_t)state.len != sizeof(pair) || !sha256_available()) {
        PyErr_SetString(PyExc_ValueError, "invalid state, or a processor without SHA-256");
    } else {
        unsigned char out[SHA256_NBYTES];
        pair digests;
        memcpy(&digests, state.buf, sizeof digests);
        sha256_end(&digests.file, out);
        ended = PyBytes_FromStringAndSize((const char *)out, sizeof out);
    }
    PyBuffer_Release(&state);
    return ended;
}

static PyMethodDef methods[] = {
    {"draw", py_draw, METH_VARARGS,
     "draw(out, start, counts, key, distribution, dtype, numbers): fill a strided array with elements of a stream."},
    {"draw_runs", py_draw_runs, METH_VARARGS, "draw_runs(out, runs): fill runs of a buffer with elements of streams."},
    {"digest_begin", py_digest_begin, METH_NOARGS,
     "digest_begin(): return the state of a digest, or None if the processor has no SHA-256 instructions."},
    {"digest", py_digest, METH_VARARGS,
     "digest(state, data, stretches): take the next bytes of a file; return the digests of tensors that end in them."},
    {"digest_end", py_digest_end, METH_VARARGS, "digest_end(state): return the digest of the file."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "lecun_cli.stream._kernel._native", "Stream 1 and SHA-256 in C; see loader.py.", -1,
    methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
