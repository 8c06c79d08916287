"""What the API answers, for its OpenAPI page; the same numbers as `moodlens analyze` prints."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from moodlens.emotions import EMOTIONS, Emotion


class QualityOut(BaseModel):
    """How well a face can be judged."""

    score: float = Field(ge=0, le=1, description="the whole: 0 useless, 1 good")
    face_px: float = Field(description="shorter side of the box in pixels")
    sharpness: float = Field(ge=0, le=1)
    exposure: float = Field(ge=0, le=1)
    visible: float = Field(ge=0, le=1, description="share of the crop inside the picture")
    roll_deg: float | None = Field(description="lean of the head")
    yaw_deg: float | None = Field(description="turn of the head, a rough estimate")


class Judged(BaseModel):
    """An apparent emotion."""

    emotion: Emotion
    confidence: float = Field(ge=0, le=1, description="calibrated probability of `emotion`")
    uncertain: bool = Field(description="the 90 % set has more than two labels, or a poor picture")
    scores: dict[Emotion, float] = Field(
        description="seven calibrated probabilities",
        examples=[{e: 0.94 if e == "happy" else 0.01 for e in EMOTIONS}],
    )
    valence: float = Field(ge=-1, le=1, description="unpleasant to pleasant")
    arousal: float = Field(ge=-1, le=1, description="calm to excited")
    prediction_set: list[Emotion] = Field(description="holds the label nine times in ten")


class FaceOut(Judged):
    """One face."""

    box_xyxy: list[float] = Field(
        min_length=4, max_length=4, examples=[[112.0, 80.5, 231.0, 214.0]]
    )
    detection_score: float = Field(ge=0, le=1)
    track_id: int | None = Field(description="of a person on a stream")
    landmarks: list[list[float]] | None = Field(description="eyes, nose tip, mouth corners")
    quality: QualityOut | None


class PictureOut(BaseModel):
    """What was found on a picture; `error` says why there is nothing."""

    source: str = Field(examples=["me.jpg"])
    width: int
    height: int
    faces: list[FaceOut] = Field(description="largest first; empty when there is no face")
    error: str | None


class AnalyzeOut(BaseModel):
    """In the order of the pictures."""

    results: list[PictureOut]


class CropOut(BaseModel):
    """Of one face crop; only `source` and `error` where it is no picture."""

    source: str
    error: str | None
    emotion: Emotion | None = None
    confidence: float | None = None
    uncertain: bool | None = None
    scores: dict[Emotion, float] | None = None
    valence: float | None = None
    arousal: float | None = None
    prediction_set: list[Emotion] | None = None


class ClassifyOut(BaseModel):
    """In the order of the crops."""

    results: list[CropOut]


class ModelOut(BaseModel):
    """A model that is known by name."""

    name: str
    kind: str
    here: bool = Field(description="on this machine")
    licence: str
    source: str


class ModelsOut(BaseModel):
    """The model in use with its card, and those that are known."""

    model: dict[str, Any]
    detector: str
    known: list[ModelOut]


class Health(BaseModel):
    """One word."""

    status: str = Field(examples=["ok"])
