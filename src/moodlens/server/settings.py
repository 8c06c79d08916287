"""What an operator may set: every `MOODLENS_SERVE_*` variable, typed, in one place."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from moodlens.errors import SettingsError


class ServerSettings(BaseSettings):
    """Limits of the server. Beyond each of them a request is refused, with the reason."""

    model_config = SettingsConfigDict(env_prefix="MOODLENS_SERVE_", extra="ignore", frozen=True)

    queue: int = Field(
        default=0, ge=0, description="pictures in work at once; more: 503; 0: six a thread"
    )
    workers: int = Field(default=0, ge=0, le=256, description="threads; 0: three for two cores")
    batch_faces: int = Field(
        default=32, ge=1, description="most faces in one call of the network; 1: no batching"
    )
    batch_wait_ms: float = Field(
        default=0.0, ge=0, le=1000, description="how long a face waits for others on their way"
    )
    batch_calls: int = Field(
        default=0, ge=0, le=256, description="calls of the network at once; 0: one for each core"
    )
    timeout_s: float = Field(default=10.0, gt=0, description="for the answer, then 504")
    body_timeout_s: float = Field(default=10.0, gt=0, description="for the whole body, then 408")
    max_body_mb: float = Field(default=20.0, gt=0, description="of a request or a frame")
    max_pixels: int = Field(default=25_000_000, ge=1, description="of a picture, before decoding")
    max_pictures: int = Field(default=16, ge=1, description="in a request")
    max_streams: int = Field(default=64, ge=1, description="WebSockets that send frames at once")
    stream_fps: float = Field(default=30.0, gt=0, description="frames a second of a connection")
    keys_file: Path | None = Field(
        default=None, description="API keys, one `name:key` a line; read again when it changes"
    )
    rate: str | None = Field(
        default=None, description="a key's limit, such as 100/second or 5000/hour"
    )
    cors: tuple[str, ...] = Field(default=(), description="origins whose pages may call")

    @property
    def max_body(self) -> int:
        """In bytes."""
        return int(self.max_body_mb * 2**20)

    @property
    def threads(self) -> int:
        """How many pictures are worked on at the same time: one may wait for the network."""
        return self.workers or max(2, cores() + cores() // 2)

    @property
    def room(self) -> int:
        """Pictures in work at once: as many as are done well before a caller gives up waiting."""
        return self.queue or 6 * self.threads

    @property
    def calls(self) -> int:
        """Of the network at once."""
        return self.batch_calls or cores()


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load_settings(**given: object) -> ServerSettings:
    """The settings of the environment, with what is given on top.

    Raises:
        SettingsError: a value makes no sense; the message names it.
    """
    known = {name: value for name, value in given.items() if value is not None}
    try:
        return ServerSettings(**known)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        raise SettingsError(f"{name}={first.get('input')!r}: {first['msg']}") from error
