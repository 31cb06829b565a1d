"""Fields of derived layers: helpers and facts that recognition and the readers share."""

from __future__ import annotations

from lecun_cli.derive.described_model import Fields, Map
from lecun_cli.initializers.fans import Shape

GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}
"""Gates of each recurrent layer type: its kernels have `gates * hidden_size` outputs."""
STRIDE_UNKNOWN = "stride unknown: assumed to be 1; the fan-in is divided by the stride"
GROUPS_UNKNOWN = "groups unknown: in_channels counts the channels of one group"


def with_bias(fields: Fields, bias: object, *, default: bool = True) -> Fields:
    """Add `bias` to fields if it differs from the default of the layer type.

    Args:
        fields: Fields of a layer.
        bias: The bias or its shape; None and False mean that the layer has no bias.
        default: The default of the layer type.
    """
    has = bias is not None and bias is not False
    return fields if has == default else (*fields, ("bias", has))


def with_center(fields: Fields, center: bool) -> Fields:
    """Add `center: false` to the fields of a normalization that has no shift."""
    return fields if center else (*fields, ("center", False))


def compact_sizes(sizes: Shape) -> int | Shape:
    """Return one number if all axes have the same size, such as a kernel size, else all sizes."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


def compact_features(sizes: Shape) -> int | Shape:
    """Return the normalized shape as the field `features`: one number if it has one axis."""
    return sizes[0] if len(sizes) == 1 else sizes


def bidirectional_fields(layer_type: str, fields: Fields) -> Fields:
    """Return the fields of a `bidirectional` layer around a recurrent layer."""
    return (("layer", Map((("type", layer_type), *fields))),)
