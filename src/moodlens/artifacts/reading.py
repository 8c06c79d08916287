"""How a network without a card is to be read: input size, scale, labels.

What is said on the command line goes before a side file, that before a registry entry, and that
before the usual case: 48 pixels, 0 to 1, the seven labels in FER2013's order.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from moodlens.emotions import EMOTIONS
from moodlens.errors import ModelError

_ALIASES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "scared": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


class Reading(BaseModel):
    """What a user says of a network; None: not said.

    Attributes:
        input_size: side of the square gray input in pixels.
        scale: what black and white become, such as (0, 1), (-1, 1) or (0, 255).
        labels: the seven emotions in the order of the outputs; common other names are known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_size: int | None = Field(default=None, ge=16, le=512)
    scale: tuple[float, float] | None = None
    labels: tuple[str, ...] | None = None

    @field_validator("scale", mode="before")
    @classmethod
    def _two_numbers(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        low, colon, high = value.partition(":")
        if not colon:
            raise ValueError("scale is LOW:HIGH, such as 0:1, -1:1 or 0:255")
        return (low, high)

    @field_validator("scale")
    @classmethod
    def _apart(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] == value[1]:
            raise ValueError("black and white can't be the same number")
        return value

    @field_validator("labels", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if value is None:
            return None
        words = value.split(",") if isinstance(value, str) else list(value)
        names = [str(word).strip().lower() for word in words]
        names = [_ALIASES.get(name, name) for name in names]
        if sorted(names) != sorted(EMOTIONS):
            raise ValueError(
                f"labels must be the seven emotions ({', '.join(EMOTIONS)}) in the order of the "
                f"outputs; found {', '.join(names)}"
            )
        return tuple(names)

    def over(self, other: Reading | None) -> Reading:
        """This, with what it does not say taken from another."""
        return (
            self if other is None else other.model_copy(update=self.model_dump(exclude_none=True))
        )

    @property
    def says(self) -> bool:
        """Whether anything is said."""
        return any(v is not None for v in (self.input_size, self.scale, self.labels))

    def card(self) -> dict[str, Any]:
        """The fields of a model's card: label order, side, factor and offset of a [0, 1] pixel."""
        low, high = self.scale or (0.0, 1.0)
        return {
            "labels": list(self.labels or EMOTIONS),
            "input_side": self.input_size or 48,
            "scale": high - low,
            "offset": low,
        }


def make_reading(where: str, **said: Any) -> Reading:
    """A reading from options.

    Raises:
        ModelError: a value makes no sense; the message names it.
    """
    try:
        return Reading(**said)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        message = first["msg"].removeprefix("Value error, ")
        raise ModelError(f"{where}: {name}: {message}") from error


def side_file(path: Path) -> Reading | None:
    """What `NAME.toml` beside `NAME.keras` says.

    Raises:
        ModelError: it is there and has a fault.
    """
    beside = path.with_suffix(".toml")
    if path.suffix != ".keras" or not beside.is_file():
        return None
    try:
        said = tomllib.loads(beside.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{beside}: can't be read as TOML: {error}") from error
    return make_reading(str(beside), **said)
