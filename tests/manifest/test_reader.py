"""Tests of the manifest: it reads as it was written, and everything else is refused."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lecun_cli._version import __version__
from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.errors import ManifestError
from lecun_cli.formats import FORMATS
from lecun_cli.generation import OutputFile, make_manifest
from lecun_cli.initializers.family import FAMILY, make
from lecun_cli.initializers.fans import Fans
from lecun_cli.manifest.model import FileEntry, Manifest, TensorEntry
from lecun_cli.manifest.reader import parse_manifest
from lecun_cli.output import engine
from lecun_cli.output.destinations.null import NullDestination
from lecun_cli.plan.types import PackedParameter, TensorPlan
from tests.conftest import PLAIN, mixed_plan, part, plan_of, plan_with, tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from lecun_cli.plan.types import Plan

DIGEST = "0123456789abcdef" * 4
ARGUMENTS: dict[str, dict[str, Any]] = {
    "variance_scaling": {"scale": 0.3, "mode": "fan_avg", "distribution": "uniform"},
    "truncated_normal": {"stddev": 0.125},
    "uniform": {"minval": -0.1, "maxval": 0.7},
    "constant": {"value": 3},
}
PACKED = TensorPlan.of(
    "packed",
    "float32",
    (4, 18),
    (
        part((4, 6), (1, 0), identity="q"),
        part((4, 1), (1, 0), make("zeros"), identity="k"),
        part((4, 11), (1, 0), identity="v"),
    ),
    concat_axis=1,
)


def manifest_of(plan: Plan, format_name: str = "safetensors", name: str = "w.safetensors") -> Manifest:
    layout = FORMATS[format_name].layout(plan)
    return make_manifest(
        plan, [OutputFile(name, layout)], [engine.run(layout, plan.seed or 0, NullDestination())]
    )


def again(manifest: Manifest) -> Manifest:
    return parse_manifest(manifest.to_bytes(), "m.json")


@st.composite
def tensors(draw: st.DrawFn, name: str) -> TensorPlan:
    """Draw a tensor of any dtype, rank, axes, initializer and number of parts."""
    dtype = draw(st.sampled_from(list(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(1, 2**20), max_size=3)))
    concat_axis = draw(st.integers(0, max(0, len(shape) - 1)))
    parts = []
    for i in range(draw(st.integers(1, 3)) if shape else 1):
        rows = draw(st.integers(1, 50)) if shape else 0
        part_shape = (*shape[:concat_axis], rows, *shape[concat_axis + 1 :]) if shape else ()
        axes = draw(st.one_of(st.none(), st.permutations(range(len(part_shape))).map(tuple)))
        rule = draw(st.sampled_from(list(FAMILY))) if dtype in FLOAT_DTYPES else "ones"
        initializer = make(rule, ARGUMENTS.get(rule))
        sizes = st.one_of(st.integers(1, 2**60), st.floats(0.01, 1e9))
        known = initializer.needs_fans or draw(st.booleans())
        fans = Fans(draw(sizes), draw(sizes)) if known else None
        flip = tuple(sorted(draw(st.sets(st.integers(0, len(part_shape) - 1))))) if part_shape else ()
        parts.append(
            PackedParameter(
                f"{name}/{i}", part_shape, axes, initializer, fans, fans, initializer.distribution(fans), flip
            )
        )
    packed = (
        (*shape[:concat_axis], sum(p.shape[concat_axis] for p in parts), *shape[concat_axis + 1 :])
        if shape
        else ()
    )
    return TensorPlan.of(name, dtype, packed, tuple(parts), concat_axis if len(parts) > 1 else 0)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Draw a valid manifest."""
    names = draw(st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=4))
    planned = [draw(tensors(name)) for name in names]
    planned = [t for t in planned if all(p.distribution.bound <= t.storage.largest for p in t.parts)]
    entries, at = [], draw(st.integers(0, 5000))
    for i, one in enumerate(planned):
        path = draw(st.sampled_from([one.name, f"layers/dense/vars/{i}"]))
        entries.append(TensorEntry(one, "w", at, DIGEST, path))
        at += one.nbytes
    numbers = st.dictionaries(st.text(max_size=5), st.integers(-(2**70), 2**70), max_size=2)
    return Manifest(
        seed=draw(st.integers(0, 2**64 - 1)),
        framework=draw(st.sampled_from(["keras", "torch", "flax"])),
        fan_rule="exact",
        spec_sha256=DIGEST,
        overrides=tuple(draw(numbers).items()),
        files=(FileEntry("w", "hdf5", at, DIGEST),),
        tensors=tuple(entries),
        version=draw(st.text(max_size=5)),
    )


