"""The commands, and `generate` as the default command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from lecun_cli.cli.derive import derive
from lecun_cli.cli.generate import generate
from lecun_cli.cli.inspect import inspect
from lecun_cli.cli.main import Carried
from lecun_cli.cli.plan import plan
from lecun_cli.cli.propagate import propagate
from lecun_cli.cli.samples import samples
from lecun_cli.cli.schema import schema
from lecun_cli.cli.slice import slice_
from lecun_cli.cli.verify import verify

if TYPE_CHECKING:
    from typer._click.core import Context
    from typer._click.shell_completion import CompletionItem


class DefaultCommandGroup(TyperGroup):
    """A group that runs `generate` if the first argument is not one of its commands or options."""

    default = "generate"

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Insert the default command if the first argument is not a command."""
        group_options = {option for p in self.get_params(ctx) for option in (*p.opts, *p.secondary_opts)}
        first = args[0].partition("=")[0] if args else ""
        if (
            args
            and args[0] not in self.commands
            and first not in group_options
            and not self._is_near(first, group_options)
        ):
            self._check_typo(ctx, args)
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Context) -> object:
        """Run the command, and carry an interruption past Typer."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise Carried(error) from error

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands, and the names of samples for the default command."""
        from typer._click.shell_completion import CompletionItem

        from lecun_cli.cli.completion import samples as matching

        items = super().shell_complete(ctx, incomplete)
        return items + [CompletionItem(name) for name in matching(incomplete)] if incomplete else items

    @staticmethod
    def _is_near(argument: str, options: set[str]) -> bool:
        """Return whether an argument is a misspelled option of the group, which the group then reports."""
        import difflib

        return argument.startswith("--") and bool(
            difflib.get_close_matches(argument, options, n=1, cutoff=0.75)
        )

    def _check_typo(self, ctx: Context, args: list[str]) -> None:
        """Reject an argument that is more likely a misspelled command or sample than a spec.

        Without an output option, any argument that does not exist is rejected.
        """
        import difflib
        import os

        from lecun_cli.spec.samples import sample_names

        argument = args[0]
        if (
            argument.startswith("-")
            or ctx.resilient_parsing
            or os.path.exists(argument)  # false for an impossible path, too
            or argument in sample_names()
        ):
            return
        close = difflib.get_close_matches(argument, [*self.commands, *sample_names()], n=1, cutoff=0.7)
        if close and (close[0] in self.commands or not _names_output(args)):
            ctx.fail(f'no command or spec "{argument}"; did you mean {close[0]}?')
        if not _names_output(args):
            ctx.fail(f'no command or spec "{argument}"; the commands are: {", ".join(self.commands)}')


def _names_output(args: list[str]) -> bool:
    return any(arg.startswith(("-o", "--output")) for arg in args)


app = typer.Typer(
    cls=DefaultCommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="lecun-init SPEC -o OUT is short for lecun-init generate SPEC -o OUT.",
)


def _print_version(requested: bool) -> None:
    if requested:
        from lecun_cli._version import __version__
        from lecun_cli.stream._kernel.loader import load

        typer.echo(f"lecun-init {__version__} (stream 1, {load().state})")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Generate files of initial weights.

    Exact LeCun-normal tensors, the same bits on every machine, in bounded memory.
    """


for _command, _name, _short in (
    (generate, "generate", "Generate the weight file of a spec, and its manifest."),
    (plan, "plan", "Show the tensors of a spec and their sizes."),
    (verify, "verify", "Verify a weight file against its manifest and its seed."),
    (inspect, "inspect", "Check a weight file against its expected distributions."),
    (propagate, "propagate", "Show how layers change the variance of a signal."),
    (derive, "derive", "Write a spec for a model or a checkpoint."),
    (slice_, "slice", "Print a slice of one tensor."),
    (schema, "schema", "Print the JSON Schema of specs, for editors."),
    (samples, "samples", "List the sample specs, or print one."),
):
    app.command(_name, short_help=_short)(_command)
