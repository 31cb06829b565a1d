"""Groups of options: one parameter of a command stands for several options.

A group is a NamedTuple, since the creation of a dataclass takes ten times as long, and `--help` creates all.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Make every field of a group of options an option of the command.

    Typer reads the options of a command from its signature. The command that is returned has the fields
    of the group in place of the parameter, and passes on the group.

    Args:
        command: A command whose parameters are arguments, options, or NamedTuples whose fields are options.

    Returns:
        The command for Typer.

    Example:
        A command with a group of options::

            class PictureOptions(NamedTuple):
                plot: Annotated[str | None, typer.Option("--plot")] = None


            @with_option_groups
            def inspect(path: str, *, picture: PictureOptions) -> None: ...
    """
    groups: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if hasattr(parameter.annotation, "_fields"):
            groups[parameter.name] = parameter.annotation
            parameters += _options(parameter.annotation)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def call(**arguments: object) -> None:
        for name, group in groups.items():
            arguments[name] = group(*(arguments.pop(field) for field in group._fields))
        command(**arguments)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _options(group: Any) -> list[inspect.Parameter]:  # noqa: ANN401 - a class of NamedTuples
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field,
            inspect.Parameter.KEYWORD_ONLY,
            default=group._field_defaults.get(field, inspect.Parameter.empty),
            annotation=hints[field],
        )
        for field in group._fields
    ]
