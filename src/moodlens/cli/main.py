"""The command line: each command lives in its own module and is imported only when it is used."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

import moodlens
from moodlens.errors import MoodlensError

EXIT_DONE, EXIT_SOME_FAILED, EXIT_WRONG_USE = 0, 1, 2

# name: (module under moodlens.cli, its line in --help). The module's `command` is a Typer app
# or a click command.
COMMANDS = {
    "app": ("app", "Serve the web app."),
    "analyze": ("analyze", "Apparent emotions on pictures."),
    "webcam": ("webcam", "A camera, video or stream, live."),
    "video": ("video", "Analyse a video file: timeline, summary, annotated copy."),
    "recommend": ("recommend", "A quote, an activity and music for an emotion."),
    "models": ("models", "List, fetch, inspect, verify and publish models."),
    "train": ("train", "Train the network."),
    "tune": ("tune", "Search for a better recipe."),
    "export": ("export", "Convert a model between .keras and ONNX."),
    "evaluate": ("evaluate", "Score a model on a labelled set."),
    "serve": ("serve", "REST and WebSocket server."),
    "batch": ("batch", "Analyse very many pictures and videos into Parquet."),
    "bench": ("bench", "Measure speed and memory on this machine."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: Any = import_module(f"moodlens.cli.{COMMANDS[cmd_name][0]}").command
        if not isinstance(command, click.Command):
            from typer.main import get_command as to_click

            command = to_click(command)
        command.name = cmd_name
        return command  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Try 'moodlens analyze photo.jpg' or 'moodlens COMMAND --help'.",
)
@click.version_option(moodlens.__version__, prog_name="moodlens")
def cli() -> None:
    """Apparent facial emotions, in real time, on your own machine."""


def main() -> None:
    """The `moodlens` command: runs it and exits with 0 done, 1 some inputs failed, 2 wrong use."""
    try:
        cli(standalone_mode=True)
    except MoodlensError as error:
        print(f"moodlens: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_WRONG_USE)
    except BrokenPipeError:  # the reader of our output closed it, as `| head` does
        sys.stderr.close()
        sys.exit(EXIT_DONE)
