"""Layers of every type, and their stored tensors in each framework, written by hand.

`test_stored.py` compares plans with these tables. `test_keras.py`, `test_torch.py` and `test_flax.py` compare
the tables with the layers of the frameworks themselves; `real.py` has one for every case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lecun_cli.initializers.fans import Fans, Shape

Stored = Mapping[str, Shape]
"""The tensors of a layer: name within the layer -> shape. `batch_stats:` is another collection of Flax."""


@dataclass(frozen=True)
class Kernel:
    """The fans of one kernel, exact and by the rule of each framework; None if they are undefined."""

    exact: Fans
    keras: Fans | None
    keras_3_14: Fans | None
    torch: Fans | None
    flax: Fans | None

    def by(self, rule: str) -> Fans | None:
        """Return the fans under a rule."""
        fans: Fans | None = getattr(self, rule.replace("-", "_").replace(".", "_"))
        return fans


@dataclass(frozen=True)
class Case:
    """A layer of a spec.

    Attributes:
        id: Its name in the tests.
        layer: Its fields except the name, which is `x`.
        keras: The stored tensors in Keras, or the reason why Keras cannot store it.
        torch: The same for PyTorch.
        flax: The same for Flax.
        fans: The fans of its kernels by name.
    """

    id: str
    layer: str
    keras: Stored | str
    torch: Stored | str
    flax: Stored | str
    fans: Mapping[str, Kernel] = field(default_factory=dict)

    @property
    def layer_type(self) -> str:
        """The type of the layer."""
        return self.layer.split(",")[0].removeprefix("type: ")

    def stored(self, framework: str) -> Stored | str:
        """Return the stored tensors in a framework, or the reason why it cannot store the layer."""
        stored: Stored | str = getattr(self, framework)
        return stored

    def spec(self, more: str = "") -> str:
        """Return a spec with only this layer."""
        return f"seed: 42\nlayers: [{{name: x, {self.layer}{more}}}]\n"


def in_file(framework: str, name: str) -> str:
    """Return the name in the file of a tensor of the layer `x`."""
    if framework == "torch":
        return f"x.{name}"
    if framework == "keras":
        return f"x/{name}"
    collection, _, leaf = name.rpartition(":")
    return f"{collection or 'params'}/x/{leaf}"


KERAS_STACK = "a Keras recurrent layer is one layer; write one for each of num_layers"
FLAX_STACK = "a Flax recurrent layer is one layer; write one for each of num_layers"
FLAX_BIAS = "Flax's recurrent layers have biases"
TORCH_SHIFT = "PyTorch's LayerNorm has no shift without a scale"
TORCH_PAIR = "PyTorch's BatchNorm has both scale and shift, or neither"


def _dense(rule: Fans, torch: Fans | None = None) -> Kernel:
    """Return the fans of a kernel for which all rules agree, except possibly that of PyTorch."""
    return Kernel(rule, rule, rule, torch or rule, rule)


# Packed gates count as outputs in a stored shape, so fan-outs differ, but fan-ins do not.
def _gates(names: str, width: int, hidden: int, under: str = "") -> dict[str, Kernel]:
    kernels = {}
    gates = names.split()
    for param_name, n in (("kernel", width), ("recurrent_kernel", hidden)):
        packed = Fans(n, hidden * max(1, len(gates)))
        one = Fans(n, hidden)
        for gate in gates or [""]:
            name = f"{under}{param_name}_{gate}" if gate else under + param_name
            kernels[name] = Kernel(one, packed, packed, packed, one)
    return kernels


_GRU = "update reset candidate"
_LSTM = "input forget cell output"

_FLAX_GRU: Stored = {
    "cell/ir/kernel": (5, 4),
    "cell/iz/kernel": (5, 4),
    "cell/in/kernel": (5, 4),
    "cell/ir/bias": (4,),
    "cell/iz/bias": (4,),
    "cell/in/bias": (4,),
    "cell/hr/kernel": (4, 4),
    "cell/hz/kernel": (4, 4),
    "cell/hn/kernel": (4, 4),
    "cell/hn/bias": (4,),
}
_FLAX_LSTM: Stored = {
    "cell/ii/kernel": (5, 4),
    "cell/if/kernel": (5, 4),
    "cell/ig/kernel": (5, 4),
    "cell/io/kernel": (5, 4),
    "cell/hi/kernel": (4, 4),
    "cell/hf/kernel": (4, 4),
    "cell/hg/kernel": (4, 4),
    "cell/ho/kernel": (4, 4),
    "cell/hi/bias": (4,),
    "cell/hf/bias": (4,),
    "cell/hg/bias": (4,),
    "cell/ho/bias": (4,),
}


def _both_ways(stored: Stored) -> Stored:
    return {f"{way}_rnn/{name}": shape for way in ("forward", "backward") for name, shape in stored.items()}


CASES = (
    Case(
        "dense",
        "type: dense, in_features: 5, out_features: 7",
        keras={"kernel": (5, 7), "bias": (7,)},
        torch={"weight": (7, 5), "bias": (7,)},
        flax={"kernel": (5, 7), "bias": (7,)},
        fans={"kernel": _dense(Fans(5, 7))},
    ),
    Case(
        "dense-without-bias",
        "type: dense, in_features: 5, out_features: 7, bias: false",
        keras={"kernel": (5, 7)},
        torch={"weight": (7, 5)},
        flax={"kernel": (5, 7)},
    ),
    Case(
        "einsum_dense",
        'type: einsum_dense, equation: "abc,cde->abde", in_features: 5, out_features: [2, 3], bias_axes: de',
        keras={"kernel": (5, 2, 3), "bias": (2, 3)},
        torch={"weight": (6, 5), "bias": (6,)},
        flax={"kernel": (5, 2, 3), "bias": (2, 3)},
        fans={"kernel": Kernel(Fans(5, 6), Fans(5, 6), Fans(10, 15), Fans(5, 6), Fans(10, 15))},
    ),
    Case(
        "einsum_dense-of-heads",
        'type: einsum_dense, equation: "...de,dec->...c", in_features: [2, 3], out_features: 5, bias_axes: c',
        keras={"kernel": (2, 3, 5), "bias": (5,)},
        torch={"weight": (5, 6), "bias": (5,)},
        flax={"kernel": (2, 3, 5), "bias": (5,)},
        fans={"kernel": Kernel(Fans(6, 5), Fans(6, 5), Fans(6, 10), Fans(6, 5), Fans(6, 10))},
    ),
    Case(
        "einsum_dense-of-experts",
        'type: einsum_dense, equation: "eci,eio->eco", in_features: 5, out_features: [3, 7], bias_axes: eo',
        keras={"kernel": (3, 5, 7), "bias": (3, 1, 7)},
        torch="PyTorch has no layer with a kernel for each position; use experts",
        flax={"kernel": (3, 5, 7), "bias": (3, 7)},
        fans={"kernel": Kernel(Fans(5, 7), Fans(5, 21), Fans(15, 21), None, Fans(15, 21))},
    ),
    Case(
        "einsum_dense-with-a-bias-for-one-axis",
        'type: einsum_dense, equation: "abc,cde->abde", in_features: 5, out_features: [2, 3], bias_axes: d',
        keras={"kernel": (5, 2, 3), "bias": (2, 1)},
        torch="PyTorch's Linear has a bias for each output; give bias_axes all axes of the outputs",
        flax='the bias of Flax\'s Einsum has all axes of the kernel that the output keeps, "de"',
    ),
    Case(
        "experts",
        "type: experts, num_experts: 3, in_features: 5, out_features: 7, bias: true",
        keras={"kernel": (3, 5, 7), "bias": (3, 7)},
        torch={"weight": (3, 7, 5), "bias": (3, 7)},
        flax={"kernel": (3, 5, 7), "bias": (3, 7)},
        fans={"kernel": Kernel(Fans(5, 7), Fans(15, 21), Fans(15, 21), Fans(35, 15), Fans(15, 21))},
    ),
    Case(
        "conv1d",
        "type: conv1d, in_channels: 4, out_channels: 6, kernel_size: 3",
        keras={"kernel": (3, 4, 6), "bias": (6,)},
        torch={"weight": (6, 4, 3), "bias": (6,)},
        flax={"kernel": (3, 4, 6), "bias": (6,)},
        fans={"kernel": _dense(Fans(12, 18))},
    ),
    Case(
        "conv2d",
        "type: conv2d, in_channels: 4, out_channels: 6, kernel_size: [3, 5]",
        keras={"kernel": (3, 5, 4, 6), "bias": (6,)},
        torch={"weight": (6, 4, 3, 5), "bias": (6,)},
        flax={"kernel": (3, 5, 4, 6), "bias": (6,)},
        fans={"kernel": _dense(Fans(60, 90))},
    ),
    Case(
        "conv2d-in-groups",
        "type: conv2d, in_channels: 4, out_channels: 6, kernel_size: [3, 5], groups: 2, bias: false",
        keras={"kernel": (3, 5, 2, 6)},
        torch={"weight": (6, 2, 3, 5)},
        flax={"kernel": (3, 5, 2, 6)},
        fans={"kernel": Kernel(Fans(30, 45), *(4 * [Fans(30, 90)]))},
    ),
    Case(
        "conv3d",
        "type: conv3d, in_channels: 4, out_channels: 6, kernel_size: [1, 2, 3]",
        keras={"kernel": (1, 2, 3, 4, 6), "bias": (6,)},
        torch={"weight": (6, 4, 1, 2, 3), "bias": (6,)},
        flax={"kernel": (1, 2, 3, 4, 6), "bias": (6,)},
        fans={"kernel": _dense(Fans(24, 36))},
    ),
    # Keras and PyTorch count the outputs as inputs. On average, one in `stride` taps feeds an output.
    Case(
        "conv1d_transpose",
        "type: conv1d_transpose, in_channels: 4, out_channels: 6, kernel_size: 3, stride: 2",
        keras={"kernel": (3, 6, 4), "bias": (6,)},
        torch={"weight": (4, 6, 3), "bias": (6,)},
        flax={"kernel": (3, 4, 6), "bias": (6,)},
        fans={"kernel": Kernel(Fans(6, 18), Fans(18, 12), Fans(18, 12), Fans(18, 12), Fans(12, 18))},
    ),
    Case(
        "conv2d_transpose",
        "type: conv2d_transpose, in_channels: 4, out_channels: 6, kernel_size: [3, 5], stride: [2, 3]",
        keras={"kernel": (3, 5, 6, 4), "bias": (6,)},
        torch={"weight": (4, 6, 3, 5), "bias": (6,)},
        flax={"kernel": (3, 5, 4, 6), "bias": (6,)},
        fans={"kernel": Kernel(Fans(10, 90), Fans(90, 60), Fans(90, 60), Fans(90, 60), Fans(60, 90))},
    ),
    Case(
        "conv2d_transpose-of-a-window-shorter-than-its-stride",
        "type: conv2d_transpose, in_channels: 4, out_channels: 6, kernel_size: [2, 3], stride: [3, 1]",
        keras={"kernel": (2, 3, 6, 4), "bias": (6,)},
        torch={"weight": (4, 6, 2, 3), "bias": (6,)},
        flax={"kernel": (2, 3, 4, 6), "bias": (6,)},
        fans={"kernel": Kernel(Fans(8, 36), Fans(36, 24), Fans(36, 24), Fans(36, 24), Fans(24, 36))},
    ),
    Case(
        "conv2d_transpose-in-groups",
        "type: conv2d_transpose, in_channels: 4, out_channels: 6, kernel_size: 3, groups: 2",
        keras="Keras has no transposed convolution in groups",
        torch={"weight": (4, 3, 3, 3), "bias": (6,)},
        flax="Flax has no transposed convolution in groups",
        fans={"kernel": Kernel(Fans(18, 27), None, None, Fans(27, 36), None)},
    ),
    Case(
        "conv3d_transpose",
        "type: conv3d_transpose, in_channels: 4, out_channels: 6, kernel_size: [1, 2, 3], stride: [1, 2, 2]",
        keras={"kernel": (1, 2, 3, 6, 4), "bias": (6,)},
        torch={"weight": (4, 6, 1, 2, 3), "bias": (6,)},
        flax={"kernel": (1, 2, 3, 4, 6), "bias": (6,)},
        fans={"kernel": Kernel(Fans(6, 36), Fans(36, 24), Fans(36, 24), Fans(36, 24), Fans(24, 36))},
    ),
    # Keras counts all channels as inputs of each channel.
    Case(
        "depthwise_conv1d",
        "type: depthwise_conv1d, in_channels: 4, kernel_size: 3, depth_multiplier: 2",
        keras={"kernel": (3, 4, 2), "bias": (8,)},
        torch={"weight": (8, 1, 3), "bias": (8,)},
        flax={"kernel": (3, 1, 8), "bias": (8,)},
        fans={"kernel": Kernel(Fans(3, 6), Fans(12, 6), Fans(12, 6), Fans(3, 24), Fans(3, 24))},
    ),
    Case(
        "depthwise_conv2d",
        "type: depthwise_conv2d, in_channels: 4, kernel_size: [3, 5], depth_multiplier: 2",
        keras={"kernel": (3, 5, 4, 2), "bias": (8,)},
        torch={"weight": (8, 1, 3, 5), "bias": (8,)},
        flax={"kernel": (3, 5, 1, 8), "bias": (8,)},
        fans={"kernel": Kernel(Fans(15, 30), Fans(60, 30), Fans(60, 30), Fans(15, 120), Fans(15, 120))},
    ),
    Case(
        "separable_conv1d",
        "type: separable_conv1d, in_channels: 4, out_channels: 6, kernel_size: 3, depth_multiplier: 2",
        keras={"depthwise_kernel": (3, 4, 2), "pointwise_kernel": (1, 8, 6), "bias": (6,)},
        torch={"depthwise.weight": (8, 1, 3), "pointwise.weight": (6, 8, 1), "pointwise.bias": (6,)},
        flax={"depthwise/kernel": (3, 1, 8), "pointwise/kernel": (1, 8, 6), "pointwise/bias": (6,)},
        fans={
            "depthwise_kernel": Kernel(Fans(3, 6), Fans(12, 6), Fans(12, 6), Fans(3, 24), Fans(3, 24)),
            "pointwise_kernel": _dense(Fans(8, 6)),
        },
    ),
    Case(
        "separable_conv2d",
        "type: separable_conv2d, in_channels: 4, out_channels: 6, kernel_size: [3, 5], depth_multiplier: 2",
        keras={"depthwise_kernel": (3, 5, 4, 2), "pointwise_kernel": (1, 1, 8, 6), "bias": (6,)},
        torch={"depthwise.weight": (8, 1, 3, 5), "pointwise.weight": (6, 8, 1, 1), "pointwise.bias": (6,)},
        flax={"depthwise/kernel": (3, 5, 1, 8), "pointwise/kernel": (1, 1, 8, 6), "pointwise/bias": (6,)},
        fans={
            "depthwise_kernel": Kernel(
                Fans(15, 30), Fans(60, 30), Fans(60, 30), Fans(15, 120), Fans(15, 120)
            ),
            "pointwise_kernel": _dense(Fans(8, 6)),
        },
    ),
    Case(
        "embedding",
        "type: embedding, num_embeddings: 11, embedding_dim: 5",
        keras={"embeddings": (11, 5)},
        torch={"weight": (11, 5)},
        flax={"embedding": (11, 5)},
        fans={"embeddings": Kernel(Fans(5, 11), Fans(11, 5), Fans(11, 5), Fans(5, 11), Fans(5, 5))},
    ),
    Case(
        "simple_rnn",
        "type: simple_rnn, input_size: 5, hidden_size: 4",
        keras={
            "simple_rnn_cell/kernel": (5, 4),
            "simple_rnn_cell/recurrent_kernel": (4, 4),
            "simple_rnn_cell/bias": (4,),
        },
        torch={"weight_ih_l0": (4, 5), "weight_hh_l0": (4, 4), "bias_ih_l0": (4,), "bias_hh_l0": (4,)},
        flax={"cell/i/kernel": (5, 4), "cell/i/bias": (4,), "cell/h/kernel": (4, 4)},
        fans=_gates("", 5, 4),
    ),
    Case(
        "gru",
        "type: gru, input_size: 5, hidden_size: 4",
        keras={
            "gru_cell/kernel": (5, 12),
            "gru_cell/recurrent_kernel": (4, 12),
            "gru_cell/bias": (2, 12),
        },
        torch={"weight_ih_l0": (12, 5), "weight_hh_l0": (12, 4), "bias_ih_l0": (12,), "bias_hh_l0": (12,)},
        flax=_FLAX_GRU,
        fans=_gates(_GRU, 5, 4),
    ),
    Case(
        "gru-without-bias",
        "type: gru, input_size: 5, hidden_size: 4, bias: false",
        keras={"gru_cell/kernel": (5, 12), "gru_cell/recurrent_kernel": (4, 12)},
        torch={"weight_ih_l0": (12, 5), "weight_hh_l0": (12, 4)},
        flax=FLAX_BIAS,
    ),
    Case(
        "gru-that-resets-before-the-product",
        "type: gru, input_size: 5, hidden_size: 4, reset_after: false",
        keras={"gru_cell/kernel": (5, 12), "gru_cell/recurrent_kernel": (4, 12), "gru_cell/bias": (12,)},
        torch="PyTorch's GRU resets after the product",
        flax="Flax's GRUCell resets after the product",
    ),
    Case(
        "lstm",
        "type: lstm, input_size: 5, hidden_size: 4",
        keras={"lstm_cell/kernel": (5, 16), "lstm_cell/recurrent_kernel": (4, 16), "lstm_cell/bias": (16,)},
        torch={"weight_ih_l0": (16, 5), "weight_hh_l0": (16, 4), "bias_ih_l0": (16,), "bias_hh_l0": (16,)},
        flax=_FLAX_LSTM,
        fans=_gates(_LSTM, 5, 4),
    ),
    Case(
        "lstm-that-does-not-forget",
        "type: lstm, input_size: 5, hidden_size: 4, unit_forget_bias: true",
        keras={"lstm_cell/kernel": (5, 16), "lstm_cell/recurrent_kernel": (4, 16), "lstm_cell/bias": (16,)},
        torch={"weight_ih_l0": (16, 5), "weight_hh_l0": (16, 4), "bias_ih_l0": (16,), "bias_hh_l0": (16,)},
        flax=_FLAX_LSTM,
    ),
    Case(
        "lstm-without-bias",
        "type: lstm, input_size: 5, hidden_size: 4, bias: false",
        keras={"lstm_cell/kernel": (5, 16), "lstm_cell/recurrent_kernel": (4, 16)},
        torch={"weight_ih_l0": (16, 5), "weight_hh_l0": (16, 4)},
        flax=FLAX_BIAS,
    ),
    Case(
        "lstm-of-two-layers",
        "type: lstm, input_size: 5, hidden_size: 4, num_layers: 2",
        keras=KERAS_STACK,
        torch={
            "weight_ih_l0": (16, 5),
            "weight_hh_l0": (16, 4),
            "bias_ih_l0": (16,),
            "bias_hh_l0": (16,),
            "weight_ih_l1": (16, 4),
            "weight_hh_l1": (16, 4),
            "bias_ih_l1": (16,),
            "bias_hh_l1": (16,),
        },
        flax=FLAX_STACK,
    ),
    Case(
        "bidirectional-gru",
        "type: bidirectional, layer: {type: gru, input_size: 5, hidden_size: 4}",
        keras={
            "forward_gru/gru_cell/kernel": (5, 12),
            "forward_gru/gru_cell/recurrent_kernel": (4, 12),
            "forward_gru/gru_cell/bias": (2, 12),
            "backward_gru/gru_cell/kernel": (5, 12),
            "backward_gru/gru_cell/recurrent_kernel": (4, 12),
            "backward_gru/gru_cell/bias": (2, 12),
        },
        torch={
            "weight_ih_l0": (12, 5),
            "weight_hh_l0": (12, 4),
            "bias_ih_l0": (12,),
            "bias_hh_l0": (12,),
            "weight_ih_l0_reverse": (12, 5),
            "weight_hh_l0_reverse": (12, 4),
            "bias_ih_l0_reverse": (12,),
            "bias_hh_l0_reverse": (12,),
        },
        flax=_both_ways(_FLAX_GRU),
        fans={**_gates(_GRU, 5, 4, "forward/"), **_gates(_GRU, 5, 4, "backward/")},
    ),
    Case(
        "bidirectional-lstm",
        "type: bidirectional, layer: {type: lstm, input_size: 5, hidden_size: 4}",
        keras={
            "forward_lstm/lstm_cell/kernel": (5, 16),
            "forward_lstm/lstm_cell/recurrent_kernel": (4, 16),
            "forward_lstm/lstm_cell/bias": (16,),
            "backward_lstm/lstm_cell/kernel": (5, 16),
            "backward_lstm/lstm_cell/recurrent_kernel": (4, 16),
            "backward_lstm/lstm_cell/bias": (16,),
        },
        torch={
            "weight_ih_l0": (16, 5),
            "weight_hh_l0": (16, 4),
            "bias_ih_l0": (16,),
            "bias_hh_l0": (16,),
            "weight_ih_l0_reverse": (16, 5),
            "weight_hh_l0_reverse": (16, 4),
            "bias_ih_l0_reverse": (16,),
            "bias_hh_l0_reverse": (16,),
        },
        flax=_both_ways(_FLAX_LSTM),
    ),
    Case(
        "bidirectional-simple_rnn-of-two-layers",
        "type: bidirectional, layer: {type: simple_rnn, input_size: 5, hidden_size: 4, num_layers: 2}",
        keras=KERAS_STACK,
        torch={
            "weight_ih_l0": (4, 5),
            "weight_hh_l0": (4, 4),
            "bias_ih_l0": (4,),
            "bias_hh_l0": (4,),
            "weight_ih_l0_reverse": (4, 5),
            "weight_hh_l0_reverse": (4, 4),
            "bias_ih_l0_reverse": (4,),
            "bias_hh_l0_reverse": (4,),
            "weight_ih_l1": (4, 8),
            "weight_hh_l1": (4, 4),
            "bias_ih_l1": (4,),
            "bias_hh_l1": (4,),
            "weight_ih_l1_reverse": (4, 8),
            "weight_hh_l1_reverse": (4, 4),
            "bias_ih_l1_reverse": (4,),
            "bias_hh_l1_reverse": (4,),
        },
        flax=FLAX_STACK,
    ),
    # Keras before 3.15 counts the heads as a window. PyTorch packs three kernels, which triples the outputs.
    Case(
        "multi_head_attention",
        "type: multi_head_attention, embed_dim: 8, num_heads: 2",
        keras={
            "query/kernel": (8, 2, 4),
            "query/bias": (2, 4),
            "key/kernel": (8, 2, 4),
            "key/bias": (2, 4),
            "value/kernel": (8, 2, 4),
            "value/bias": (2, 4),
            "attention_output/kernel": (2, 4, 8),
            "attention_output/bias": (8,),
        },
        torch={
            "in_proj_weight": (24, 8),
            "in_proj_bias": (24,),
            "out_proj.weight": (8, 8),
            "out_proj.bias": (8,),
        },
        flax={
            "query/kernel": (8, 2, 4),
            "query/bias": (2, 4),
            "key/kernel": (8, 2, 4),
            "key/bias": (2, 4),
            "value/kernel": (8, 2, 4),
            "value/bias": (2, 4),
            "out/kernel": (2, 4, 8),
            "out/bias": (8,),
        },
        fans={
            **{
                f"{name}/kernel": Kernel(Fans(8, 8), Fans(8, 8), Fans(16, 32), Fans(8, 24), Fans(8, 8))
                for name in ("query", "key", "value")
            },
            "output/kernel": Kernel(Fans(8, 8), Fans(8, 8), Fans(8, 16), Fans(8, 8), Fans(8, 8)),
        },
    ),
    Case(
        "multi_head_attention-of-three-widths",
        "type: multi_head_attention, embed_dim: 8, num_heads: 2, kdim: 6, vdim: 7",
        keras={
            "query/kernel": (8, 2, 4),
            "query/bias": (2, 4),
            "key/kernel": (6, 2, 4),
            "key/bias": (2, 4),
            "value/kernel": (7, 2, 4),
            "value/bias": (2, 4),
            "attention_output/kernel": (2, 4, 8),
            "attention_output/bias": (8,),
        },
        torch={
            "q_proj_weight": (8, 8),
            "k_proj_weight": (8, 6),
            "v_proj_weight": (8, 7),
            "in_proj_bias": (24,),
            "out_proj.weight": (8, 8),
            "out_proj.bias": (8,),
        },
        flax={
            "query/kernel": (8, 2, 4),
            "query/bias": (2, 4),
            "key/kernel": (6, 2, 4),
            "key/bias": (2, 4),
            "value/kernel": (7, 2, 4),
            "value/bias": (2, 4),
            "out/kernel": (2, 4, 8),
            "out/bias": (8,),
        },
        fans={
            "query/kernel": Kernel(Fans(8, 8), Fans(8, 8), Fans(16, 32), Fans(8, 8), Fans(8, 8)),
            "key/kernel": Kernel(Fans(6, 8), Fans(6, 8), Fans(12, 24), Fans(6, 8), Fans(6, 8)),
            "value/kernel": Kernel(Fans(7, 8), Fans(7, 8), Fans(14, 28), Fans(7, 8), Fans(7, 8)),
        },
    ),
    Case(
        "multi_head_attention-of-narrow-heads",
        "type: multi_head_attention, embed_dim: 8, num_heads: 2, head_dim: 3, bias: false",
        keras={
            "query/kernel": (8, 2, 3),
            "key/kernel": (8, 2, 3),
            "value/kernel": (8, 2, 3),
            "attention_output/kernel": (2, 3, 8),
        },
        torch="PyTorch's MultiheadAttention has heads of embed_dim / num_heads",
        flax={
            "query/kernel": (8, 2, 3),
            "key/kernel": (8, 2, 3),
            "value/kernel": (8, 2, 3),
            "out/kernel": (2, 3, 8),
        },
        fans={
            "query/kernel": Kernel(Fans(8, 6), Fans(8, 6), Fans(16, 24), None, Fans(8, 6)),
            "output/kernel": Kernel(Fans(6, 8), Fans(6, 8), Fans(6, 16), None, Fans(6, 8)),
        },
    ),
    Case(
        "grouped_query_attention",
        "type: grouped_query_attention, embed_dim: 8, num_heads: 4, num_kv_heads: 2",
        keras={
            "query/kernel": (8, 4, 2),
            "query/bias": (4, 2),
            "key/kernel": (8, 2, 2),
            "key/bias": (2, 2),
            "value/kernel": (8, 2, 2),
            "value/bias": (2, 2),
            "attention_output/kernel": (4, 2, 8),
            "attention_output/bias": (8,),
        },
        torch={
            "q_proj.weight": (8, 8),
            "q_proj.bias": (8,),
            "k_proj.weight": (4, 8),
            "k_proj.bias": (4,),
            "v_proj.weight": (4, 8),
            "v_proj.bias": (4,),
            "o_proj.weight": (8, 8),
            "o_proj.bias": (8,),
        },
        flax={
            "query/kernel": (8, 4, 2),
            "query/bias": (4, 2),
            "key/kernel": (8, 2, 2),
            "key/bias": (2, 2),
            "value/kernel": (8, 2, 2),
            "value/bias": (2, 2),
            "out/kernel": (4, 2, 8),
            "out/bias": (8,),
        },
        fans={
            "query/kernel": Kernel(Fans(8, 8), Fans(8, 8), Fans(32, 16), Fans(8, 8), Fans(8, 8)),
            "key/kernel": Kernel(Fans(8, 4), Fans(8, 4), Fans(16, 16), Fans(8, 4), Fans(8, 4)),
            "value/kernel": Kernel(Fans(8, 4), Fans(8, 4), Fans(16, 16), Fans(8, 4), Fans(8, 4)),
            "output/kernel": Kernel(Fans(8, 8), Fans(8, 8), Fans(8, 32), Fans(8, 8), Fans(8, 8)),
        },
    ),
    Case(
        "layer_normalization",
        "type: layer_normalization, features: 6",
        keras={"gamma": (6,), "beta": (6,)},
        torch={"weight": (6,), "bias": (6,)},
        flax={"scale": (6,), "bias": (6,)},
    ),
    Case(
        "layer_normalization-of-two-axes",
        "type: layer_normalization, features: [4, 6]",
        keras={"gamma": (4, 6), "beta": (4, 6)},
        torch={"weight": (4, 6), "bias": (4, 6)},
        flax={"scale": (4, 6), "bias": (4, 6)},
    ),
    Case(
        "layer_normalization-without-shift",
        "type: layer_normalization, features: 6, center: false",
        keras={"gamma": (6,)},
        torch={"weight": (6,)},
        flax={"scale": (6,)},
    ),
    Case(
        "layer_normalization-without-scale",
        "type: layer_normalization, features: 6, scale: false",
        keras={"beta": (6,)},
        torch=TORCH_SHIFT,
        flax={"bias": (6,)},
    ),
    Case(
        "rms_normalization",
        "type: rms_normalization, features: 6",
        keras={"scale": (6,)},
        torch={"weight": (6,)},
        flax={"scale": (6,)},
    ),
    Case(
        "batch_normalization",
        "type: batch_normalization, features: 6",
        keras={"gamma": (6,), "beta": (6,), "moving_mean": (6,), "moving_variance": (6,)},
        torch={
            "weight": (6,),
            "bias": (6,),
            "running_mean": (6,),
            "running_var": (6,),
            "num_batches_tracked": (),
        },
        flax={"scale": (6,), "bias": (6,), "batch_stats:mean": (6,), "batch_stats:var": (6,)},
    ),
    Case(
        "batch_normalization-of-statistics-alone",
        "type: batch_normalization, features: 6, scale: false, center: false",
        keras={"moving_mean": (6,), "moving_variance": (6,)},
        torch={"running_mean": (6,), "running_var": (6,), "num_batches_tracked": ()},
        flax={"batch_stats:mean": (6,), "batch_stats:var": (6,)},
    ),
    Case(
        "batch_normalization-without-scale",
        "type: batch_normalization, features: 6, scale: false",
        keras={"beta": (6,), "moving_mean": (6,), "moving_variance": (6,)},
        torch=TORCH_PAIR,
        flax={"bias": (6,), "batch_stats:mean": (6,), "batch_stats:var": (6,)},
    ),
    Case(
        "group_normalization",
        "type: group_normalization, features: 6, groups: 3",
        keras={"gamma": (6,), "beta": (6,)},
        torch={"weight": (6,), "bias": (6,)},
        flax={"scale": (6,), "bias": (6,)},
    ),
    Case(
        "p_re_lu-of-channels",
        "type: p_re_lu, shape: 6",
        keras={"alpha": (6,)},
        torch={"weight": (6,)},
        flax="Flax's PReLU has one slope for all: give shape: [1]",
    ),
    Case(
        "p_re_lu-of-channels-of-images",
        "type: p_re_lu, shape: [1, 1, 6]",
        keras={"alpha": (1, 1, 6)},
        torch={"weight": (6,)},
        flax="Flax's PReLU has one slope for all: give shape: [1]",
    ),
    Case(
        "p_re_lu-of-one-slope",
        "type: p_re_lu, shape: 1",
        keras={"alpha": (1,)},
        torch={"weight": (1,)},
        flax={"negative_slope": ()},
    ),
    Case(
        "p_re_lu-of-a-slope-each",
        "type: p_re_lu, shape: [5, 6]",
        keras={"alpha": (5, 6)},
        torch="PyTorch's PReLU has one slope for each channel, or one for all",
        flax="Flax's PReLU has one slope for all: give shape: [1]",
    ),
)

_HIDDEN = {
    "simple_rnn": ("recurrent_bias",),
    "gru": ("recurrent_bias_update", "recurrent_bias_reset", "recurrent_bias_candidate"),
    "lstm": ("recurrent_bias_input", "recurrent_bias_forget", "recurrent_bias_cell", "recurrent_bias_output"),
}

UNSTORED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("keras", "simple_rnn"): _HIDDEN["simple_rnn"],
    ("keras", "gru-that-resets-before-the-product"): _HIDDEN["gru"],
    ("keras", "lstm"): _HIDDEN["lstm"],
    ("keras", "lstm-that-does-not-forget"): _HIDDEN["lstm"],
    ("keras", "bidirectional-lstm"): tuple(
        f"{way}/{param_name}" for way in ("forward", "backward") for param_name in _HIDDEN["lstm"]
    ),
    ("flax", "simple_rnn"): _HIDDEN["simple_rnn"],
    ("flax", "gru"): _HIDDEN["gru"][:2],
    ("flax", "lstm"): _HIDDEN["lstm"],
    ("flax", "lstm-that-does-not-forget"): _HIDDEN["lstm"],
    ("flax", "bidirectional-gru"): tuple(
        f"{way}/{param_name}" for way in ("forward", "backward") for param_name in _HIDDEN["gru"][:2]
    ),
    ("flax", "bidirectional-lstm"): tuple(
        f"{way}/{param_name}" for way in ("forward", "backward") for param_name in _HIDDEN["lstm"]
    ),
    **{
        (framework, case): ("num_batches_tracked",)
        for framework in ("keras", "flax")
        for case in (
            "batch_normalization",
            "batch_normalization-of-statistics-alone",
            "batch_normalization-without-scale",
        )
    },
}
"""(framework, case) -> the parameters that it does not store: second biases of zeros, and a counter."""
