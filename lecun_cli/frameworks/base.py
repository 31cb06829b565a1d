"""What a framework is to us: a table of names and storage orders, and a rule for fans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lecun_cli.fans import Fans, Shape


@dataclass(frozen=True)
class Slot:
    """One stored tensor of a layer kind.

    Attributes:
        name: Its name within the layer (`weight`).
        roles: The canonical parameters that it packs, in order; most slots hold one.
        axes: Stored axis k is axis `axes[k]` of the canonical parameter; None where the order is the same.
        along: The stored axis along which several parameters are packed.
    """

    name: str
    roles: tuple[str, ...]
    axes: tuple[int, ...] | None = None
    along: int = 0

    def stored(self, shape: Shape) -> Shape:
        """The stored shape of a parameter of the canonical shape `shape`."""
        return shape if self.axes is None else tuple(shape[axis] for axis in self.axes)


def slot(name: str, role: str, axes: tuple[int, ...] | None = None) -> Slot:
    """A slot of one parameter."""
    return Slot(name, (role,), axes)


Table = Mapping[str, tuple[Slot, ...]]


@dataclass(frozen=True)
class Framework:
    """A framework's names, storage orders and fan rule.

    Attributes:
        name: As a spec and `--framework` name it.
        separator: What stands between the parts of a tensor's name.
        table: The slots of every layer kind; a canonical parameter in no slot is not stored.
        fans: The fans that the framework computes from a stored shape, right or wrong.
        header: The value of `format` in the metadata of a safetensors file.
    """

    name: str
    separator: str
    table: Table
    fans: Callable[[Shape], Fans]
    header: str

    def tensor_name(self, path: tuple[str, ...], leaf: str) -> str:
        """The name of a stored tensor."""
        return self.separator.join((*path, leaf))
