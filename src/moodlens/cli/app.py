"""`moodlens app`: serve the web app."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import typer

from moodlens.errors import MissingExtraError, MoodlensError

command = typer.Typer(add_completion=False)
TRIES = 20


@command.command(epilog="Examples: moodlens app   |   moodlens app --port 9000")
def app(
    host: str = typer.Option("127.0.0.1", help="Address to serve on; this machine only."),
    port: int = typer.Option(8501, min=1, max=65535, help="First port that is tried."),
    headless: bool = typer.Option(True, help="Do not open a browser."),
) -> None:
    """Serve the web app and print its address."""
    from importlib.util import find_spec

    if not find_spec("streamlit") or not find_spec("streamlit_webrtc"):
        raise MissingExtraError("the web app", "app")
    free = _free_port(host, port)
    if free != port:
        typer.echo(f"moodlens: port {port} is taken, using {free}", err=True)
    typer.echo(f"moodlens: http://{host}:{free}   (Ctrl-C stops it)")
    script = Path(__file__).parents[1] / "webapp" / "streamlit_app.py"
    child = [
        sys.executable,
        *("-m", "streamlit", "run", str(script)),
        f"--server.address={host}",
        f"--server.port={free}",
        f"--server.headless={str(headless).lower()}",
        "--browser.gatherUsageStats=false",
        "--server.showEmailPrompt=false",
        "--logger.level=warning",
        "--client.toolbarMode=viewer",
        "--server.maxUploadSize=50",
        "--server.fileWatcherType=none",  # the app's files do not change while it runs
        "--runner.postScriptGC=false",  # it would stop all video for 0.1 s after every update
        "--theme.light.primaryColor=#0072B2",
        "--theme.light.textColor=#0e1117",  # captions at 60 % of it stay readable
        "--theme.dark.primaryColor=#56B4E9",
    ]
    if os.name == "posix":  # one process, so that a signal to it ends the app
        sys.stdout.flush()
        os.execv(child[0], child)  # noqa: S606
    try:
        code = subprocess.call(child)
    except KeyboardInterrupt:
        code = 0
    raise typer.Exit(code)


def _free_port(host: str, first: int) -> int:
    """The first port from `first` on that nobody listens on."""
    for port in range(first, min(first + TRIES, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise MoodlensError(f"no free port from {first} to {first + TRIES - 1} on {host}; use --port")
