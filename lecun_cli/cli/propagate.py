"""`lecun-init propagate SPEC|FILE`: what the layers do to a signal of mean 0 and variance 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lecun_cli.cli import completion
from lecun_cli.cli.options import (
    DTypeOption,
    FanRuleOption,
    FrameworkOption,
    JsonOption,
    QuietOption,
    SeedOption,
    SetOption,
    read_spec,
)
from lecun_cli.cli.picture import PlotOption, ReplaceOption, ThemeOption, picture_path, write_picture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lecun_cli.propagation.network_source import Network


def _initializers() -> Iterable[str]:
    """Those that can be compared: the random ones."""
    from lecun_cli.initializers.family import FAMILY

    return (name for name, row in FAMILY.items() if row.is_random)


def _activations() -> Iterable[str]:
    from lecun_cli.propagation.activations import ACTIVATIONS

    return ACTIVATIONS


def propagate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SPEC|FILE",
            help="A spec or a sample's name, - for stdin; or a weight file, anybody's, whose layers are "
            "recognised and whose weights are read.",
            autocompletion=completion.samples,
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="FILE", help="Read the weights of the spec's layers from a file."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="NAME,NAME",
            help="Also with these initializers in place of that of every random kernel.",
            autocompletion=completion.values(_initializers),
        ),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(
            "--activation",
            metavar="NAME",
            help="For layers that name no activation, except the last.",
            autocompletion=completion.values(_activations),
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option("--samples", metavar="N", help="Inputs; 1024, or fewer images.")
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(
            "--image-size",
            metavar="HxW",
            help="The images: one size, or one for each axis; else the smallest that leads through.",
        ),
    ] = None,
    input_seed: Annotated[int, typer.Option("--input-seed", metavar="N", help="The seed of the inputs.")] = 0,
    plot: PlotOption = None,
    theme: ThemeOption = "light",
    force: ReplaceOption = False,
    seed: SeedOption = None,
    framework: FrameworkOption = None,
    dtype: DTypeOption = None,
    assignments: SetOption = None,
    fan_rule: FanRuleOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the layers as CSV on stdout.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Send inputs of variance 1 through the layers, and show mean and variance at every depth.

    Example: lecun-init propagate selu_32 --compare he_normal,glorot_uniform --plot selu.png
    """
    from lecun_cli.cli.progress import Bar
    from lecun_cli.cli.propagate_output import as_csv_text, as_json_text, print_tables
    from lecun_cli.cli.report import emit
    from lecun_cli.errors import UsageError
    from lecun_cli.plan.planner import make_plan
    from lecun_cli.propagation.propagator import propagate as walk

    if as_json and as_csv:
        raise UsageError("--json and --csv contradict each other")
    picture = picture_path(plot, theme, force=force)
    names = [name.strip() for text in compare or () for name in text.split(",") if name.strip()]
    network = _network(
        source,
        weights,
        seed=seed,
        framework=framework,
        dtype=dtype,
        fan_rule=fan_rule,
        assignments=assignments,
    )
    runs = 1 + len(names)
    with Bar("propagating", lambda: runs * make_plan(network.spec).nbytes, quiet=quiet) as bar:
        propagation = walk(
            network,
            compare=names,
            activation=activation,
            samples=samples,
            image_size=_sizes(image_size),
            input_seed=input_seed,
            progress=bar.update,
        )
    if as_json:
        emit(as_json_text(propagation))
    elif as_csv:
        emit(as_csv_text(propagation))
    elif not quiet:
        print_tables(propagation)
    if picture is not None:
        from lecun_cli.propagation.signal_plot import draw, title_of

        write_picture(
            lambda chosen: draw(propagation, chosen),
            picture,
            theme,
            title=title_of(propagation),
            force=force,
            quiet=quiet,
        )


def _network(
    source: str,
    weights: str | None,
    *,
    seed: int | None,
    framework: str | None,
    dtype: str | None,
    fan_rule: str | None,
    assignments: list[str] | None,
) -> Network:
    """What is walked.

    Raises:
        UsageError: The options do not go together, or there is no such file.
    """
    from pathlib import Path

    from lecun_cli.errors import UsageError
    from lecun_cli.propagation.network_source import Network, is_weights, read_network

    if is_weights(source):
        spec_options = {
            "--weights": weights,
            "--framework": framework,
            "--dtype": dtype,
            "--fan-rule": fan_rule,
            "--set": assignments,
        }
        for option, value in spec_options.items():
            if value:
                raise UsageError(
                    f"{option} goes with a spec, and {source} is a weight file, which has its own layers",
                    help="give the spec, and the file with --weights",
                )
        return read_network(source, seed=seed)
    spec = read_spec(
        source, seed=seed, framework=framework, dtype=dtype, fan_rule=fan_rule, assignments=assignments
    )
    return Network(spec, None if weights is None else Path(weights))


def _sizes(text: str | None) -> tuple[int, ...] | None:
    """`224` or `224x160` as sizes.

    Raises:
        UsageError: It is neither.
    """
    from lecun_cli.errors import UsageError

    if text is None:
        return None
    parts = text.lower().split("x")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise UsageError(f'--image-size takes sizes such as 32 or 28x28, found "{text}"')
    return tuple(int(part) for part in parts)