class TestRoundTrip:
    @given(manifests())
    def test_reads_as_it_was_written(self, manifest: Manifest) -> None:
        assert again(manifest) == manifest
        assert again(manifest).to_bytes() == manifest.to_bytes()

    @pytest.mark.parametrize("format_name", PLAIN)
    @pytest.mark.parametrize("framework", ["keras", "torch"])
    def test_of_complete_plans(self, format_name: str, framework: str) -> None:
        manifest = manifest_of(mixed_plan(framework), format_name)
        assert again(manifest) == manifest

    def test_of_packed_parts_and_axes(self) -> None:
        manifest = manifest_of(plan_with(PACKED, tensor((3, 4, 5), (2, 0, 1), name="turned")))
        assert again(manifest) == manifest
        assert [p.axes for p in again(manifest).tensors[0].tensor.parts] == [(1, 0)] * 3

    def test_of_flipped_and_merged_parts(self) -> None:
        flipped = TensorPlan.of("f", "float32", (4, 18), (part((4, 18), (1, 0), flip=(1,)),))
        merged = TensorPlan.of("m", "float32", (10, 7), (part((2, 5, 7), (2, 0, 1)),))
        manifest = manifest_of(plan_with(flipped, merged))
        assert again(manifest) == manifest
        (first, second) = again(manifest).tensors
        assert (first.tensor.parts[0].flip, second.tensor.parts[0].shape) == ((1,), (2, 5, 7))

    def test_under_the_fan_rule_of_a_framework_keeps_the_effective_fans(self) -> None:
        text = (
            "seed: 1\nlayers: [{type: experts, name: a, num_experts: 3, in_features: 5, out_features: 7}]\n"
        )
        manifest = manifest_of(plan_of(text, fan_rule="torch"))
        (entry,) = manifest.tensors
        (parsed,) = again(manifest).tensors
        ours, theirs = entry.tensor.parts[0], parsed.tensor.parts[0]
        assert ours.fans != ours.exact
        assert theirs == replace(ours, exact=ours.fans)

    def test_of_overrides(self) -> None:
        manifest = replace(manifest_of(mixed_plan()), overrides=(("d", 16), ("n", -2)))
        assert json.loads(manifest.to_bytes())["spec"]["set"] == {"d": 16, "n": -2}
        assert again(manifest) == manifest


class TestJson:
    def test_is_json_with_one_line_per_file_and_tensor(self) -> None:
        manifest = manifest_of(plan_of("seed: 7\ntensors: [{name: größe, shape: [2, 3], in_axes: [1]}]\n"))
        data = manifest.to_bytes()
        lines = data.decode().splitlines()
        assert data.endswith(b"}\n")
        assert lines[0] == "{"
        assert lines[1] == '  "manifest": 1,'
        assert lines[2] == f'  "tool": {{"name": "lecun-init", "version": "{__version__}"}},'
        assert lines[3:5] == ['  "stream": 1,', '  "seed": 7,']
        assert sum('"größe"' in line for line in lines) == 1
        assert [line.strip("[, ") for line in lines if '"größe"' in line] == [
            json.dumps(row, ensure_ascii=False) for row in json.loads(data)["tensors"]
        ]

    def test_has_the_documented_keys(self) -> None:
        (row,) = json.loads(
            manifest_of(plan_of("seed: 7\ntensors: [{name: t, shape: [2, 3], in_axes: [1]}]\n")).to_bytes()
        )["tensors"]
        digest = row.pop("sha256")
        assert len(digest) == 64
        assert row == {
            "name": "t",
            "file": "w.safetensors",
            "dtype": "float32",
            "shape": [2, 3],
            "offset": 4096,
            "bytes": 24,
            "initializer": {"name": "lecun_normal"},
            "fan_in": 3,
            "fan_out": 2,
            "std": pytest.approx(3**-0.5),
            "bound": pytest.approx(2.2737 * 3**-0.5, rel=1e-4),
            "identity": "t",
        }

    def test_may_have_no_files_and_tensors(self) -> None:
        empty = replace(manifest_of(mixed_plan()), files=(), tensors=())
        assert again(empty) == empty


