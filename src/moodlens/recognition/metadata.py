"""What a model file says of itself: the card inside the ONNX file."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from moodlens.emotions import EMOTIONS, Emotion
from moodlens.errors import ModelError

METADATA_KEY: Final = "moodlens"
"""The ONNX metadata property that holds the card as JSON."""


class ModelInfo(BaseModel):
    """The card of an emotion model.

    The input is `(pixel * scale + offset)` of a gray picture in [0, 1], shape
    (faces, side, side, 1). The first output is logits or probabilities, shape (faces, labels).
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int = 1
    name: str
    version: str = "1"
    description: str = ""
    labels: tuple[Emotion, ...] = EMOTIONS
    input_side: int = Field(default=48, ge=16, le=512)
    scale: float = 1.0
    offset: float = 0.0
    output: str = Field(default="logits", pattern="^(logits|probabilities)$")
    temperature: float = Field(default=1.0, gt=0)
    conformal_threshold: float | None = Field(
        default=None,
        description="labels join the 90 % prediction set, likeliest first, until their summed "
        "probability reaches this; None: not calibrated",
    )
    licence: str = "unknown"
    source: str = ""
    metrics: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)

    @field_validator("labels")
    @classmethod
    def _all_seven(cls, labels: tuple[Emotion, ...]) -> tuple[Emotion, ...]:
        if sorted(labels) != sorted(EMOTIONS):
            raise ValueError(f"labels must be the seven emotions {EMOTIONS} in some order")
        return labels

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], source: str) -> ModelInfo:
        """The card from an ONNX file's metadata properties.

        Raises:
            ModelError: there is none, or it is damaged; labels and scale are never guessed.
        """
        text = metadata.get(METADATA_KEY)
        if text is None:
            raise ModelError(
                f"{source}: the ONNX file has no moodlens metadata (labels, input size, scale); "
                "convert it with 'moodlens export', which writes them"
            )
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "card"
            raise ModelError(f"{source}: model metadata: {where}: {first['msg']}") from error
