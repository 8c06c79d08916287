"""The registry: models by name, from a packaged TOML file and the user's own."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from moodlens.artifacts.reading import Reading
from moodlens.errors import SettingsError
from moodlens.settings import settings

Kind = Literal["emotion", "detector"]


class Entry(BaseModel):
    """A model that is known by name.

    Attributes:
        file: its name in the cache and in `MOODLENS_MODELS_DIR`; no path.
        urls: where it can be fetched, in order of preference.
        sha256: of its bytes; None: trusted on first use, and recorded.
        size: in bytes, where known.
        labels: the seven emotions in the order of its outputs; empty for a detector.
        input_size, scale: of a `.keras` file without a card, as in a side file.
        packaged: it lies inside the package and is never fetched.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    kind: Kind = "emotion"
    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.(onnx|keras)$")
    urls: tuple[str, ...] = ()
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    size: int | None = Field(default=None, gt=0)
    licence: str = "unknown"
    source: str = ""
    labels: tuple[str, ...] = ()
    input_size: int | None = Field(default=None, ge=16, le=512)
    scale: tuple[float, float] | None = None
    packaged: bool = False

    @field_validator("labels")
    @classmethod
    def _seven(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        return Reading(labels=labels or None).labels or ()

    @property
    def reading(self) -> Reading:
        """What is said of how it is read."""
        return Reading(input_size=self.input_size, scale=self.scale, labels=self.labels or None)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: tuple[Entry, ...] = ()


def registry() -> dict[str, Entry]:
    """Every known model by name; the user's own entries first.

    Raises:
        SettingsError: a registry file that can't be read, or an entry with a fault.
    """
    own = settings().registry
    packaged = _read(Path(str(files("moodlens.artifacts") / "registry.toml")))
    entries = (*(_read(own) if own else ()), *packaged)
    found: dict[str, Entry] = {}
    for entry in entries:
        found.setdefault(entry.name, entry)
    return found


@lru_cache(maxsize=8)
def _read(path: Path) -> tuple[Entry, ...]:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).model
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {where}: {first['msg']}") from error