VALUE: dict[str, Any] = json.loads(
    manifest_of(
        plan_with(tensor((2, 3), name="a"), PACKED, tensor((4,), None, "int8", make("ones"), "c"))
    ).to_bytes()
)
VALUE["tensors"][2]["path"] = "layers/c/vars/0"
A, P, C = 0, 1, 2


def put(*path: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    """Set the value at a path."""

    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = to

    return change


def drop(*path: str | int) -> Callable[[dict[str, Any]], None]:
    """Remove the value at a path."""

    def change(value: Any) -> None:
        for key in path[:-1]:
            value = value[key]
        del value[path[-1]]

    return change


def twice(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda value: value[key].append(value[key][0])


@dataclass(frozen=True)
class ExpectFail:
    """A change that makes a manifest invalid, and a pattern of the message."""

    change: Callable[[dict[str, Any]], None]
    message: str


def never(path: tuple[str | int, ...], message: str, *values: object) -> list[ExpectFail]:
    """Return cases in which a key has a value that is refused."""
    return [ExpectFail(put(*path, to=value), message) for value in values]


def nothing_but(path: tuple[str | int, ...], rule: str, *values: object) -> list[ExpectFail]:
    """Return cases in which a required key is missing or has a value that is refused."""
    message = f'"{path[-1]}"( of .*)?: expected {rule}, got '
    return [ExpectFail(drop(*path), f"{message}no value"), *never(path, message, *values)]


VARIED: tuple[object, ...] = ("1", 1.5, True, None, [])
INTEGER = "an integer from 0 to [0-9]+"
FAULTS = [
    *never(("manifest",), '"manifest": expected version 1, got ', 2, 0, -1, None, True, 1.0, "1", []),
    *nothing_but(("stream",), INTEGER, None, "1", True, -1),
    ExpectFail(put("stream", to=2), '"stream": expected version 1, got 2'),
    *nothing_but(("seed",), INTEGER, None, "1", 1.0, True, -1, 2**64),
    *nothing_but(("framework",), "a string", None, 1, []),
    *nothing_but(("fan_rule",), "a string", None, 1),
    *nothing_but(("files",), "a list", None, {}, "w"),
    *nothing_but(("tensors",), "a list", None, {}, "w"),
    ExpectFail(put("spec", to=None), '"spec": expected an object, got no value'),
    ExpectFail(put("tool", to=[]), '"tool": expected an object, got a list'),
    *nothing_but(("spec", "sha256"), "a string", None, 1),
    ExpectFail(put("spec", "set", to=[]), '"spec.set": expected an object, got a list'),
    *never(
        ("spec", "set"),
        '"d" of "spec.set": expected an integer, got ',
        *({"d": value} for value in VARIED),
    ),
    *nothing_but(("tool", "version"), "a string", None, 1),
    # files
    ExpectFail(put("files", 0, to="w"), "a file: expected an object, got the string"),
    *nothing_but(("files", 0, "name"), "a string", None, 1),
    *(
        ExpectFail(
            put("files", 0, "name", to=name), '"name" of a file: expected a name without a folder, got '
        )
        for name in ("", ".", "..", "../w", "/etc/passwd", "a/b", "a\\b", "..\\w", "w/")
    ),
    *nothing_but(("files", 0, "format"), "a string", None, 1),
    *nothing_but(("files", 0, "bytes"), INTEGER, None, "1", -1, 1.0, True, 2**63),
    *nothing_but(("files", 0, "sha256"), "a string", None, 1),
    *never(
        ("files", 0, "sha256"),
        '"sha256" of "w.safetensors": expected 64 lowercase hex digits, got ',
        "",
        DIGEST[1:],
        DIGEST.upper(),
        DIGEST + "0",
        "g" * 64,
    ),
    ExpectFail(twice("files"), "two files have the same name"),
    ExpectFail(
        put("files", to=[]), '"file" of "a": expected the name of one of the files, got "w.safetensors"'
    ),
    ExpectFail(put("files", 0, "bytes", to=10), '"a" ends at byte 4120 of w.safetensors, which has 10 bytes'),
    # tensors
    ExpectFail(put("tensors", A, to=1), "a tensor: expected an object, got the number 1"),
    ExpectFail(twice("tensors"), "two tensors have the same name"),
    *nothing_but(("tensors", A, "name"), "a string", None, 1),
    ExpectFail(put("tensors", A, "name", to="a\ud800"), '"name" of a tensor: expected valid Unicode, got '),
    *nothing_but(("tensors", A, "file"), "a string", None, 1),
    ExpectFail(
        put("tensors", A, "file", to="x"), '"file" of "a": expected the name of one of the files, got "x"'
    ),
    *never(("tensors", C, "path"), '"path" of "c": expected a string, got ', None, 1),
    ExpectFail(put("tensors", C, "path", to="a"), "two tensors have the same path in their file"),
    *nothing_but(("tensors", A, "dtype"), "a string", None, 1),
    ExpectFail(put("tensors", A, "dtype", to="float4"), '"a": unknown dtype "float4"'),
    *nothing_but(("tensors", A, "shape"), "a list", None, 6, "23"),
    *(
        ExpectFail(put("tensors", A, "shape", to=[2, n]), f'"shape" of "a": expected {INTEGER}, got ')
        for n in (-3, "3", 3.0, True, None, 2**63)
    ),
    ExpectFail(
        put("tensors", A, "shape", to=[2, 0]), r'"shape" of "a": expected sizes of at least 1, got \[2, 0\]'
    ),
    ExpectFail(
        put("tensors", A, "shape", to=[2, 4]), '"bytes" of "a": expected 32 for its shape and dtype, got 24'
    ),
    *nothing_but(("tensors", A, "offset"), INTEGER, None, -1, 1.0, "0"),
    ExpectFail(put("tensors", A, "offset", to=2**62), '"a" ends at byte 4611686018427387928 of'),
    *nothing_but(("tensors", A, "bytes"), INTEGER, None, -1, 1.0, "0"),
    ExpectFail(
        put("tensors", A, "bytes", to=25), '"bytes" of "a": expected 24 for its shape and dtype, got 25'
    ),
    ExpectFail(
        put("tensors", A, "sha256", to="x"), '"sha256" of "a": expected 64 lowercase hex digits, got '
    ),
    # how the tensor is generated
    *never(
        ("tensors", A, "initializer"),
        '"initializer" of "a": expected an object, got ',
        None,
        "lecun_normal",
        [],
    ),
    *(
        ExpectFail(put("tensors", A, "initializer", to=value), f'"a": {message}')
        for value, message in (
            ({}, 'unknown initializer ""'),
            ({"name": "orthogonal"}, 'unknown initializer "orthogonal"'),
            ({"name": []}, r'unknown initializer "\[\]"'),
            ({"name": "lecun_normal", "gain": 2}, 'lecun_normal has no argument "gain"'),
            ({"name": "constant"}, 'missing argument "value" of constant'),
            ({"name": "constant", "value": "1"}, "value of constant: expected a number, got '1'"),
            ({"name": "uniform", "minval": 1, "maxval": 0}, "range of uniform: expected minval < maxval"),
            (
                {"name": "truncated_normal", "stddev": 0},
                "stddev of truncated_normal: expected a positive number",
            ),
            (
                {"name": "variance_scaling", "mode": []},
                "mode of variance_scaling: expected one of fan_in, fan_out, fan_avg",
            ),
            (
                {"name": "constant", "value": float("nan")},
                "value of constant: expected a finite number, got nan",
            ),
            ({"name": "constant", "value": 10**400}, ""),
            ({"name": "constant", "value": 1e39}, "a constant does not fit in float32"),
            ({"name": "uniform", "minval": -1e39, "maxval": 0}, "random weights do not fit in float32"),
        )
    ),
    ExpectFail(
        put("tensors", C, "initializer", to={"name": "constant", "value": 128}),
        '"c": a constant does not fit in int8: expected a whole number from -128 to 127',
    ),
    ExpectFail(
        put("tensors", C, "initializer", to={"name": "uniform"}),
        '"c": dtype of random weights: expected a float dtype',
    ),
    ExpectFail(drop("tensors", A, "fan_in"), '"a": "fan_in" is missing, which lecun_normal needs'),
    *(
        ExpectFail(
            put("tensors", A, key, to=value), f'"{key}" of "a": expected a finite number above 0, got '
        )
        for key in ("fan_in", "fan_out")
        for value in (None, 0, -1, "3", True, float("nan"), float("inf"), 10**400)
    ),
    ExpectFail(
        drop("tensors", A, "fan_out"), '"fan_out" of "a": expected a finite number above 0, got no value'
    ),
    ExpectFail(put("tensors", A, "fan_in", to=1e-320), '"a": random weights do not fit in float32'),
    *(
        ExpectFail(put("tensors", A, key, to=value), f'"{key}" of "a": expected .* for its initializer, got ')
        for key in ("std", "bound")
        for value in (None, 0.1, "x", float("nan"))
    ),
    *nothing_but(("tensors", A, "identity"), "a string", None, 1),
    ExpectFail(put("tensors", A, "identity", to="\udfff"), '"identity" of "a": expected valid Unicode, got '),
    *(
        ExpectFail(
            put("tensors", A, "axes", to=axes), r'"axes" of "a": expected a permutation of \[0, 1\], got \['
        )
        for axes in ([0], [0, 0], [1, 2], [0, 1, 2], [])
    ),
    *(
        ExpectFail(put("tensors", A, "axes", to=axes), f'"axes" of "a": expected {INTEGER}, got ')
        for axes in ([0, -1], [0, "1"], [0, 1.0], [False, 1])
    ),
    *(
        ExpectFail(
            put("tensors", A, "flip", to=flip), r'"flip" of "a": expected different axes of \[0, 1\], got \['
        )
        for flip in ([2], [0, 0], [0, 1, 2])
    ),
    ExpectFail(put("tensors", A, "flip", to=[-1]), f'"flip" of "a": expected {INTEGER}, got the number -1'),
    ExpectFail(put("tensors", A, "part_shape", to=[7]), 'the parts of "a" do not add up to its shape'),
    # parts
    *never(("tensors", P, "parts"), '"parts" of "packed": expected a list, got ', None, {}, "x"),
    ExpectFail(
        put("tensors", P, "parts", 0, to=3), 'a part of "packed": expected an object, got the number 3'
    ),
    *(
        ExpectFail(change, 'the parts of "packed" do not add up to its shape')
        for change in (
            put("tensors", P, "parts", to=[]),
            drop("tensors", P, "parts", 1),
            put("tensors", P, "along", to=2),
            put("tensors", P, "parts", 0, "part_shape", to=[6, 4]),
            put("tensors", P, "parts", 0, "part_shape", to=[2, 12]),
            put("tensors", P, "parts", 0, "part_shape", to=[4, 5]),
        )
    ),
    ExpectFail(
        put("tensors", P, "parts", 0, "part_shape", to=[4, 0]),
        r'"part_shape" of "packed": expected sizes of at least 1, got \[4, 0\]',
    ),
    ExpectFail(put("tensors", P, "parts", 0, "part_shape", to=[24]), r"expected a permutation of \[0\], got"),
    *nothing_but(("tensors", P, "along"), INTEGER, None, -1, "0"),
    ExpectFail(drop("tensors", P, "parts", 1, "identity"), '"identity" of "packed": expected a string'),
]


class TestDiagnostics:
    @pytest.mark.parametrize("case", FAULTS, ids=range(len(FAULTS)))
    def test_every_error_names_its_key(self, case: ExpectFail) -> None:
        value = copy.deepcopy(VALUE)
        case.change(value)
        with pytest.raises(ManifestError, match=case.message) as caught:
            parse_manifest(json.dumps(value).encode(), "dir/m.json")
        assert caught.value.message.startswith("dir/m.json is not a valid manifest: ")

    def test_a_manifest_without_errors_is_read(self) -> None:
        assert json.loads(parse_manifest(json.dumps(VALUE).encode(), "m.json").to_bytes()) == VALUE

    @pytest.mark.parametrize("key", ["manifest", "stream"])
    def test_a_newer_manifest_needs_a_newer_release(self, key: str) -> None:
        with pytest.raises(ManifestError) as caught:
            parse_manifest(json.dumps({**VALUE, key: 2}).encode(), "m.json")
        assert caught.value.help == "a newer lecun-init may read it"

    def test_unknown_keys_are_ignored(self) -> None:
        value = copy.deepcopy(VALUE)
        for level in (value, value["tool"], value["files"][0], value["tensors"][0]):
            level["note"] = "by hand"
        assert json.loads(parse_manifest(json.dumps(value).encode(), "m.json").to_bytes()) == VALUE

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "m.json is not a valid manifest: "),
            (b"\x89HDF", "m.json is not a valid manifest: "),
            (b"{", "m.json is not a valid manifest: "),
            (b"\xff\xfe\xff", "m.json is not a valid manifest: "),
            (b'{"manifest": 1, "manifest": 1}', 'duplicate key "manifest"'),
            (b'{"a": {"b": 1, "b": 2}}', 'duplicate key "b"'),
            (b"[" * 100_000, "m.json is not a valid manifest: "),
            (b'{"a":' * 100_000, "m.json is not a valid manifest: "),
            (b"9" * 10_000, "m.json is not a valid manifest: "),
            (b"[1]", "the manifest: expected an object, got a list"),
            (b"null", "the manifest: expected an object, got no value"),
            (b'"text"', "the manifest: expected an object, got the string"),
        ],
    )
    def test_other_content_is_refused(self, data: bytes, message: str) -> None:
        with pytest.raises(ManifestError, match=message):
            parse_manifest(data, "m.json")

    @given(data=st.data())
    def test_any_value_anywhere_raises_no_other_exception(self, data: st.DataObject) -> None:
        """Replace one value of a manifest by any other JSON value."""
        value: Any = copy.deepcopy(VALUE)
        at: Any = value
        while True:
            key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
                break
            at = at[key]
        scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
        at[key] = data.draw(
            st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.text(max_size=3), scalars))
        )
        try:
            parsed = parse_manifest(json.dumps(value).encode(), "m.json")
        except ManifestError:
            return
        assert again(parsed) == parsed


