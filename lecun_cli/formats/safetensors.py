"""safetensors: `u64 length | JSON header | data`, written without the library, which cannot stream.

Source of the format: the README and `safetensors/src/tensor.rs` of the safetensors project. The header is
compact JSON, padded with spaces so that the data starts on a page. The library pads to 8 bytes; every
multiple of 8 is legal.
"""

from __future__ import annotations

import struct
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING

from lecun_cli.display.text import counted
from lecun_cli.errors import Diagnostic, WeightFileError
from lecun_cli.formats.file_type import Magic
from lecun_cli.formats.json_text import load_json
from lecun_cli.formats.segments import Extent, FileLayout, Literal, Segment, check_gapless
from lecun_cli.formats.stored_tensor import CORRUPT_HELP, StoredTensor
from lecun_cli.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    from pathlib import Path

    from lecun_cli.plan.types import Plan

MAX_HEADER_NBYTES = 100_000_000
"""The limit of the library, for reading and for writing."""
ALIGNMENT = 4096
MAGIC = Magic(5, b"\0\0\0{")
"""The high bytes of the header's length, which is less than 2**40, and the brace that opens the header."""

DTYPE_NAMES = {
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "float32": "F32",
    "uint32": "U32",
    "int32": "I32",
    "bfloat16": "BF16",
    "float16": "F16",
    "uint16": "U16",
    "int16": "I16",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
"""Names of dtypes in a header, by key of `lecun_cli.dtypes.DTYPES`."""

_METADATA = "__metadata__"


def layout(plan: Plan) -> FileLayout:
    """Return the layout of a safetensors file: the header, then the tensors in the order of the plan.

    Raises:
        PlanError: A tensor has the reserved name `__metadata__`, or the header is too long.
    """
    reserved = plan.tensor(_METADATA)
    if reserved is not None:
        raise plan.error(
            Diagnostic(
                f'the name "{_METADATA}" is reserved in safetensors', reserved.span, "rename the tensor"
            )
        )
    header = _header(plan)
    header += b" " * (-(8 + len(header)) % ALIGNMENT)
    if len(header) > MAX_HEADER_NBYTES:
        raise plan.error(
            Diagnostic(
                f"safetensors header of {counted(len(plan.tensors), 'tensor')}: expected at most "
                f"{MAX_HEADER_NBYTES:,} bytes, got {len(header):,}",
                help="use fewer or shorter names, or write HDF5",
            )
        )
    data = struct.pack("<Q", len(header)) + header
    segments: list[Segment] = [Literal(0, data)]
    offset = len(data)
    for tensor in plan.tensors:
        segments.append(Extent(offset, tensor))
        offset += tensor.nbytes
    complete = tuple(segments)
    check_gapless(complete, offset)
    return FileLayout("safetensors", offset, complete)


def _header(plan: Plan) -> bytes:
    """Return the header without padding: the output of `json.dumps` for one dict, five times as fast."""
    entries = [f'{quoted(_METADATA)}:{{"format":{quoted(FRAMEWORKS[plan.framework].header)}}}']
    texts: dict[object, str] = {}
    at = 0
    for tensor in plan.tensors:
        text = texts.get(tensor.template)
        if text is None:
            shape = ",".join(map(str, tensor.shape))
            text = texts[tensor.template] = f'"dtype":"{DTYPE_NAMES[tensor.dtype]}","shape":[{shape}]'
        end = at + tensor.nbytes
        entries.append(f'{quoted(tensor.name)}:{{{text},"data_offsets":[{at},{end}]}}')
        at = end
    return ("{" + ",".join(entries) + "}").encode()


def read(path: Path) -> tuple[StoredTensor, ...]:
    """Return the tensors of a safetensors file, by offset.

    The library checks the file as a whole (offsets, sizes, gaps); duplicate names, which it accepts, are
    refused here.

    Raises:
        WeightFileError: The file cannot be read or is not a valid safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            entries = load_json(file.read(length))
    except (SafetensorError, ValueError, struct.error) as error:
        raise WeightFileError(
            f"{path} is not a valid safetensors file: {error}", help=CORRUPT_HELP
        ) from error
    except OSError as error:
        raise WeightFileError(f"{path} cannot be read: {error.strerror or error}") from error
    names = {stored: name for name, stored in DTYPE_NAMES.items()}
    tensors = [
        StoredTensor(
            name,
            names.get(entry["dtype"], entry["dtype"]),
            tuple(entry["shape"]),
            8 + length + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
        )
        for name, entry in entries.items()
        if name != _METADATA
    ]
    return tuple(sorted(tensors, key=lambda t: (t.offset, t.nbytes)))


def framework_of(path: Path) -> str | None:
    """Return the framework that the metadata of a file name in `format`, or None if they name none.

    Raises:
        WeightFileError: The file is not a valid safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get("format")
    except (SafetensorError, OSError) as error:
        raise WeightFileError(
            f"{path} is not a valid safetensors file: {error}", help=CORRUPT_HELP
        ) from error
    return next((f.name for f in FRAMEWORKS.values() if f.header == header), None)
