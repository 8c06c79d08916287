"""The command line: each command lives in its own module and is imported only when it is used."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command as to_command

import moodlens
from moodlens.errors import MoodlensError

EXIT_DONE, EXIT_SOME_FAILED, EXIT_WRONG_USE = 0, 1, 2

COMMANDS = (
    "app",
    "analyze",
    "webcam",
    "video",
    "recommend",
    "models",
    "train",
    "train-detector",
    "tune",
    "export",
    "evaluate",
    "serve",
    "batch",
    "bench",
)
"""In the order of --help. `moodlens.cli.NAME` holds a Typer app called `command`; a hyphen in the
name is an underscore in the module's."""


def _module(name: str) -> str:
    return f"moodlens.cli.{name.replace('-', '_')}"


class LazyGroup(TyperGroup):
    """A group that knows its commands' names and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (Typer's signature)
        return [name for name in COMMANDS if find_spec(_module(name))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        found = to_command(import_module(_module(cmd_name)).command)
        found.name = cmd_name
        return found


cli = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try 'moodlens analyze photo.jpg', or 'moodlens COMMAND --help'.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"moodlens {moodlens.__version__}")
        raise typer.Exit(EXIT_DONE)


@cli.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Apparent facial emotions, in real time, on your own machine."""


def main() -> None:
    """The `moodlens` command; exit status 0: done, 1: some inputs failed, 2: wrong use."""
    try:
        cli()
    except MoodlensError as error:
        typer.echo(f"moodlens: {error}", err=True)
        sys.exit(EXIT_WRONG_USE)
    except BrokenPipeError:  # the reader of our output closed it, as `| head` does
        sys.stderr.close()
        sys.exit(EXIT_DONE)
    except KeyboardInterrupt:
        typer.echo("moodlens: stopped", err=True)
        sys.exit(130)
