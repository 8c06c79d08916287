"""Errors as the API gives them: problem details (RFC 9457), `application/problem+json`."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
EXAMPLES = {
    400: "Too many files. Maximum number of files is 16.",
    401: "an API key is needed: Authorization: Bearer …",
    408: "the body did not come within 10 s",
    413: "the body has more than 20 MB",
    415: "text/plain: expected a picture, or a form (multipart/form-data) of them",
    422: "picture: not a picture (its bytes are of no known picture format)",
    429: "too many requests",
    503: "too much to do at the moment; try again",
    504: "no answer within 10 s",
}
_PHRASES = {int(status): status.phrase for status in HTTPStatus}


class Problem(BaseModel):
    """Why a request was not answered."""

    type: str = Field(default="about:blank", description="what kind of problem this is")
    title: str = Field(examples=["Content Too Large"])
    status: int = Field(examples=[413])
    detail: str = Field(examples=["the body has more than 20 MB"])
    request_id: str | None = Field(default=None, description="to find it in the logs")


class Refusal(Exception):  # noqa: N818 (an answer, not a fault)
    """A request that ends here, with this status and reason."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def problem(status: int, detail: str, request_id: str | None, **headers: str) -> Response:
    """The response of a refusal."""
    body = {  # a `Problem`, made without its checks: refusals have to be cheap
        "type": "about:blank",
        "title": _PHRASES[status],
        "status": status,
        "detail": detail,
        "request_id": request_id,
    }
    return Response(json.dumps(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: these statuses are problems."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema, "example": _example(status)}},
        }
        for status in statuses
    }


def _example(status: int) -> dict[str, Any]:
    problem = Problem(
        title=_PHRASES[status],
        status=status,
        detail=EXAMPLES[status],
        request_id="5f0c2a9be1d34c77",
    )
    return problem.model_dump()


def add_handlers(app: FastAPI) -> None:
    """Every error of the app leaves it as a problem."""

    def said(request: Request) -> str | None:
        found: str | None = request.scope.get("state", {}).get("request_id")
        return found

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return problem(error.status, error.detail, said(request), **error.headers)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        return problem(error.status_code, str(error.detail), said(request), **headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem(422, f"{where}: {first['msg']}", said(request))
