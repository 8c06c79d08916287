"""A picture's result as the page keeps it: small pictures and numbers, not the upload itself."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import Detections
from moodlens.errors import MoodlensError
from moodlens.imaging import load_image
from moodlens.imaging.draw import draw
from moodlens.imaging.timeline import COLUMNS, rows
from moodlens.lens import Lens
from moodlens.types import Analysis, Face

MOST_PICTURES = 50
MOST_CARDS = 12
"""Faces of one picture that get a card; further ones are on the picture and in the files."""
PREVIEW_PX = 1280
BLACK = 24
"""A picture without a brighter pixel (of 255) shows nothing."""
CROP_PX = 160
HEAT_SHARE = 0.6
"""How much of the strongest place the map covers; the face must stay visible."""


@dataclass(frozen=True, slots=True)
class FacePictures:
    """JPEG bytes of a face's square, and of the same with the map over it."""

    crop: bytes
    attention: bytes | None


@dataclass(frozen=True, slots=True)
class PictureResult:
    """What is kept of a picture.

    Attributes:
        analysis: with `error` set where the picture could not be used.
        preview: JPEG of the annotated picture, at most `PREVIEW_PX` on its longer side.
        faces: of the first `MOST_CARDS` faces, in the order of `analysis.faces`.
        black: there is nothing on it, as when a camera was not ready yet.
    """

    analysis: Analysis
    preview: bytes = b""
    faces: tuple[FacePictures, ...] = ()
    black: bool = False


def judge_picture(lens: Lens, name: str, data: bytes) -> PictureResult:
    """Analyse the bytes of a file; what is wrong with it becomes the result's error."""
    try:
        frame = load_image(data, name=name)
        analysis = lens.analyze(frame, source=name, thorough=True)
        faces = face_pictures(lens, frame, analysis.faces[:MOST_CARDS])
    except MoodlensError as error:
        return PictureResult(Analysis.failed(name, str(error)))
    black = not faces and bool(frame.max() < BLACK)
    return PictureResult(analysis, _preview(frame, analysis), faces, black)


def annotated_png(data: bytes, analysis: Analysis) -> bytes:
    """The picture in full size with boxes and labels, as PNG.

    Raises:
        ImageError: the bytes are not the picture that was analysed.
    """
    return _encoded(draw(load_image(data), analysis), ".png")


def face_pictures(
    lens: Lens, frame: NDArray[np.uint8], faces: Sequence[Face]
) -> tuple[FacePictures, ...]:
    """The squares of faces as the network frames them, in colour, with and without the map.

    Args:
        lens: whose network is asked where it looked.
        frame: (height, width, 3) BGR uint8, the picture that the faces are on.
        faces: as `lens` found them.

    Raises:
        ModelError: the network can't be run.
    """
    if not faces:
        return ()
    marks = [face.landmarks for face in faces]
    known = all(mark is not None for mark in marks)
    detections = Detections(
        np.array([face.box_xyxy for face in faces], np.float32),
        np.array([face.detection_score for face in faces], np.float32),
        np.array(marks, np.float32) if known else None,
    )
    crops = [
        color_crop(frame, float(x), float(y), float(side))
        for x, y, side in lens.detector.crop_squares(detections)
    ]
    if not lens.classifier.explains:
        return tuple(FacePictures(_encoded(crop, ".jpg"), None) for crop in crops)
    maps = lens.classifier.explain(lens.crop(frame, detections))
    return tuple(
        FacePictures(_encoded(crop, ".jpg"), _encoded(blend_map(crop, heat), ".jpg"))
        for crop, heat in zip(crops, maps, strict=True)
    )


def color_crop(
    frame: NDArray[np.uint8], center_x: float, center_y: float, side: float
) -> NDArray[np.uint8]:
    """(CROP_PX, CROP_PX, 3) BGR: a square of a frame; outside it the border is repeated."""
    side = max(side, 1.0)
    scale = CROP_PX / side
    if scale < 0.5:  # shrinking far needs averaging, or detail turns into a pattern
        small = 2 * scale
        frame = np.asarray(
            cv2.resize(frame, None, fx=small, fy=small, interpolation=cv2.INTER_AREA), np.uint8
        )
        center_x, center_y, scale = center_x * small, center_y * small, 0.5
    middle = (CROP_PX - 1) / 2  # OpenCV counts from the middle of the first pixel
    turn = np.array(
        [
            [scale, 0.0, middle - scale * (center_x - 0.5)],
            [0.0, scale, middle - scale * (center_y - 0.5)],
        ]
    )
    out = cv2.warpAffine(frame, turn, (CROP_PX, CROP_PX), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, dtype=np.uint8)


def blend_map(crop: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A class activation map over the face it belongs to.

    Args:
        crop: (side, side, 3) BGR uint8.
        heat: (h, w) in [0, 1], 1 where the evidence is strongest.

    Returns:
        (side, side, 3) BGR uint8; places without evidence stay as they are.
    """
    height, width = crop.shape[:2]
    smooth = np.clip(cv2.resize(heat, (width, height), interpolation=cv2.INTER_CUBIC), 0.0, 1.0)
    levels = np.round(smooth * 255).astype(np.uint8)
    color = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO).astype(np.float32)
    cover = (HEAT_SHARE * smooth)[..., None]
    return np.asarray(np.round(crop * (1 - cover) + color * cover), dtype=np.uint8)


def to_json(results: Sequence[PictureResult]) -> str:
    """All results, as `moodlens analyze --format json` writes them."""
    return json.dumps([r.analysis.to_dict() for r in results], indent=2, ensure_ascii=False) + "\n"


def to_csv(results: Sequence[PictureResult]) -> str:
    """One row a face; a picture without any, or with an error, has a row of its own."""
    names = [name for name in COLUMNS if name not in ("frame_index", "timestamp_s", "track_id")]
    out = io.StringIO()
    writer = csv.DictWriter(out, ["source", *names, "error"], extrasaction="ignore")
    writer.writeheader()
    for result in results:
        head = {"source": _no_formula(result.analysis.source), "error": result.analysis.error}
        found = list(rows(result.analysis))
        writer.writerows([head | row for row in found] or [head])
    return out.getvalue()


def _no_formula(name: str) -> str:
    """A name that a spreadsheet does not run as a formula."""
    return "'" + name if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name


def _preview(frame: NDArray[np.uint8], analysis: Analysis) -> bytes:
    longest = max(frame.shape[:2])
    if longest > PREVIEW_PX:
        scale = PREVIEW_PX / longest
        frame = np.asarray(
            cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
        analysis = _scaled(analysis, scale)
    return _encoded(draw(frame, analysis), ".jpg")


def _scaled(analysis: Analysis, scale: float) -> Analysis:
    faces = []
    for face in analysis.faces:
        x1, y1, x2, y2 = (v * scale for v in face.box_xyxy)
        faces.append(replace(face, box_xyxy=(x1, y1, x2, y2), landmarks=None))
    return replace(analysis, faces=tuple(faces))


def _encoded(image: NDArray[np.uint8], ending: str) -> bytes:
    good, data = cv2.imencode(ending, image)
    if not good:  # only out of memory
        raise MoodlensError("the picture can't be encoded")
    return bytes(data)
