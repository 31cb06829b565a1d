"""Every sample spec parses; the published models have the published names, shapes and counts."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lecun_cli.cli.options import parse_assignments
from lecun_cli.plan.planner import make_plan
from lecun_cli.plan.types import Plan
from lecun_cli.spec.load import load_spec, parse_spec

SAMPLES = Path(__file__).parents[1] / "sample_specs"
Table = dict[str, tuple[int, ...]]


def plan_of(name: str, params: Mapping[str, int] | None = None) -> Plan:
    return make_plan(load_spec(str(SAMPLES / f"{name}.yaml"), params=params))


def table_of(plan: Plan) -> Table:
    return {tensor.name: tensor.shape for tensor in plan.tensors}


# The tables of the published models, written from the code of the models and not from the specs.


def resnet50_table() -> Table:
    """torchvision.models.resnet50().state_dict()."""
    table: Table = {}

    def batch_norm(name: str, n: int) -> None:
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            table[f"{name}.{leaf}"] = (n,)
        table[f"{name}.num_batches_tracked"] = ()

    table["conv1.weight"] = (64, 3, 7, 7)
    batch_norm("bn1", 64)
    inplanes = 64
    for stage, (planes, n_blocks) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True), start=1):
        for block in range(n_blocks):
            at = f"layer{stage}.{block}"
            table[f"{at}.conv1.weight"] = (planes, inplanes, 1, 1)
            batch_norm(f"{at}.bn1", planes)
            table[f"{at}.conv2.weight"] = (planes, planes, 3, 3)
            batch_norm(f"{at}.bn2", planes)
            table[f"{at}.conv3.weight"] = (planes * 4, planes, 1, 1)
            batch_norm(f"{at}.bn3", planes * 4)
            if block == 0:
                table[f"{at}.downsample.0.weight"] = (planes * 4, inplanes, 1, 1)
                batch_norm(f"{at}.downsample.1", planes * 4)
            inplanes = planes * 4
    table["fc.weight"] = (1000, 2048)
    table["fc.bias"] = (1000,)
    return table


def gpt2_table(d: int = 768, blocks: int = 12, vocab: int = 50257, positions: int = 1024) -> Table:
    """transformers.GPT2Model(config).state_dict(), without buffers."""
    table: Table = {"wte.weight": (vocab, d), "wpe.weight": (positions, d)}
    for n in range(blocks):
        for norm in ("ln_1", "ln_2"):
            table[f"h.{n}.{norm}.weight"] = table[f"h.{n}.{norm}.bias"] = (d,)
        for name, nx, nf in (
            ("attn.c_attn", d, 3 * d),
            ("attn.c_proj", d, d),
            ("mlp.c_fc", d, 4 * d),
            ("mlp.c_proj", 4 * d, d),
        ):
            table[f"h.{n}.{name}.weight"] = (nx, nf)
            table[f"h.{n}.{name}.bias"] = (nf,)
    table["ln_f.weight"] = table["ln_f.bias"] = (d,)
    return table


def llama_table(vocab: int, d: int, heads: int, kv_heads: int, blocks: int, ffn: int) -> Table:
    """transformers.LlamaForCausalLM(config).state_dict()."""
    head_dim = d // heads
    table: Table = {"model.embed_tokens.weight": (vocab, d)}
    for n in range(blocks):
        at = f"model.layers.{n}"
        table |= {
            f"{at}.self_attn.q_proj.weight": (heads * head_dim, d),
            f"{at}.self_attn.k_proj.weight": (kv_heads * head_dim, d),
            f"{at}.self_attn.v_proj.weight": (kv_heads * head_dim, d),
            f"{at}.self_attn.o_proj.weight": (d, heads * head_dim),
            f"{at}.mlp.gate_proj.weight": (ffn, d),
            f"{at}.mlp.up_proj.weight": (ffn, d),
            f"{at}.mlp.down_proj.weight": (d, ffn),
            f"{at}.input_layernorm.weight": (d,),
            f"{at}.post_attention_layernorm.weight": (d,),
        }
    table["model.norm.weight"] = (d,)
    table["lm_head.weight"] = (vocab, d)
    return table


LLAMA_TOY = {"vocab": 512, "d": 64, "heads": 4, "kv_heads": 2, "blocks": 2, "ffn": 192}
LLAMA_8B = {"vocab": 128256, "d": 4096, "heads": 32, "kv_heads": 8, "blocks": 32, "ffn": 14336}
LLAMA_70B = {"vocab": 128256, "d": 8192, "heads": 64, "kv_heads": 8, "blocks": 80, "ffn": 28672}
LLAMA_405B = {"vocab": 128256, "d": 16384, "heads": 128, "kv_heads": 8, "blocks": 126, "ffn": 53248}


class TestEverySample:
    @pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
    def test_plans_without_a_warning(self, path: Path) -> None:
        plan = make_plan(load_spec(str(path)))
        assert plan.tensors
        assert plan.warnings == ()
        assert plan.seed is not None

    @pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
    def test_states_its_command_and_its_counts(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert f"lecun-init {path.stem} -o " in text
        plan = make_plan(load_spec(str(path)))
        counted = [
            t for t in plan.tensors if not t.name.endswith(("running_mean", "running_var", "_tracked"))
        ]
        assert f"It has {len(plan.tensors)} tensors" in text
        assert f" {sum(t.n_elements for t in counted):,} parameters" in text


class TestSeluNetworks:
    def test_the_first_spec_is_the_keras_example(self) -> None:
        plan = plan_of("selu_mlp")
        assert (plan.seed, plan.framework) == (42, "keras")
        assert table_of(plan) == {
            "hidden/kernel": (100, 64),
            "hidden/bias": (64,),
            "logits/kernel": (64, 10),
            "logits/bias": (10,),
        }

    def test_kernels_are_lecun_normal_of_their_fan_in(self) -> None:
        kernel = plan_of("selu_mlp").tensor("hidden/kernel")
        assert kernel is not None
        assert kernel.parts[0].distribution.std == pytest.approx(math.sqrt(1 / 100), rel=1e-15)

    @pytest.mark.parametrize("width", [256, 7])
    def test_the_deep_network_has_32_layers_of_one_width_and_a_head(self, width: int) -> None:
        expected: Table = {"logits/kernel": (width, 10), "logits/bias": (10,)}
        for n in range(32):
            expected[f"hidden_{n}/kernel"] = (784 if n == 0 else width, width)
            expected[f"hidden_{n}/bias"] = (width,)
        assert table_of(plan_of("selu_32", {"width": width})) == expected


class TestLeNet5:
    def test_has_the_shapes_of_the_keras_model(self) -> None:
        assert table_of(plan_of("lenet5")) == {
            "c1/kernel": (5, 5, 1, 6),
            "c1/bias": (6,),
            "c3/kernel": (5, 5, 6, 16),
            "c3/bias": (16,),
            "f5/kernel": (400, 120),
            "f5/bias": (120,),
            "f6/kernel": (120, 84),
            "f6/bias": (84,),
            "output/kernel": (84, 10),
            "output/bias": (10,),
        }


class TestResNet50:
    def test_has_the_names_and_shapes_of_the_checkpoint(self) -> None:
        plan = plan_of("resnet50")
        assert len(plan.tensors) == 320
        assert table_of(plan) == resnet50_table()

    def test_has_25_557_032_parameters(self) -> None:
        buffers = ("running_mean", "running_var", "num_batches_tracked")
        plan = plan_of("resnet50")
        assert sum(t.n_elements for t in plan.tensors if not t.name.endswith(buffers)) == 25_557_032

    def test_counters_are_int64_and_all_else_is_float32(self) -> None:
        for tensor in plan_of("resnet50").tensors:
            assert tensor.dtype == ("int64" if tensor.name.endswith("num_batches_tracked") else "float32")


class TestGPT2:
    def test_has_the_names_and_shapes_of_the_checkpoint(self) -> None:
        assert table_of(plan_of("gpt2")) == gpt2_table()

    @dataclass(frozen=True)
    class Expect:
        id: str
        params: Mapping[str, int]
        parameters: int

    @pytest.mark.parametrize(
        "case",
        [
            Expect("small", {}, 124_439_808),
            Expect("medium", {"d": 1024, "blocks": 24}, 354_823_168),
            Expect("large", {"d": 1280, "blocks": 36}, 774_030_080),
            Expect("xl", {"d": 1600, "blocks": 48}, 1_557_611_200),
        ],
        ids=lambda case: case.id,
    )
    def test_has_the_published_counts(self, case: Expect) -> None:
        plan = plan_of("gpt2", case.params)
        assert plan.n_elements == case.parameters
        assert table_of(plan) == gpt2_table(**case.params)

    def test_fan_in_of_conv1d_is_its_first_axis(self) -> None:
        plan = plan_of("gpt2")
        for name, fan_in, fan_out in (
            ("h.0.attn.c_attn.weight", 768, 2304),
            ("h.11.mlp.c_proj.weight", 3072, 768),
        ):
            tensor = plan.tensor(name)
            assert tensor is not None
            fans = tensor.parts[0].fans
            assert fans is not None
            assert (fans.fan_in, fans.fan_out) == (fan_in, fan_out)


class TestLlama3:
    @dataclass(frozen=True)
    class Expect:
        id: str
        params: Mapping[str, int]
        parameters: int

    CASES = (
        Expect("toy", LLAMA_TOY, 164_160),
        Expect("8B", LLAMA_8B, 8_030_261_248),
        Expect("70B", LLAMA_70B, 70_553_706_496),
        Expect("405B", LLAMA_405B, 405_853_388_800),
    )

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_has_the_names_shapes_and_count_of_the_model(self, case: Expect) -> None:
        plan = plan_of("llama3", case.params)
        assert table_of(plan) == llama_table(**case.params)
        assert plan.n_elements == case.parameters
        assert plan.nbytes == 2 * case.parameters

    def test_the_default_is_the_toy(self) -> None:
        assert table_of(plan_of("llama3")) == llama_table(**LLAMA_TOY)

    @pytest.mark.parametrize("case", CASES[1:], ids=lambda case: case.id)
    def test_the_comment_states_the_published_sizes(self, case: Expect) -> None:
        lines = (SAMPLES / "llama3.yaml").read_text(encoding="utf-8").splitlines()
        (at,) = (i for i, line in enumerate(lines) if line.startswith(f"#     {case.id} "))
        words = lines[at + 1].split()
        params = parse_assignments([words[-1]])
        assert words[-2] == "--set"
        assert params == case.params
        assert f"{case.parameters:,} parameters" in lines[at]

    def test_everything_is_bfloat16(self) -> None:
        assert {tensor.dtype for tensor in plan_of("llama3").tensors} == {"bfloat16"}

    def test_planning_405b_allocates_no_arrays(self) -> None:
        text = (SAMPLES / "llama3.yaml").read_bytes()
        make_plan(parse_spec(text))  # what is imported is not what the plan takes
        tracemalloc.start()
        try:
            make_plan(parse_spec(text, params=LLAMA_405B))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 16 * 2**20


@pytest.mark.frameworks
class TestAgainstTransformers:
    """Compare with the real models on the meta device, where they need no memory."""

    def test_gpt2_is_the_model_of_transformers(self) -> None:
        import torch
        import transformers

        with torch.device("meta"):
            model = transformers.GPT2Model(transformers.GPT2Config())
        parameters = {name.removeprefix("transformer.") for name, _ in model.named_parameters()}
        state = {name.removeprefix("transformer."): value for name, value in model.state_dict().items()}
        # Old releases keep the masks h.N.attn.bias and h.N.attn.masked_bias in the state: buffers.
        expected = {name: tuple(value.shape) for name, value in state.items() if name in parameters}
        assert table_of(plan_of("gpt2")) == expected

    def test_llama_is_the_model_of_transformers(self) -> None:
        import torch
        import transformers

        config = transformers.LlamaConfig(
            vocab_size=LLAMA_TOY["vocab"],
            hidden_size=LLAMA_TOY["d"],
            num_attention_heads=LLAMA_TOY["heads"],
            num_key_value_heads=LLAMA_TOY["kv_heads"],
            num_hidden_layers=LLAMA_TOY["blocks"],
            intermediate_size=LLAMA_TOY["ffn"],
            tie_word_embeddings=False,
        )
        with torch.device("meta"):
            model = transformers.LlamaForCausalLM(config)
        expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        assert table_of(plan_of("llama3")) == expected