class TestRows:
    """Rows of tensors with one template are written and read together, without any visible effect."""

    @staticmethod
    def repeated(framework: str) -> Manifest:
        body = (
            "{type: multi_head_attention, name: a, embed_dim: 8, num_heads: 2},"
            " {type: dense, name: 'd%{i}', in_features: 2, out_features: 3}"
        )
        text = f"seed: 7\nlayers: [{{repeat: 3, name: 'b{{i}}', layers: [{body}]}}]\n"
        return manifest_of(plan_of(text, framework=framework))

    @pytest.mark.parametrize("framework", ["keras", "torch", "flax"])
    def test_equal_the_rows_of_each_tensor_alone(self, framework: str) -> None:
        manifest = self.repeated(framework)
        rows = []
        for entry in manifest.tensors:
            (row,) = (
                replace(manifest, tensors=(entry,)).to_bytes().split(b'"tensors": [\n')[1].split(b"\n")[:1]
            )
            rows.append(row)
        expected = manifest.to_bytes().split(b'"tensors": [\n')[1].split(b"\n")[: len(rows)]
        assert rows == [row.removesuffix(b",") for row in expected]
        assert again(manifest) == manifest

    @pytest.mark.parametrize(
        ("key", "value", "message"),
        [
            (
                "fan_in",
                True,
                '"fan_in" of "b2/d%2/kernel": expected a finite number above 0, got the boolean true',
            ),
            ("fan_in", None, '"fan_in" of "b2/d%2/kernel": expected a finite number above 0, got no value'),
            ("std", 1, '"std" of "b2/d%2/kernel": expected .* got 1'),
            ("identity", 3, '"identity" of "b2/d%2/kernel": expected a string, got the number 3'),
            ("offset", -1, '"offset" of "b2/d%2/kernel": expected an integer'),
            ("bytes", 28, '"bytes" of "b2/d%2/kernel": expected'),
            ("sha256", "F" * 64, '"sha256" of "b2/d%2/kernel": expected 64 lowercase hex digits'),
        ],
    )
    def test_an_error_in_a_later_row_is_reported(self, key: str, value: object, message: str) -> None:
        top = json.loads(self.repeated("keras").to_bytes())
        (row,) = [row for row in top["tensors"] if row["name"] == "b2/d%2/kernel"]
        row[key] = value
        with pytest.raises(ManifestError, match=message):
            parse_manifest(json.dumps(top).encode(), "m.json")
