"""`lecun-init propagate SPEC|FILE`: show how layers change the mean and variance of a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lecun_cli.cli import completion
from lecun_cli.cli.option_groups import with_option_groups
from lecun_cli.cli.options import JsonOption, QuietOption, SpecOptions, read_spec
from lecun_cli.cli.picture import PictureOptions

if TYPE_CHECKING:
    from lecun_cli.propagation.network_source import Network


class SignalOptions(NamedTuple):
    """Options about the initializers, activations and inputs that are compared.

    Attributes:
        compare: Texts of names of initializers, separated by commas.
        activation: The activation of layers that name none.
        samples: The number of inputs, or None to choose by their size.
        image_size: The sizes of an image, separated by `x`, or None for the smallest that fits.
        input_seed: The seed of the inputs.
    """

    compare: Annotated[
        list[str] | None,
        typer.Option(
            "--compare",
            metavar="NAME,NAME",
            help="Also run with these initializers for all random kernels.",
            autocompletion=completion.values(completion.random_initializers),
        ),
    ] = None
    activation: Annotated[
        str | None,
        typer.Option(
            "--activation",
            metavar="NAME",
            help="Activation of layers that name none, except the last layer.",
            autocompletion=completion.values(completion.activations),
        ),
    ] = None
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            metavar="N",
            help="Number of inputs. Default: 1024, or fewer if they are large images.",
        ),
    ] = None
    image_size: Annotated[
        str | None,
        typer.Option(
            "--image-size",
            metavar="HxW",
            help="Size of the images: 32, or one size for each axis. Default: the smallest image that fits.",
        ),
    ] = None
    input_seed: Annotated[int, typer.Option("--input-seed", metavar="N", help="Seed of the inputs.")] = 0

    def initializers(self) -> list[str]:
        """Return the names of the initializers to compare."""
        return [name.strip() for text in self.compare or () for name in text.split(",") if name.strip()]

    def image_sizes(self) -> tuple[int, ...] | None:
        """Return the size of an image for every axis, or one size for all, or None.

        Raises:
            UsageError: The option is not a list of sizes.
        """
        from lecun_cli.errors import UsageError

        if self.image_size is None:
            return None
        sizes = self.image_size.lower().split("x")
        if not all(size.isascii() and size.isdigit() and len(size) < 10 for size in sizes):
            raise UsageError(f'--image-size: expected sizes such as 32 or 28x28, got "{self.image_size}"')
        return tuple(int(size) for size in sizes)


@with_option_groups
def propagate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SPEC|FILE",
            help="Spec file or the name of a sample spec, - for stdin; or any weight file: its layers are "
            "recognized and its weights are used.",
            autocompletion=completion.samples,
        ),
    ],
    *,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="FILE", help="Read the weights of the spec's layers from a file."),
    ] = None,
    signal_options: SignalOptions,
    picture_options: PictureOptions,
    spec_options: SpecOptions,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print a row for each layer as CSV on stdout.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Send inputs of variance 1 through the layers, and show the mean and variance after each.

    Example: lecun-init propagate selu_32 --compare he_normal,glorot_uniform --plot selu.png
    """
    from lecun_cli.cli.progress import Bar
    from lecun_cli.cli.propagate_output import as_csv_text, as_json_text, print_tables
    from lecun_cli.cli.report import emit
    from lecun_cli.errors import UsageError
    from lecun_cli.plan.planner import make_plan
    from lecun_cli.propagation.propagator import propagate as propagate_network

    if as_json and as_csv:
        raise UsageError("--json and --csv contradict each other")
    picture_options.check()
    network = _network(source, weights, spec_options)
    initializers = signal_options.initializers()
    n_runs = 1 + len(initializers)
    with Bar("propagating", lambda: n_runs * make_plan(network.spec).nbytes, quiet=quiet) as bar:
        propagation = propagate_network(
            network,
            compare=initializers,
            activation=signal_options.activation,
            samples=signal_options.samples,
            image_size=signal_options.image_sizes(),
            input_seed=signal_options.input_seed,
            progress=bar.update,
        )
    if as_json:
        emit(as_json_text(propagation))
    elif as_csv:
        emit(as_csv_text(propagation))
    elif not quiet:
        print_tables(propagation)
    if picture_options.plot is not None:
        from lecun_cli.propagation.signal_plot import draw, title_of

        title = title_of(propagation)
        picture_options.write(lambda theme: draw(propagation, theme), title=title, quiet=quiet)


def _network(source: str, weights: str | None, spec_options: SpecOptions) -> Network:
    """Read the network that the command line names.

    Raises:
        UsageError: An option that needs a spec was given with a weight file, or a file does not exist.
    """
    from pathlib import Path

    from lecun_cli.errors import UsageError
    from lecun_cli.propagation.network_source import Network, is_weights, read_network

    if not is_weights(source):
        return Network(read_spec(source, spec_options), None if weights is None else Path(weights))
    needs_spec = {
        "--weights": weights,
        "--framework": spec_options.framework,
        "--dtype": spec_options.dtype,
        "--fan-rule": spec_options.fan_rule,
        "--set": spec_options.assignments,
    }
    for option, value in needs_spec.items():
        if value:
            raise UsageError(
                f"{option} needs a spec, but {source} is a weight file",
                help="give the spec, and the weight file with --weights",
            )
    return read_network(source, seed=spec_options.seed)
