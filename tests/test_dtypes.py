"""The table of dtypes agrees with NumPy and ml_dtypes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES, DType

ROWS = pytest.mark.parametrize("dtype", DTYPES.values(), ids=lambda dtype: dtype.name)


class TestTable:
    @ROWS
    def test_size_and_kind_agree_with_numpy(self, dtype: DType) -> None:
        numpy_dtype = dtype.numpy()
        assert numpy_dtype.itemsize == dtype.itemsize
        assert numpy_dtype.name == dtype.name
        expected = {"f": "float", "V": "float", "i": "int", "u": "uint", "b": "bool"}
        assert dtype.kind == expected[numpy_dtype.kind]
        assert dtype.is_float == (dtype.name in FLOAT_DTYPES)

    @ROWS
    def test_largest_agrees_with_numpy(self, dtype: DType) -> None:
        numpy_dtype: Any = dtype.numpy()
        info: Any = ml_dtypes.finfo
        if dtype.is_float:
            assert dtype.largest == float(info(numpy_dtype).max)
        else:
            assert dtype.largest == (1 if dtype.kind == "bool" else int(np.iinfo(numpy_dtype).max))

    @ROWS
    def test_is_stored_little_endian(self, dtype: DType) -> None:
        one = np.ones(1, dtype.numpy()).tobytes()
        assert one == np.ones(1, dtype.numpy()).astype(dtype.numpy().newbyteorder("<")).tobytes()
        if dtype.itemsize > 1:
            assert dtype.numpy().newbyteorder("<") == dtype.numpy()

    @ROWS
    def test_the_numpy_dtype_is_created_once(self, dtype: DType) -> None:
        assert dtype.numpy() is dtype.numpy()

    def test_wider_ones_come_first(self) -> None:
        sizes = [dtype.itemsize for dtype in DTYPES.values()]
        assert sizes == sorted(sizes, reverse=True)

    def test_are_keyed_by_name(self) -> None:
        assert all(name == dtype.name for name, dtype in DTYPES.items())
