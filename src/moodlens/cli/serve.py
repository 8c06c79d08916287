"""`moodlens serve`: the pipeline behind an API."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from moodlens.errors import MissingExtraError, MoodlensError, SettingsError

if TYPE_CHECKING:
    from moodlens.server import ServerSettings

command = typer.Typer(add_completion=False)
M_ARENA_MAX = -8  # as malloc.h numbers it
SWITCH_S = 0.001
"""How long a thread that works on a picture may keep the interpreter from the one that answers."""


class Engine(StrEnum):
    """Who runs the app."""

    local = "local"
    ray = "ray"


@command.command(
    epilog="Examples: moodlens serve   |   moodlens serve --port 9000 --keys keys.txt   |   "
    "moodlens serve --engine ray --address auto --replicas 8   |   "
    "curl --data-binary @me.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/v1/analyze"
)
def serve(
    host: str = typer.Option("127.0.0.1", help="Address to serve on; this machine only."),
    port: int = typer.Option(8000, min=1, max=65535),
    model: str | None = typer.Option(None, metavar="SPEC", help="Default: the packaged model."),
    detector: str | None = typer.Option(None, help="auto, moodlens, yunet or haar."),
    engine: Engine = typer.Option(Engine.local, help="One process, or replicas on Ray Serve."),
    address: str | None = typer.Option(
        None, help="Of the Ray cluster: auto or HOST:PORT; the app is put there, and this ends."
    ),
    replicas: int | None = typer.Option(None, min=1, help="Most Ray replicas; default: the cores."),
    queue: int | None = typer.Option(None, min=1, help="Pictures in work at once; more: 503."),
    keys: Path | None = typer.Option(
        None, help="File of API keys, one name:key a line; read again when it changes."
    ),
    rate: str | None = typer.Option(None, help="A key's limit, such as 100/second."),
    cors: list[str] | None = typer.Option(None, help="Origin whose pages may call; repeatable."),
    log_level: str = typer.Option("info", help="debug, info, warning or error."),
) -> None:
    """Serve REST and WebSocket; all limits are MOODLENS_SERVE_* variables (docs/server.md)."""
    from importlib.util import find_spec

    if not all(map(find_spec, ("fastapi", "uvicorn", "multipart", "prometheus_client", "limits"))):
        raise MissingExtraError("the server", "serve")
    from moodlens.server.logs import LEVELS
    from moodlens.server.settings import load_settings

    if log_level not in LEVELS:
        raise SettingsError(f"--log-level {log_level}: choose one of {', '.join(LEVELS)}")
    if engine is Engine.local and (address is not None or replicas is not None):
        raise SettingsError("--address and --replicas are for --engine ray")
    settings = load_settings(
        queue=queue,
        keys_file=keys if keys is None else keys.absolute(),
        rate=rate,
        cors=tuple(cors) if cors else None,
    )
    if engine is Engine.ray:
        _on_ray(settings, model, detector, replicas, address, host, port, log_level)
    else:
        _here(settings, model, detector, host, port, log_level)


def _one_arena() -> None:
    """glibc keeps freed memory for each thread; one store for all keeps a server's flat."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _here(
    settings: ServerSettings,
    model: str | None,
    detector: str | None,
    host: str,
    port: int,
    log_level: str,
) -> None:
    """One process, until it is stopped."""
    import uvicorn

    from moodlens.lens import Lens
    from moodlens.server import create_app
    from moodlens.server.logs import configure

    sys.setswitchinterval(SWITCH_S)
    _one_arena()
    lens = Lens(model=model, detector=detector)  # what can't be used is said before a port is open
    app = create_app(settings, lens=lens)
    configure(log_level)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            ws_max_size=settings.max_body + 1024,
            timeout_graceful_shutdown=int(settings.timeout_s) + 5,
        )
    )
    typer.echo(f"moodlens: http://{host}:{port}/docs   (Ctrl-C stops it)", err=True)
    try:
        server.run()
    except SystemExit:  # uvicorn's way to say that it could not start; its reason is in the log
        raise MoodlensError(f"the server could not start on {host}:{port}; see above") from None
    except KeyboardInterrupt:
        return


def _on_ray(
    settings: ServerSettings,
    model: str | None,
    detector: str | None,
    replicas: int | None,
    address: str | None,
    host: str,
    port: int,
    log_level: str,
) -> None:
    """Replicas on a cluster: on one that is there they stay, on one of our own until a signal."""
    from moodlens.server import on_ray
    from moodlens.server.settings import cores

    options = on_ray.ReplicaOptions(
        model=model,
        detector=detector,
        max_replicas=replicas or cores(),
        log_level=log_level,
        settings=settings.model_dump(mode="json", exclude_unset=True),
    )
    mine = on_ray.start(options, address=address, host=host, port=port)
    typer.echo(f"moodlens: http://{host}:{port}/docs", err=True)
    if not mine:
        typer.echo("moodlens: it runs on the cluster; `serve shutdown` ends it", err=True)
        return
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # Ray's own handler would leave at once
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(0.5):
        pass
    on_ray.stop()
