"""The app: routes, gate, and the engine's life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.websockets import WebSocket

from moodlens import __version__
from moodlens.lens import Lens
from moodlens.server import routes, stream
from moodlens.server.engine import Engine
from moodlens.server.gate import Gate
from moodlens.server.keys import Keys, Rates
from moodlens.server.logs import logger
from moodlens.server.measures import Measures
from moodlens.server.problems import Problem, add_handlers
from moodlens.server.schemas import EXAMPLES
from moodlens.server.settings import ServerSettings, load_settings

DESCRIPTION = """
Names the *apparent* emotion of every face on a picture: what people would call the expression,
not what anybody feels. Pictures are held in memory while they are judged and are not kept.

Not to be used to infer emotions of people at work or in education (banned in the European Union),
nor for decisions about people, nor without the knowledge of those who are seen.
"""


def create_app(
    settings: ServerSettings | None = None,
    *,
    model: str | None = None,
    detector: str | None = None,
    send_id: bool = True,
    lens: Lens | None = None,
) -> FastAPI:
    """An ASGI app; its networks are loaded when it starts, unless a lens is handed over.

    Args:
        settings: None: those of the environment.
        model: a model SPEC; None: `MOODLENS_MODEL`, else the packaged one.
        detector: None: `MOODLENS_DETECTOR`, else auto.
        send_id: answers have `X-Request-ID`; False where a proxy in front sets it.
        lens: loaded already; the app's own from here on. None: load `model` and `detector`.

    Raises:
        SettingsError: a setting makes no sense, or the file of keys can't be read.
    """
    settings = settings or load_settings()
    measures = Measures()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        def load() -> Engine:
            return Engine(settings, lens or Lens(model=model, detector=detector), measures)

        engine = await asyncio.to_thread(load)
        app.state.engine = engine
        logger().info(
            "ready",
            extra={
                "model": engine.lens.classifier.info.name,
                "detector": engine.lens.detector.name,
                "threads": settings.threads,
            },
        )
        try:
            yield
        finally:
            app.state.engine = None
            await asyncio.to_thread(engine.close)
            logger().info("closed")

    app = FastAPI(
        title="moodlens",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=life,
    )
    streams: set[WebSocket] = set()
    app.state.engine = None
    app.state.streams = streams
    app.state.measures = measures
    app.include_router(routes.router)
    app.include_router(stream.router)
    add_handlers(app)
    _document_problems(app)
    app.add_middleware(
        Gate,
        settings=settings,
        measures=measures,
        engine=lambda: app.state.engine,
        keys=Keys(settings.keys_file) if settings.keys_file else None,
        rates=Rates(settings.rate) if settings.rate else None,
        send_id=send_id,
    )
    if settings.cors:  # outside the gate: a browser asks first, and without a key
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
        )
    return app


def _document_problems(app: FastAPI) -> None:
    """The shape of errors belongs to the OpenAPI page, too, and examples with their nulls."""
    plain = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = plain()
            schemas = schema["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema()
            for name, example in EXAMPLES.items():  # FastAPI's own way would drop the nulls
                schemas[name]["examples"] = [example]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
