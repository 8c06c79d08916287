"""Boxes and labels on a frame: readable at any size, never outside it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import STYLES
from moodlens.types import Analysis, Face

_FONT = cv2.FONT_HERSHEY_DUPLEX
_INK = (24, 24, 24)


def draw(
    image: NDArray[np.uint8], analysis: Analysis, *, scale: float | None = None
) -> NDArray[np.uint8]:
    """A copy of the frame with every face boxed and labelled.

    Args:
        image: (height, width, 3) BGR uint8.
        analysis: of this frame.
        scale: of lines and text; None: by the frame's size.

    Returns:
        (height, width, 3) BGR uint8.
    """
    out = image.copy()
    size = scale or min(max(min(image.shape[:2]) / 480.0, 0.6), 8.0)
    for face in reversed(analysis.faces):  # the largest is drawn last, on top
        _draw_face(out, face, size)
    return out


def _draw_face(out: NDArray[np.uint8], face: Face, size: float) -> None:
    height, width = out.shape[:2]
    color = STYLES[face.emotion].bgr
    line = max(1, round(2 * size))
    limits = (width - 1, height - 1) * 2
    x1, y1, x2, y2 = (int(np.clip(v, 0, m)) for v, m in zip(face.box_xyxy, limits, strict=True))
    if face.uncertain:
        _dashed(out, (x1, y1, x2, y2), color, line)
    else:
        cv2.rectangle(out, (x1, y1), (x2, y2), color, line, cv2.LINE_AA)
    text = f"{face.emotion}{'?' if face.uncertain else ''} {face.confidence:.0%}"
    font = 0.55 * size
    (w, h), base = cv2.getTextSize(text, _FONT, font, max(1, round(size)))
    while w + 8 * size > width and font > 0.2:
        font *= 0.85
        (w, h), base = cv2.getTextSize(text, _FONT, font, 1)
    pad = max(2, round(4 * size))
    bar = max(2, round(4 * size))
    box_w, box_h = w + 2 * pad, h + base + 2 * pad + bar
    left = int(np.clip(x1 - line // 2, 0, max(width - box_w, 0)))
    top = y1 - box_h if y1 - box_h >= 0 else min(y2, height - box_h)
    top = max(top, 0)
    cv2.rectangle(out, (left, top), (left + box_w, top + box_h), color, -1)
    cv2.putText(
        out, text, (left + pad, top + pad + h), _FONT, font, _INK, max(1, round(size)), cv2.LINE_AA
    )
    bottom = top + box_h
    cv2.rectangle(out, (left, bottom - bar), (left + box_w, bottom), (235, 235, 235), -1)
    filled = round(box_w * face.confidence)
    cv2.rectangle(out, (left, bottom - bar), (left + filled, bottom), _INK, -1)


def _dashed(
    out: NDArray[np.uint8], box: tuple[int, int, int, int], color: tuple[int, int, int], line: int
) -> None:
    x1, y1, x2, y2 = box
    dash = max(4, 4 * line)
    corners = (x1, y1), (x2, y1), (x2, y2), (x1, y2)
    for a, b in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = max(abs(b[0] - a[0]), abs(b[1] - a[1]), 1)
        step = ((b[0] - a[0]) / length, (b[1] - a[1]) / length)
        for at in range(0, length, 2 * dash):
            to = min(at + dash, length)
            start = round(a[0] + step[0] * at), round(a[1] + step[1] * at)
            end = round(a[0] + step[0] * to), round(a[1] + step[1] * to)
            cv2.line(out, start, end, color, line, cv2.LINE_AA)
