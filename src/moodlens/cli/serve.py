"""`moodlens serve`: the pipeline behind an API."""

from __future__ import annotations

from pathlib import Path

import typer

from moodlens.errors import MissingExtraError, MoodlensError, SettingsError

command = typer.Typer(add_completion=False)


@command.command(
    epilog="Examples: moodlens serve   |   moodlens serve --port 9000 --keys keys.txt   |   "
    "curl --data-binary @me.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/v1/analyze"
)
def serve(
    host: str = typer.Option("127.0.0.1", help="Address to serve on; this machine only."),
    port: int = typer.Option(8000, min=1, max=65535),
    model: str | None = typer.Option(None, metavar="SPEC", help="Default: the packaged model."),
    detector: str | None = typer.Option(None, help="auto, moodlens, yunet or haar."),
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
    import uvicorn

    from moodlens.server import create_app
    from moodlens.server.logs import LEVELS, configure
    from moodlens.server.settings import load_settings

    if log_level not in LEVELS:
        raise SettingsError(f"--log-level {log_level}: choose one of {', '.join(LEVELS)}")
    settings = load_settings(
        queue=queue, keys_file=keys, rate=rate, cors=tuple(cors) if cors else None
    )
    app = create_app(settings, model=model, detector=detector)
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
