"""The REST routes."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.datastructures import UploadFile
from starlette.responses import Response

from moodlens.artifacts import find_model, registry
from moodlens.emotions import Emotion
from moodlens.recommendations import LANGUAGES, Recommender, Wish
from moodlens.server.engine import Engine
from moodlens.server.problems import Refusal, documented
from moodlens.server.schemas import (
    WISHED,
    AnalyzeOut,
    ClassifyOut,
    Health,
    ModelOut,
    ModelsOut,
)

router = APIRouter()
Found = TypeVar("Found")
Mood = Literal["match", "lift"]
BYTES = {"type": "string", "format": "binary"}
PICTURES = {
    "required": True,
    "description": "one picture as the body, or several as the files of a form",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["pictures"],
                "properties": {"pictures": {"type": "array", "minItems": 1, "items": BYTES}},
            }
        },
        **{
            kind: {"schema": BYTES}
            for kind in ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
        },
    },
}
REFUSALS = (400, 401, 408, 413, 415, 422, 429, 503, 504)
RAW = ("image/", "application/octet-stream")


def engine_of(request: Request) -> Engine:
    """The app's engine.

    Raises:
        Refusal: it is not there yet, or no more (503).
    """
    engine: Engine | None = request.app.state.engine
    if engine is None:
        raise Refusal(503, "the server is not ready", Retry_After="1")
    return engine


@router.post(
    "/v1/analyze",
    tags=["pictures"],
    summary="Find the faces on pictures and name their apparent emotions",
    openapi_extra={"requestBody": PICTURES},
    responses={200: {"model": AnalyzeOut}, **documented(*REFUSALS)},
)
async def analyze(request: Request) -> Response:
    """A bad picture among several has an `error` of its own; where all are bad, it is a 422."""
    engine = engine_of(request)
    pictures = await read_pictures(request, engine.settings.max_pictures)
    found = await finished(request, engine, engine.analyze(pictures))
    return _results(request, [analysis.to_dict() for analysis in found])


@router.post(
    "/v1/classify",
    tags=["pictures"],
    summary="Name the apparent emotions of face crops",
    openapi_extra={"requestBody": PICTURES},
    responses={200: {"model": ClassifyOut}, **documented(*REFUSALS)},
)
async def classify(request: Request) -> Response:
    """Each picture is one face: its largest centred square is judged, no face is looked for."""
    engine = engine_of(request)
    pictures = await read_pictures(request, engine.settings.max_pictures)
    return _results(request, await finished(request, engine, engine.classify(pictures)))


@router.get(
    "/v1/recommendations/{emotion}",
    tags=["recommendations"],
    summary="A quote, an activity and music",
    responses={
        200: {"content": {"application/json": {"example": WISHED}}},
        **documented(401, 422, 429),
    },
)
def recommendations(
    emotion: Emotion,
    mood: Annotated[Mood, Query(description="stay with the mood, or lift it in steps")] = "match",
    language: Annotated[
        list[str] | None, Query(description=f"of the music: {', '.join(LANGUAGES)}", max_length=8)
    ] = None,
    hour: Annotated[int | None, Query(ge=0, le=23, description="of the day")] = None,
) -> dict[str, Any]:
    """Another choice with each call."""
    languages = tuple(language or ["en"])
    unknown = [code for code in languages if code not in LANGUAGES]
    if unknown:
        raise Refusal(422, f"language: no music in {unknown[0]!r}; there is {', '.join(LANGUAGES)}")
    wish = Wish(emotion, direction=mood, languages=languages, hour=hour)
    return Recommender().choose(wish).to_dict()


@router.get(
    "/v1/models",
    tags=["server"],
    summary="The model in use, and those known by name",
    responses=documented(401, 429, 503),
)
def models(request: Request) -> ModelsOut:
    """With the card of the model in use."""
    lens = engine_of(request).lens
    known = [
        ModelOut(
            name=entry.name,
            kind=entry.kind,
            here=find_model(entry.name) is not None,
            licence=entry.licence,
            source=entry.source,
        )
        for entry in registry().values()
    ]
    card = lens.classifier.info.model_dump(mode="json", exclude={"training"})
    return ModelsOut(model=card, detector=lens.detector.name, known=known)


@router.get("/healthz", tags=["server"], summary="The process is alive")
async def healthz() -> Health:
    """Always, while it is."""
    return Health(status="ok")


@router.get(
    "/readyz",
    tags=["server"],
    summary="Pictures are taken",
    responses=documented(503),
)
async def readyz(request: Request) -> Health:
    """503 while the networks are loaded and when the server is closing."""
    engine_of(request)
    return Health(status="ready")


@router.get("/metrics", tags=["server"], summary="Figures for Prometheus")
async def metrics(request: Request) -> Response:
    """Requests, faces, time of each step, batch sizes, queue depth, rejections."""
    return Response(request.app.state.measures.text(), media_type=CONTENT_TYPE_LATEST)


async def read_pictures(request: Request, most: int) -> list[tuple[str, bytes]]:
    """Names and bytes of the pictures of a request.

    Raises:
        Refusal: none, too many, or a body of another kind.
    """
    kind = request.headers.get("content-type", "application/octet-stream").split(";")[0].strip()
    if kind.lower() == "multipart/form-data":
        async with request.form(max_files=most, max_fields=most) as form:
            files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
            pictures = [
                (file.filename or f"picture {i}", await file.read()) for i, file in enumerate(files)
            ]
    elif kind.lower().startswith(RAW):
        pictures = [("picture", await request.body())]
    else:
        raise Refusal(415, f"{kind}: expected a picture, or a form (multipart/form-data) of them")
    if not pictures or not any(data for _, data in pictures):
        raise Refusal(422, "there is no picture in the request")
    return pictures


async def finished(request: Request, engine: Engine, work: list[Future[Found]]) -> list[Found]:
    """The results, unless the caller leaves or the time is up: then what has not begun is dropped.

    Raises:
        Refusal: 504, or 499 to nobody.
    """
    everything = asyncio.gather(*(asyncio.wrap_future(future) for future in work))
    gone = asyncio.ensure_future(_gone(request))
    try:
        both: set[asyncio.Future[Any]] = {everything, gone}
        done, _ = await asyncio.wait(
            both,
            timeout=engine.settings.timeout_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if everything in done:
            return everything.result()
        if gone in done:
            engine.measures.rejected.labels("left").inc()
            raise Refusal(408, "the caller has left")
        engine.measures.rejected.labels("timeout").inc()
        raise Refusal(504, f"no answer within {engine.settings.timeout_s:g} s", Retry_After="1")
    finally:
        gone.cancel()
        if not everything.done():
            everything.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _results(request: Request, results: list[dict[str, Any]]) -> Response:
    faces = sum(len(result.get("faces", [1])) for result in results if not result["error"])
    request.scope["state"]["told"] = {"pictures": len(results), "faces": faces}
    errors = [result["error"] for result in results if result["error"]]
    if len(errors) == len(results):
        raise Refusal(422, "; ".join(errors)[:1000])
    return Response(json.dumps({"results": results}), media_type="application/json")
