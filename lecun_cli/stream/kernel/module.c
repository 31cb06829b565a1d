/* The Python face of the kernel, in the limited API: `draw(out, start, counts, key, law, dtype, numbers)`. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "draw.h"

static int read_box(PyObject *counts, const Py_buffer *view, box *wanted) {
    if (view->ndim < 1 || view->ndim > MAX_AXES || PyTuple_Size(counts) != view->ndim) {
        PyErr_SetString(PyExc_ValueError, "out and counts must have the same axes, 1 to 64");
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
            PyErr_SetString(PyExc_ValueError, "out must not be empty");
            return 0;
        }
    }
    if (wanted->counts[view->ndim - 1] != 1) {
        PyErr_SetString(PyExc_ValueError, "the last axis must follow the stream");
        return 0;
    }
    return 1;
}

static PyObject *py_draw(PyObject *self, PyObject *arguments) {
    PyObject *out, *counts;
    unsigned long long start, key0, key1;
    int law, dtype;
    recipe made;
    box wanted;
    Py_buffer view;
    (void)self;
    if (!PyArg_ParseTuple(arguments, "OKO!(KK)ii(dddd)", &out, &start, &PyTuple_Type, &counts, &key0, &key1, &law,
                          &dtype, &made.factor, &made.center, &made.low, &made.high)) {
        return NULL;
    }
    if (law < TRUNCATED_NORMAL || law > UNIFORM_OFF_CENTER || dtype < FLOAT64 || dtype > FLOAT8_E5M2) {
        PyErr_SetString(PyExc_ValueError, "no such law or dtype");
        return NULL;
    }
    if (PyObject_GetBuffer(out, &view, PyBUF_STRIDES | PyBUF_WRITABLE) < 0) {
        return NULL;
    }
    made.key[0] = key0;
    made.key[1] = key1;
    made.law = (enum law)law;
    made.dtype = (enum dtype)dtype;
    wanted.start = start;
    if (view.itemsize != (Py_ssize_t)itemsize(made.dtype)) {
        PyErr_SetString(PyExc_ValueError, "out has elements of another size");
    } else if (read_box(counts, &view, &wanted)) {
        Py_BEGIN_ALLOW_THREADS
        draw(&made, &wanted);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&view);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"draw", py_draw, METH_VARARGS,
     "draw(out, start, counts, key, law, dtype, numbers): fill a strided array with elements of a stream."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "lecun_cli._kernel", "Stream 1 in C; see stream/kernel.py.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModule_Create(&definition); }
