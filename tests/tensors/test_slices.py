"""Tests of slices in NumPy's notation, and of `lecun_normal`."""

from __future__ import annotations

import doctest
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.errors import UsageError
from lecun_cli.generation import generate
from lecun_cli.tensors import slices
from lecun_cli.tensors.arrays import lecun_normal
from lecun_cli.tensors.boxes import Box
from lecun_cli.tensors.slices import Selection, find_tensor, parse_range, slice_tensor
from tests.conftest import mixed_plan, plan_of

if TYPE_CHECKING:
    from pathlib import Path

    from lecun_cli.plan.types import Plan


@dataclass(frozen=True)
class Expect:
    """A text, the box that it selects in a tensor of shape (5, 7), and the shape of the result."""

    text: str
    starts: tuple[int, int]
    stops: tuple[int, int]
    shape: tuple[int, ...]


SELECTIONS = (
    Expect("", (0, 0), (5, 7), (5, 7)),
    Expect("  ", (0, 0), (5, 7), (5, 7)),
    Expect("[]", (0, 0), (5, 7), (5, 7)),
    Expect(":", (0, 0), (5, 7), (5, 7)),
    Expect(":,:", (0, 0), (5, 7), (5, 7)),
    Expect("3", (3, 0), (4, 7), (7,)),
    Expect("-1", (4, 0), (5, 7), (7,)),
    Expect("-5", (0, 0), (1, 7), (7,)),
    Expect("[3]", (3, 0), (4, 7), (7,)),
    Expect("3,2", (3, 2), (4, 3), ()),
    Expect(" 3 , -7 ", (3, 0), (4, 1), ()),
    Expect("1:3", (1, 0), (3, 7), (2, 7)),
    Expect("1:", (1, 0), (5, 7), (4, 7)),
    Expect(":3", (0, 0), (3, 7), (3, 7)),
    Expect("-2:", (3, 0), (5, 7), (2, 7)),
    Expect(":-2", (0, 0), (3, 7), (3, 7)),
    Expect("0:2,:4", (0, 0), (2, 4), (2, 4)),
    Expect(":,-1", (0, 6), (5, 7), (5,)),
    Expect("2:100", (2, 0), (5, 7), (3, 7)),
    Expect("-100:2", (0, 0), (2, 7), (2, 7)),
)


