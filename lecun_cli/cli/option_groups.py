"""Options that commands share as one parameter: a dataclass stands for several options."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import get_type_hints


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Make every field of a dataclass parameter an option of the command.

    Typer reads the options of a command from its signature. The command that is returned has the fields
    of the dataclass in place of the parameter, and passes on an instance of the dataclass.

    Args:
        command: A command whose parameters are options, arguments, or dataclasses with an annotation that
            Typer understands for every field.

    Returns:
        The command for Typer.

    Example:
        A command with the options of a dataclass::

            @dataclass(frozen=True)
            class PictureOptions:
                plot: Annotated[str | None, typer.Option("--plot")] = None


            @with_option_groups
            def inspect(path: str, *, picture: PictureOptions) -> None: ...
    """
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation):
            groups[parameter.name] = parameter.annotation
            parameters += _options(parameter.annotation)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def call(**arguments: object) -> None:
        for name, group in groups.items():
            arguments[name] = group(**{field.name: arguments.pop(field.name) for field in fields(group)})
        command(**arguments)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _options(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
