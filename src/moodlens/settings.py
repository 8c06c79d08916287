"""Settings from the environment: every `MOODLENS_*` variable, typed, in one place."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, Json, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from moodlens.errors import SettingsError

DetectorName = Literal["auto", "moodlens", "yunet", "haar"]


class IceServer(BaseModel):
    """A STUN or TURN server, as browsers name its parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    urls: str | list[str]
    username: str | None = None
    credential: str | None = Field(default=None, repr=False)


class Settings(BaseSettings):
    """What the environment says; command-line options and arguments go before it."""

    model_config = SettingsConfigDict(env_prefix="MOODLENS_", extra="ignore", frozen=True)

    model: str | None = Field(default=None, description="model SPEC used when none is given")
    detector: DetectorName = "auto"
    threads: int = Field(default=1, ge=0, le=256, description="of one network call; 0: all cores")
    max_pixels: int = Field(
        default=100_000_000, ge=1, description="pictures with more are refused before decoding"
    )
    cache_dir: Path | None = Field(default=None, description="downloads; default: the user cache")
    models_dir: Path | None = Field(default=None, description="a folder of model files to use")
    registry: Path | None = Field(default=None, description="the user's own model registry, TOML")
    offline: bool = Field(default=False, description="never touch the network")
    catalogue: Path | None = Field(default=None, description="the user's own recommendations")
    database_url: str | None = Field(default=None, description="history; default: SQLite file")
    live_viewers: int | None = Field(default=None, ge=1, description="most at once in the web app")
    ice_servers: Json[list[IceServer]] = Field(
        default=[], validate_default=False, description="for live video, as JSON"
    )


@cache
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingsError: a variable whose value makes no sense; the message names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "MOODLENS_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(f"{name}={first.get('input')!r}: {first['msg']}") from error
