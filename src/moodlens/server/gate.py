"""The gate that every request passes first: id, key, rate, size, room; then figures and a log line.

Plain ASGI, and outside the framework: a request that is refused costs next to nothing.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moodlens.server.engine import Engine
from moodlens.server.keys import Keys, Rates
from moodlens.server.logs import logger
from moodlens.server.measures import Measures
from moodlens.server.problems import Refusal, problem
from moodlens.server.settings import ServerSettings

GUARDED = "/v1/"
_GOOD_ID = re.compile(r"[\w-]{1,64}")


class Gate:
    """Lets through what may come in and can be done."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: ServerSettings,
        measures: Measures,
        engine: Callable[[], Engine | None],
        keys: Keys | None,
        rates: Rates | None,
        send_id: bool = True,
    ) -> None:
        self._app = app
        self._settings = settings
        self._measures = measures
        self._engine = engine
        self._keys = keys
        self._rates = rates
        self._send_id = send_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = Headers(scope=scope)
        request_id = request_id_of(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._send_id:
                    MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            self._check(scope, headers)
            limited = _Body(receive, self._settings.max_body, self._settings.body_timeout_s)
            await self._app(scope, limited, noted)
        except Refusal as error:
            response = problem(error.status, error.detail, request_id, **error.headers)
            await response(scope, receive, noted)
        finally:
            self._tell(scope, request_id, status, time.perf_counter() - started)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        scope.setdefault("state", {})["request_id"] = request_id_of(headers)
        try:
            self._name(scope, headers)
        except Refusal as error:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": error.detail})
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        if not scope["path"].startswith(GUARDED):
            return
        self._name(scope, headers)
        if scope["method"] != "POST":
            return
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._settings.max_body:
            self._measures.rejected.labels("size").inc()
            raise too_large(self._settings.max_body)
        engine = self._engine()
        if engine is None:
            raise Refusal(503, "the server is not ready", Retry_After="1")
        if engine.full:
            self._measures.rejected.labels("queue").inc()
            raise Refusal(503, "too much to do at the moment; try again", Retry_After="1")

    def _name(self, scope: Scope, headers: Headers) -> None:
        """Whose call it is, and whether it may come now."""
        name = (scope.get("client") or ("unknown", 0))[0]
        if self._keys is not None and scope["path"].startswith(GUARDED):
            found = self._keys.who(headers.get("authorization"))
            if found is None:
                self._measures.rejected.labels("key").inc()
                raise Refusal(
                    401,
                    "an API key is needed: Authorization: Bearer …",
                    WWW_Authenticate="Bearer",
                )
            name = found
        if self._rates is not None and (wait := self._rates.wait_s(name)):
            self._measures.rejected.labels("rate").inc()
            raise Refusal(429, "too many requests", Retry_After=str(math.ceil(wait)))

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other" if status == 404 else "refused")
        self._measures.requests.labels(scope["method"], route, str(status)).inc()
        self._measures.latency.labels(route).observe(seconds)
        logger().info(
            "request",
            extra={
                "request_id": request_id,
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "ms": round(1000 * seconds, 1),
                **scope["state"].get("told", {}),
            },
        )


class _Body:
    """`receive` with a limit of bytes and of time for the whole body."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most = most
        self._seconds = seconds
        self._until: float | None = None
        self._bytes = 0
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        loop = asyncio.get_running_loop()
        if self._until is None:
            self._until = loop.time() + self._seconds
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise Refusal(
                408, f"the body did not come within {self._seconds:g} s", Connection="close"
            ) from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._bytes > self._most:
                raise too_large(self._most)
        return message


def too_large(most: int) -> Refusal:
    """The body is over the limit."""
    return Refusal(413, f"the body has more than {most / 2**20:g} MB", Connection="close")


def request_id_of(headers: Headers) -> str:
    """The caller's own id where it is a plain word, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _GOOD_ID.fullmatch(given) else uuid.uuid4().hex[:16]