class TestParseRange:
    @pytest.mark.parametrize("case", SELECTIONS, ids=lambda case: repr(case.text))
    def test_agrees_with_numpy(self, case: Expect) -> None:
        assert parse_range(case.text, (5, 7)) == Selection(Box(case.starts, case.stops), case.shape)

    @pytest.mark.parametrize("text", ["", "[]"])
    def test_of_a_scalar_is_the_scalar(self, text: str) -> None:
        assert parse_range(text, ()) == Selection(Box((), ()), ())

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("x", '"x" is neither an index nor a range'),
            ("1.5", '"1.5" is neither an index nor a range'),
            ("1:x", '"1:x" is neither an index nor a range'),
            ("0:4:2", '"0:4:2" is neither an index nor a range'),
            ("1,", '"" is neither an index nor a range'),
            (",1", '"" is neither an index nor a range'),
            ("...", '"..." is neither an index nor a range'),
            ("1,2,3", 'range "1,2,3": expected at most 2 axes, got 3'),
            ("5", '"5" selects nothing from an axis of 5'),
            ("-6", '"-6" selects nothing from an axis of 5'),
            (":,7", '"7" selects nothing from an axis of 7'),
            ("3:3", '"3:3" selects nothing from an axis of 5'),
            ("4:2", '"4:2" selects nothing from an axis of 5'),
            ("5:", '"5:" selects nothing from an axis of 5'),
            ("9" * 30, "selects nothing from an axis of 5"),
            ("9" * 5000, "is neither an index nor a range"),
        ],
    )
    def test_other_texts_are_refused(self, text: str, message: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_range(text, (5, 7))
        assert message in caught.value.message

    def test_a_scalar_takes_no_index(self) -> None:
        with pytest.raises(UsageError, match='range "0": expected at most 0 axes, got 1'):
            parse_range("0", ())

    @given(st.data())
    def test_agrees_with_numpy_on_every_axis(self, data: st.DataObject) -> None:
        shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
        ends = st.one_of(st.none(), st.integers(-7, 7))
        items = data.draw(st.lists(st.one_of(st.integers(-7, 7), st.tuples(ends, ends)), max_size=len(shape)))
        text = ",".join(
            str(i) if isinstance(i, int) else ":".join("" if e is None else str(e) for e in i) for i in items
        )
        numbers = np.arange(math.prod(shape)).reshape(shape)
        expected: Any
        try:
            expected = numbers[tuple(i if isinstance(i, int) else slice(*i) for i in items)]
        except IndexError:
            expected = np.empty(0)
        if expected.size == 0:
            with pytest.raises(UsageError):
                parse_range(text, shape)
            return
        selection = parse_range(text, shape)
        cut = tuple(slice(a, b) for a, b in zip(selection.box.starts, selection.box.stops, strict=True))
        assert np.array_equal(numbers[cut].reshape(selection.shape), expected)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return mixed_plan()


class TestSliceTensor:
    @pytest.mark.parametrize("text", ["", "0", "-1", "1:3", "2:"])
    def test_is_the_content_of_the_file(self, tmp_path: Path, plan: Plan, text: str) -> None:
        readable = [t for t in plan.tensors if not t.dtype.startswith("float8") and t.shape]
        spec = mixed_plan()
        generate(spec, tmp_path / "w.h5")
        data = (tmp_path / "w.h5").read_bytes()
        manifest = generate(spec, tmp_path / "again.h5").manifest
        offsets = {entry.tensor.name: entry.offset for entry in manifest.tensors}
        for tensor in readable:
            stored = np.frombuffer(data, tensor.storage.numpy(), tensor.n_elements, offsets[tensor.name])
            keys: dict[str, Any] = {"": np.s_[:], "0": 0, "-1": -1, "1:3": np.s_[1:3], "2:": np.s_[2:]}
            values: Any = slice_tensor(plan, tensor.name, text)
            expected = stored.reshape(tensor.shape)[keys[text]]
            assert values.dtype == tensor.storage.numpy()
            assert values.shape == expected.shape
            assert values.tobytes() == expected.tobytes()

    def test_is_what_the_library_reads(self, tmp_path: Path) -> None:
        spec = plan_of("seed: 3\nlayers: [{type: dense, name: a, in_features: 20, out_features: 30}]\n")
        generate(spec, tmp_path / "w.safetensors")
        stored = load_file(tmp_path / "w.safetensors")["a/kernel"]
        assert np.array_equal(slice_tensor(spec, "a/kernel", "3:9,-4:"), stored[3:9, -4:])

    def test_of_a_scalar_is_a_scalar(self, plan: Plan) -> None:
        values = slice_tensor(plan, "count")
        assert (values.shape, values.tolist()) == ((), -7)

    def test_names_the_nearest_tensor(self, plan: Plan) -> None:
        with pytest.raises(UsageError, match='the spec has no tensor "hiden/kernel"') as caught:
            slice_tensor(plan, "hiden/kernel")
        assert caught.value.help == "did you mean hidden/kernel?"

    def test_without_a_similar_name_suggests_to_list_the_tensors(self, plan: Plan) -> None:
        with pytest.raises(UsageError) as caught:
            find_tensor(plan, "zzzzzz")
        assert caught.value.help == "lecun-init plan SPEC lists them"

    def test_needs_the_seed(self) -> None:
        unseeded = plan_of("tensors: [{name: t, shape: [2, 2], in_axes: [1]}]\n")
        with pytest.raises(UsageError, match="a slice needs a seed") as caught:
            slice_tensor(unseeded, "t")
        assert caught.value.help == "give --seed"

    def test_seed_zero_is_a_seed(self) -> None:
        seeded = plan_of("seed: 0\ntensors: [{name: t, shape: [2, 2], in_axes: [1]}]\n")
        assert slice_tensor(seeded, "t").shape == (2, 2)


class TestLecunNormal:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    def test_has_the_shape_dtype_std_and_bound(self, dtype: str) -> None:
        weights = lecun_normal((300, 400), fan_in=400, seed=1, identity="a/kernel", dtype=dtype)
        values = weights.astype("f8")
        assert (weights.shape, weights.dtype) == ((300, 400), DTYPES[dtype].numpy())
        assert values.std() == pytest.approx(400**-0.5, rel=0.01)
        assert abs(values.mean()) < 0.001
        slack = 1.1 if dtype.startswith("float8") else 1.005
        assert 0.9 < np.abs(values).max() / (2.2737 / 20) <= slack

    def test_is_the_tensor_of_the_spec(self) -> None:
        spec = plan_of("seed: 42\nlayers: [{type: dense, name: h, in_features: 100, out_features: 64}]\n")
        weights = lecun_normal((64, 100), fan_in=100, seed=42, identity="h/kernel")
        assert np.array_equal(weights.T, slice_tensor(spec, "h/kernel"))

    def test_accepts_any_sequence_as_a_shape(self) -> None:
        shape: Any = [2, 3]
        assert lecun_normal(shape, fan_in=2.5, seed=2**64 - 1, identity="").shape == (2, 3)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"dtype": "int32"}, 'expected a float dtype, got "int32"'),
            ({"dtype": "f4"}, 'expected a float dtype, got "f4"'),
            ({"fan_in": 0}, "fan_in: expected a positive number, got 0"),
            ({"fan_in": float("nan")}, "fan_in: expected a positive number, got nan"),
            ({"seed": -1}, r"seed: expected 0 to 2\*\*64 - 1, got -1"),
            ({"seed": 2**64}, r"seed: expected 0 to 2\*\*64 - 1, got "),
            ({"shape": (2, 0)}, r"shape: expected sizes of at least 1, got \(2, 0\)"),
            ({"shape": (-1,)}, "shape: expected sizes of at least 1"),
            ({"fan_in": 1e-12, "dtype": "float16"}, "do not fit in float16"),
        ],
    )
    def test_refuses_arguments_out_of_range(self, arguments: dict[str, Any], message: str) -> None:
        defaults: dict[str, Any] = {"shape": (2, 2), "fan_in": 4, "seed": 0, "identity": "t"}
        with pytest.raises(UsageError, match=message):
            lecun_normal(**{**defaults, **arguments})

    def test_examples_run(self) -> None:
        names = {"lecun_normal": lecun_normal}
        (test,) = doctest.DocTestFinder().find(lecun_normal, "lecun_normal", slices, globs=names)
        assert test.examples
        assert doctest.DocTestRunner().run(test).failed == 0
