"""Dtypes of stored tensors, one row each.

Importing this module does not import numpy and ml_dtypes; `DType.numpy()` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["float", "int", "uint", "bool"]


@dataclass(frozen=True)
class DType:
    """A dtype of stored tensors, always little-endian.

    Attributes:
        name: Name in specs and manifests, which is that of NumPy and PyTorch (`float8_e4m3fn`).
        itemsize: Bytes per element.
        kind: `float`, `int`, `uint` or `bool`.
        largest: Largest finite value: a float for floats, an int for the other kinds.
    """

    name: str
    itemsize: int
    kind: Kind
    largest: float

    @property
    def is_float(self) -> bool:
        """If true, random weights can be stored in this dtype."""
        return self.kind == "float"

    def numpy(self) -> np.dtype[np.generic]:
        """Return the little-endian NumPy dtype; bfloat16 and float8 are those of ml_dtypes."""
        return _numpy_dtype(self.name)


@cache
def _numpy_dtype(name: str) -> np.dtype[np.generic]:
    import numpy as np

    if name.startswith(("bfloat", "float8")):
        import ml_dtypes

        narrow: np.dtype[np.generic] = np.dtype(getattr(ml_dtypes, name))
        return narrow
    return np.dtype(name).newbyteorder("<")


# The order in which the safetensors library lays tensors out (its own enum, descending). It keeps every
# tensor aligned to a multiple of its element size.
DTYPES: dict[str, DType] = {
    d.name: d
    for d in (
        DType("uint64", 8, "uint", 2**64 - 1),
        DType("int64", 8, "int", 2**63 - 1),
        DType("float64", 8, "float", 1.7976931348623157e308),
        DType("float32", 4, "float", 3.4028234663852886e38),
        DType("uint32", 4, "uint", 2**32 - 1),
        DType("int32", 4, "int", 2**31 - 1),
        DType("bfloat16", 2, "float", 3.3895313892515355e38),
        DType("float16", 2, "float", 65504.0),
        DType("uint16", 2, "uint", 2**16 - 1),
        DType("int16", 2, "int", 2**15 - 1),
        DType("float8_e4m3fn", 1, "float", 448.0),
        DType("float8_e5m2", 1, "float", 57344.0),
        DType("int8", 1, "int", 127),
        DType("uint8", 1, "uint", 255),
        DType("bool", 1, "bool", 1),
    )
}

FLOAT_DTYPES: tuple[str, ...] = tuple(name for name, d in DTYPES.items() if d.is_float)
