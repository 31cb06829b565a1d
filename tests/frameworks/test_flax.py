"""Shapes, names and fans in Flax: as tables, and compared with flax and jax themselves."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lecun_cli.frameworks.flax import FLAX, compute_fans
from lecun_cli.initializers.fans import FanError, Fans, Shape
from lecun_cli.plan.planner import make_plan
from lecun_cli.spec.load import parse_spec
from lecun_cli.tensors.generator import draw_tensor
from tests.frameworks.cases import CASES, Case
from tests.frameworks.real import REAL, flax_tree, import_flax, modules_of


class TestFans:
    @dataclass(frozen=True)
    class Expect:
        id: str
        shape: Shape
        fans: Fans

    @pytest.mark.parametrize(
        "case",
        [
            Expect("dense", (100, 64), Fans(100, 64)),
            Expect("conv", (3, 5, 16, 32), Fans(240, 480)),
            Expect("depthwise, right", (3, 3, 1, 256), Fans(9, 2304)),
            Expect("transposed conv, right but for its stride", (3, 3, 16, 32), Fans(144, 288)),
            Expect("experts, wrong", (8, 100, 64), Fans(800, 512)),
        ],
        ids=lambda case: case.id,
    )
    def test_count_the_last_axes_and_the_window(self, case: Expect) -> None:
        assert compute_fans(case.shape) == case.fans

    @pytest.mark.parametrize("shape", [(), (5,)])
    def test_are_undefined_below_two_axes(self, shape: Shape) -> None:
        with pytest.raises(FanError, match="JAX has no fans for a shape of fewer than two axes"):
            compute_fans(shape)


class TestNames:
    def test_start_with_the_collection(self) -> None:
        assert FLAX.tensor_name(("encoder", "hidden"), "kernel") == "params/encoder/hidden/kernel"
        assert FLAX.tensor_name(("norm",), "mean", "batch_stats") == "batch_stats/norm/mean"


SHAPES = [shape for rank in range(2, 6) for shape in itertools.product((1, 2, 3, 7), repeat=rank)]
STORED = [case for case in CASES if "flax" in REAL[case.id].frameworks(case)]


def shapes_within(case: Case) -> dict[str, Shape]:
    """Return the variables of the module, as if its name were `x`."""
    real = REAL[case.id]
    assert real.flax is not None
    shapes: dict[str, Shape] = {}

    def noting(name: str, module: Any) -> Any:
        def call(*xs: Any) -> Any:
            for (collection, leaf), shape in flax_tree(module, *xs).items():
                shapes["/".join(filter(None, (collection, "x", name, leaf)))] = shape
            return initialized(module, *xs)[1]

        return call

    layers = {name: noting(name, module) for name, module in modules_of(real.flax(import_flax())).items()}
    real.flax_call(layers, *real.arrays())
    return shapes


def initialized(module: Any, *inputs: Any) -> tuple[Any, Any]:
    """Return the initial variables of a module, and its outputs with them."""
    import jax

    variables = module.init(jax.random.key(0), *inputs)
    return variables, module.apply(variables, *inputs)


@pytest.mark.frameworks
class TestAgainstFlax:
    def test_every_case_that_flax_stores_has_a_module(self) -> None:
        """Except grouped-query attention, which linen lacks; it has the names of multi-head attention."""
        without = [case for case in CASES if not isinstance(case.flax, str) and case not in STORED]
        assert [case.id for case in without] == ["grouped_query_attention"]

    def test_fans_of_many_shapes_equal_those_of_jax(self) -> None:
        import jax

        for shape in SHAPES:
            fan_in, fan_out = jax._src.nn.initializers._compute_fans(shape)
            assert compute_fans(shape) == Fans(fan_in, fan_out), shape

    @pytest.mark.parametrize("case", STORED, ids=lambda case: case.id)
    def test_names_and_shapes_equal_those_of_the_variables(self, case: Case) -> None:
        plan = make_plan(parse_spec(case.spec(), framework="flax"))
        assert {t.name: t.shape for t in plan.tensors} == shapes_within(case)

    @pytest.mark.parametrize("case", STORED, ids=lambda case: case.id)
    def test_fans_equal_those_that_the_initializers_compute(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Including those of attention, for which Flax flattens the kernels first."""
        import jax

        home = jax._src.nn.initializers
        real = home._compute_fans
        computed: Counter[Fans] = Counter()

        def noted(*shape: Any, **axes: Any) -> tuple[float, float]:
            fans: tuple[float, float] = real(*shape, **axes)
            computed[Fans(*fans)] += 1
            return fans

        monkeypatch.setattr(home, "_compute_fans", noted)
        module = REAL[case.id]
        assert module.flax is not None

        def call(one: Any) -> Any:
            return lambda *xs: initialized(one, *xs)[1]

        layers = {name: call(one) for name, one in modules_of(module.flax(import_flax())).items()}
        module.flax_call(layers, *module.arrays())
        plan = make_plan(parse_spec(case.spec(), framework="flax", fan_rule="flax"))
        expected = Counter(
            part.fans
            for tensor in plan.tensors
            for part in tensor.parts
            if part.fans is not None and "recurrent_kernel" not in part.identity  # orthogonal in Flax
        )
        if (
            case.layer_type != "experts"
        ):  # `vmap` initializes each expert separately; for a stacked parameter, see the test below
            assert set(computed) == set(expected)

    def test_fans_of_a_stacked_parameter_are_those_of_lecun_normal(self) -> None:
        import jax

        weights = jax.nn.initializers.lecun_normal()(jax.random.key(0), (4, 100, 200))
        plan = make_plan(
            parse_spec(
                "layers: [{type: experts, name: x, num_experts: 4, in_features: 100, out_features: 200}]",
                framework="flax",
                fan_rule="flax",
            )
        )
        (part,) = plan.tensors[0].parts
        assert part.fans == Fans(400, 800)
        assert float(weights.std()) == pytest.approx(part.distribution.std, rel=0.02)

    @dataclass(frozen=True)
    class Expect:
        id: str
        layer: str
        name: str
        std: float

    @pytest.mark.parametrize(
        "case",
        [
            Expect(
                "attention in",
                "type: multi_head_attention, embed_dim: 256, num_heads: 8",
                "params/x/query/kernel",
                256**-0.5,
            ),
            Expect(
                "attention out",
                "type: multi_head_attention, embed_dim: 256, num_heads: 8",
                "params/x/out/kernel",
                256**-0.5,
            ),
            Expect(
                "embedding",
                "type: embedding, num_embeddings: 5000, embedding_dim: 64",
                "params/x/embedding",
                64**-0.5,
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_stds_equal_those_of_initialized_modules(self, case: Expect) -> None:
        import jax

        nn = import_flax()
        if "attention" in case.id:
            tree = nn.MultiHeadDotProductAttention(8).init(jax.random.key(0), np.zeros((1, 3, 256), "f4"))
        else:
            tree = nn.Embed(5000, 64).init(jax.random.key(0), np.zeros((1,), int))
        for step in case.name.replace("/x/", "/").split("/"):
            tree = tree[step]
        text = f"layers: [{{name: x, {case.layer}}}]"
        tensor = make_plan(parse_spec(text, framework="flax", fan_rule="flax")).tensor(case.name)
        assert tensor is not None
        assert tensor.parts[0].distribution.std == pytest.approx(case.std)
        assert float(tree.std()) == pytest.approx(case.std, rel=0.02)

    @pytest.mark.parametrize(
        "case", [case for case in STORED if case.layer_type != "p_re_lu"], ids=lambda case: case.id
    )
    def test_biases_scales_and_statistics_equal_those_of_flax(self, case: Case) -> None:
        """Except the slope of PReLU, which is 0.01 in Flax, and the forget gate with a bias of one."""
        real = REAL[case.id]
        assert real.flax is not None
        plan = make_plan(
            parse_spec(case.spec().replace("unit_forget_bias: true", "bias: true"), framework="flax")
        )
        initial: dict[str, Any] = {}

        def call(name: str, module: Any) -> Any:
            def noting(*xs: Any) -> Any:
                import jax

                variables, outputs = initialized(module, *xs)
                for path, leaf in jax.tree_util.tree_flatten_with_path(variables)[0]:
                    keys = [step.key for step in path]
                    initial["/".join(filter(None, (keys[0], "x", name, *keys[1:])))] = np.asarray(leaf)
                return outputs

            return noting

        modules = modules_of(real.flax(import_flax()))
        real.flax_call({name: call(name, module) for name, module in modules.items()}, *real.arrays())
        for tensor in plan.tensors:
            if tensor.name.rpartition("/")[2] not in {"kernel", "embedding"}:
                assert np.array_equal(initial[tensor.name], draw_tensor(tensor, 0)), tensor.name
