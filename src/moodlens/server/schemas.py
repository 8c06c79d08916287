"""What the API answers, for its OpenAPI page; the same numbers as `moodlens analyze` prints."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from moodlens.emotions import EMOTIONS, Emotion

JUDGED: dict[str, Any] = {
    "emotion": "happy",
    "confidence": 0.94,
    "uncertain": False,
    "scores": {e: 0.94 if e == "happy" else 0.01 for e in EMOTIONS},
    "valence": 0.74,
    "arousal": 0.45,
    "prediction_set": ["happy"],
}
"""As an example."""
FACE: dict[str, Any] = {
    "box_xyxy": [112.0, 80.5, 231.0, 214.0],
    "detection_score": 0.93,
    "track_id": None,
    **JUDGED,
    "landmarks": [[141.2, 131.0], [198.7, 130.4], [170.1, 160.8], [147.9, 182.3], [194.0, 181.8]],
    "quality": {
        "score": 0.88,
        "face_px": 119.0,
        "sharpness": 0.9,
        "exposure": 1.0,
        "visible": 1.0,
        "roll_deg": -0.6,
        "yaw_deg": 2.4,
    },
}
WISHED: dict[str, Any] = {
    "emotion": "sad",
    "direction": "lift",
    "care_note": "If low days go on for weeks, talk to someone you trust, or to a doctor.",
    "quote": {"text": "This too shall pass.", "author": "Persian proverb", "work": "traditional"},
    "activity": {
        "title": "A short walk",
        "text": "Ten minutes outside, without a goal.",
        "minutes": 10,
        "place": "outdoors",
        "company": "alone",
        "source": "common sense",
    },
    "music": [
        {
            "artist": "Nina Simone",
            "title": "Feeling Good",
            "language": "en",
            "step": 1,
            "links": {"YouTube": "https://www.youtube.com/results?search_query=Nina+Simone"},
        }
    ],
}
NO_PICTURE = "x.jpg: not a picture (its bytes are of no known picture format)"


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


EXAMPLES: dict[str, dict[str, Any]] = {
    "AnalyzeOut": {
        "results": [
            {
                "source": "me.jpg",
                "width": 640,
                "height": 480,
                "faces": [FACE],
                "error": None,
            },
            {
                "source": "x.jpg",
                "width": 0,
                "height": 0,
                "faces": [],
                "error": NO_PICTURE,
            },
        ]
    },
    "ClassifyOut": {
        "results": [
            {"source": "face.png", "error": None, **JUDGED},
            {"source": "x.jpg", "error": NO_PICTURE},
        ]
    },
    "ModelsOut": {
        "model": {"name": "moodlens-default", "version": "0.1.0", "input_side": 48},
        "detector": "yunet",
        "known": [
            {
                "name": "moodlens-tiny",
                "kind": "classifier",
                "here": True,
                "licence": "Apache-2.0",
                "source": "packaged",
            }
        ],
    },
}
"""Of whole answers, by the name of their model."""
