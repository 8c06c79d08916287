"""Boxes and labels on a frame: readable at any size, never outside it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.emotions import STYLES
from moodlens.imaging.glyphs import chip_mask, emoji_sprite, text_mask
from moodlens.types import Analysis, Face

Color = tuple[int, int, int]
Rect = tuple[int, int, int, int]

_DARK: Color = (24, 24, 24)
_LIGHT: Color = (255, 255, 255)
TEXT_PX = 17
"""Of a picture whose shorter side is `USUAL_SIDE`."""
USUAL_SIDE = 480
SMALLEST_TEXT_PX = 9
LARGEST_TEXT_PX = 200


class _Part(NamedTuple):
    """A piece of a label: what it looks like, and the width it takes."""

    cover: NDArray[np.uint8]
    color: NDArray[np.uint8] | Color


def draw(
    image: NDArray[np.uint8],
    analysis: Analysis,
    *,
    scale: float | None = None,
    track_ids: bool = False,
) -> NDArray[np.uint8]:
    """A copy of the frame with every face boxed and labelled.

    The box has the emotion's colour, dashed where the answer is uncertain; the label has its
    emoji, name and probability, with a bar.

    Args:
        image: (height, width, 3) BGR uint8.
        analysis: of this frame.
        scale: of lines and text, 1 for a picture of 640x480; None: by the frame's size.
        track_ids: write each face's number too, where it has one.

    Returns:
        (height, width, 3) BGR uint8.
    """
    out = image.copy()
    size = scale or min(image.shape[:2]) / USUAL_SIDE
    taken: list[Rect] = []
    for face in analysis.faces:
        _draw_box(out, face, max(1, round(2 * size)))
    for face in analysis.faces:  # the largest first: it has the first choice of place
        _draw_label(out, face, size, taken, track_ids)
    return out


def _draw_box(out: NDArray[np.uint8], face: Face, line: int) -> None:
    x1, y1, x2, y2 = _inside(out, face)
    color = STYLES[face.emotion].bgr
    corners = (x1, y1), (x2, y1), (x2, y2), (x1, y2)
    dash = max(4, 4 * line) if face.uncertain else 0
    edge = line + 2 * ((line + 1) // 3)  # a dark rim shows on any background
    for paint, width in ((_DARK, edge), (color, line)):
        for a, b in zip(corners, (*corners[1:], corners[0]), strict=True):
            _line(out, a, b, paint, width, dash)


def _line(
    out: NDArray[np.uint8],
    a: tuple[int, int],
    b: tuple[int, int],
    color: Color,
    width: int,
    dash: int,
) -> None:
    """A level or upright line; with dashes of this length, if any."""
    length = max(abs(b[0] - a[0]), abs(b[1] - a[1]))
    dx, dy = np.sign(b[0] - a[0]), np.sign(b[1] - a[1])
    step = dash or length + 1
    for at in range(0, length + 1, 2 * step):
        to = min(at + step, length)
        start = a[0] + int(dx) * at, a[1] + int(dy) * at
        cv2.line(out, start, (a[0] + int(dx) * to, a[1] + int(dy) * to), color, width)


def _draw_label(
    out: NDArray[np.uint8], face: Face, size: float, taken: list[Rect], track_ids: bool
) -> None:
    height, width = out.shape[:2]
    color = STYLES[face.emotion].bgr
    ink = _DARK if _brightness(color) > 120 else _LIGHT
    x1, y1, x2, y2 = _inside(out, face)
    # A small face on a large picture has a smaller label, but one that can still be read.
    px = TEXT_PX * min(size, max(0.55 * size, (x2 - x1) / 120))
    text_px = int(np.clip(round(px), SMALLEST_TEXT_PX, LARGEST_TEXT_PX))
    pad = max(2, text_px // 4)
    bar = max(2, text_px // 6)
    chosen: tuple[list[_Part], Rect] | None = None
    for parts in _choices(face, text_px, ink, track_ids):
        box_w = sum(p.cover.shape[1] for p in parts) + pad * (len(parts) + 1)
        box_h = max(p.cover.shape[0] for p in parts) + pad + bar + pad // 2
        if box_w > width or box_h > height:
            continue
        places = _places(out, (x1, y1, x2, y2), (box_w, box_h), max(1, round(2 * size)))
        free = next((p for p in places if not any(_overlap(p, t) for t in taken)), None)
        if free is not None:
            chosen = parts, free
            break
        chosen = chosen or (parts, places[0])
    if chosen is None:
        return  # no label fits on a picture this small; the box alone says where
    parts, place = chosen
    taken.append(place)
    _paint_label(out, parts, place, face, color, ink, (pad, bar))


def _paint_label(
    out: NDArray[np.uint8],
    parts: list[_Part],
    place: Rect,
    face: Face,
    color: Color,
    ink: Color,
    spacing: tuple[int, int],
) -> None:
    pad, bar = spacing
    left, top, right, bottom = place
    box_w, box_h = right - left, bottom - top
    chip = out[top:bottom, left:right]
    _blend(chip, chip_mask(box_h, box_w, pad + 1), color)
    x = pad
    for part in parts:
        h, w = part.cover.shape
        y = (box_h - bar - pad // 2 - h) // 2
        _blend(chip[y : y + h, x : x + w], part.cover, part.color)
        x += w + pad
    y = box_h - bar - max(1, pad // 2)
    rail = chip[y : y + bar, pad : box_w - pad]
    rail[:] = (rail * 0.45 + np.array(_LIGHT if ink == _DARK else _DARK) * 0.55).astype(np.uint8)
    rail[:, : round(rail.shape[1] * face.confidence)] = ink


def _choices(face: Face, px: int, ink: Color, track_ids: bool) -> list[list[_Part]]:
    """What a label may hold, the fullest first."""
    pixels, cover = emoji_sprite(face.emotion, round(px * 1.2))
    emoji = _Part(cover, pixels)
    name = f"{face.emotion}?" if face.uncertain else face.emotion
    said = _Part(text_mask(name, px), ink)
    sure = _Part(text_mask(f"{face.confidence:.0%}", px), ink)
    full = [emoji, said, sure]
    if track_ids and face.track_id is not None:
        number = _Part(text_mask(f"#{face.track_id}", px), ink)
        return [[number, *full], full, [emoji, said], [emoji]]
    return [full, [emoji, said], [emoji]]


def _places(out: NDArray[np.uint8], box: Rect, wh: tuple[int, int], line: int) -> list[Rect]:
    """Where a label may lie, the best first: above the box, below it, in it; in the picture."""
    height, width = out.shape[:2]
    x1, y1, x2, y2 = box
    w, h = wh
    lefts = {min(max(x, 0), width - w): None for x in (x1 - line, x2 + line - w)}  # in order
    tops = [y1 - line - h, y2 + line, y1 + line, y2 - line - h]
    inside = [top for top in tops if 0 <= top <= height - h]
    return [
        (left, top, left + w, top + h)
        for top in inside or [min(max(y1, 0), height - h)]
        for left in lefts
    ]


def _overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _blend(
    part: NDArray[np.uint8], cover: NDArray[np.uint8], color: NDArray[np.uint8] | Color
) -> None:
    """Paint on a part of the frame, in place, as much as the cover says."""
    share = cover[..., None].astype(np.uint16)
    over = np.asarray(color, np.uint16)
    part[:] = ((part * (255 - share) + over * share + 127) // 255).astype(np.uint8)


def _brightness(color: Color) -> float:
    """0 to 255, by the weights of ITU-R BT.601."""
    blue, green, red = color
    return 0.114 * blue + 0.587 * green + 0.299 * red


def _inside(out: NDArray[np.uint8], face: Face) -> Rect:
    """The box's corners as whole pixels of the picture."""
    height, width = out.shape[:2]
    x1, y1, x2, y2 = face.box_xyxy
    return (
        int(np.clip(x1, 0, width - 1)),
        int(np.clip(y1, 0, height - 1)),
        int(np.clip(x2, 0, width - 1)),
        int(np.clip(y2, 0, height - 1)),
    )
