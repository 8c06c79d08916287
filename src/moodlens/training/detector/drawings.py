"""Things that are no faces, made by code: drawings with eyes and mouths, patterns, plain forms.

A network that has only seen photographs takes a drawn face for a face; these teach it not to.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.training.detector.effects import Chance, Gray


def random_drawing(side: int, rng: Chance) -> Gray:
    """(side, side) uint8: a cartoon face, a smiley, a pattern, text or forms."""
    makers = (cartoon, cartoon, smiley, pattern, lettering, forms)
    return makers[int(rng.integers(len(makers)))](side, rng)


def _paper(side: int, rng: Chance) -> tuple[Gray, int, int]:
    """A plain sheet with its tone, and one for the ink."""
    tone = int(rng.integers(256))
    ink = (tone + int(rng.integers(90, 166))) % 256
    return np.full((side, side), tone, np.uint8), tone, ink


def _at(side: int, *xy: float) -> tuple[int, int]:
    return round(xy[0] * side), round(xy[1] * side)


def smiley(side: int, rng: Chance) -> Gray:
    """A disc with two dots and an arc."""
    sheet, _, ink = _paper(side, rng)
    fill = int(rng.integers(256))
    width = max(1, round(side * rng.uniform(0.01, 0.05)))
    radius = round(side * rng.uniform(0.3, 0.48))
    cv2.circle(sheet, _at(side, 0.5, 0.5), radius, fill, -1, cv2.LINE_AA)
    cv2.circle(sheet, _at(side, 0.5, 0.5), radius, ink, width, cv2.LINE_AA)
    apart, high = rng.uniform(0.1, 0.2), rng.uniform(0.36, 0.46)
    for sign in (-1, 1):
        size = rng.uniform(0.02, 0.07), rng.uniform(0.03, 0.1)
        spot = _at(side, 0.5 + sign * apart, high)
        cv2.ellipse(sheet, spot, _at(side, *size), 0, 0, 360, ink, -1, cv2.LINE_AA)
    turn = 0 if rng.random() < 0.7 else 180
    mouth = _at(side, rng.uniform(0.1, 0.25), rng.uniform(0.04, 0.18))
    cv2.ellipse(sheet, _at(side, 0.5, 0.62), mouth, turn, 10, 170, ink, width, cv2.LINE_AA)
    return sheet


def cartoon(side: int, rng: Chance) -> Gray:
    """A drawn head: hair, ears, large outlined eyes with pupils, nose, mouth; flat tones."""
    sheet, _, _ = _paper(side, rng)
    skin, hair = int(rng.integers(120, 256)), int(rng.integers(0, 200))
    line = int(rng.integers(0, 70))
    width = max(1, round(side * rng.uniform(0.006, 0.03)))
    cx, cy = 0.5 + rng.normal(0, 0.02), rng.uniform(0.5, 0.58)
    a, b = rng.uniform(0.26, 0.4), rng.uniform(0.3, 0.42)

    def oval(x: float, y: float, w: float, h: float, fill: int, edge: bool = True) -> None:
        where, size = _at(side, x, y), _at(side, max(w, 0.004), max(h, 0.004))
        cv2.ellipse(sheet, where, size, 0, 0, 360, fill, -1, cv2.LINE_AA)
        if edge:
            cv2.ellipse(sheet, where, size, 0, 0, 360, line, width, cv2.LINE_AA)

    if rng.random() < 0.7:
        oval(cx, cy - rng.uniform(0.05, 0.16), a * rng.uniform(1.0, 1.25), b * 1.05, hair)
    if rng.random() < 0.6:
        for sign in (-1, 1):
            oval(cx + sign * a, cy, a * 0.2, b * 0.22, skin)
    oval(cx, cy, a, b, skin)
    if rng.random() < 0.4:
        fringe = _at(side, a * 0.95, b * rng.uniform(0.3, 0.6))
        cv2.ellipse(sheet, _at(side, cx, cy - b * 0.6), fringe, 0, 180, 360, hair, -1, cv2.LINE_AA)
    eye_x, eye_y = a * rng.uniform(0.3, 0.5), cy - b * rng.uniform(0.0, 0.3)
    ew, eh = a * rng.uniform(0.12, 0.34), b * rng.uniform(0.1, 0.36)
    white, pupil = int(rng.integers(200, 256)), int(rng.integers(0, 80))
    look = rng.uniform(-0.4, 0.4)
    for sign in (-1, 1):
        x = cx + sign * eye_x
        if rng.random() < 0.85:
            oval(x, eye_y, ew, eh, white)
        oval(x + look * ew, eye_y, ew * rng.uniform(0.35, 0.7), eh * rng.uniform(0.4, 0.8), pupil)
        if rng.random() < 0.6:
            ends = _at(side, x - ew, eye_y - eh * 1.5), _at(side, x + ew, eye_y - eh * 1.6)
            cv2.line(sheet, *ends, line, width + 1, cv2.LINE_AA)
    if rng.random() < 0.8:
        tip = _at(side, a * 0.1, b * rng.uniform(0.04, 0.15))
        cv2.ellipse(sheet, _at(side, cx, cy + b * 0.22), tip, 0, 0, 200, line, width, cv2.LINE_AA)
    mouth = _at(side, cx, cy + b * rng.uniform(0.45, 0.6))
    size = _at(side, a * rng.uniform(0.2, 0.55), b * rng.uniform(0.05, 0.25))
    if rng.random() < 0.5:
        cv2.ellipse(sheet, mouth, size, 0, 0, 180, int(rng.integers(0, 255)), -1, cv2.LINE_AA)
    cv2.ellipse(sheet, mouth, size, 0, 0, 180, line, width, cv2.LINE_AA)
    return sheet


def pattern(side: int, rng: Chance) -> Gray:
    """Checks, stripes, rings or waves."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / side
    turn = rng.uniform(0, np.pi)
    u = x * np.cos(turn) + y * np.sin(turn)
    v = y * np.cos(turn) - x * np.sin(turn)
    rate = float(np.exp(rng.uniform(np.log(2), np.log(24))))
    kind = int(rng.integers(4))
    wave: NDArray[np.float32]
    if kind == 0:
        wave = np.sign(np.sin(np.pi * rate * u) * np.sin(np.pi * rate * v))
    elif kind == 1:
        wave = np.sin(2 * np.pi * rate * u)
    elif kind == 2:
        wave = np.sin(2 * np.pi * rate * np.hypot(x - 0.5, y - rng.uniform(0.3, 0.7)))
    else:
        wave = np.sin(np.pi * rate * u) + np.sin(np.pi * rate * rng.uniform(0.5, 2) * v)
    level, swing = rng.uniform(60, 196), rng.uniform(20, 120)
    return np.asarray(np.clip(level + swing * wave, 0, 255), np.uint8)


def lettering(side: int, rng: Chance) -> Gray:
    """Lines of letters and digits."""
    sheet, _, ink = _paper(side, rng)
    signs = "ABCDEFGHKMNOPRSTUVWXYZabcdeghkmnoprstuvwxyz0123456789:;.,!?()8O"
    scale = side / 48 * rng.uniform(0.3, 1.2)
    step = max(6, round(side * rng.uniform(0.12, 0.4)))
    for row in range(step, side + step, step):
        text = "".join(rng.choice(list(signs), 14))
        thick = max(1, round(scale * rng.uniform(1, 3)))
        font = int(rng.integers(0, 5))
        cv2.putText(sheet, text, (-2, row), font, scale, ink, thick, cv2.LINE_AA)
    return sheet


def forms(side: int, rng: Chance) -> Gray:
    """Some discs, boxes and lines; now and then two discs over a bar."""
    sheet, _, ink = _paper(side, rng)
    for _ in range(int(rng.integers(3, 12))):
        shade = int(rng.integers(256))
        one, two = rng.integers(0, side, 2), rng.integers(0, side, 2)
        width = -1 if rng.random() < 0.6 else max(1, side // 20)
        ends = (int(one[0]), int(one[1])), (int(two[0]), int(two[1]))
        kind = int(rng.integers(3))
        if kind == 0:
            size = int(rng.integers(max(2, side // 12), side // 3 + 3))
            cv2.circle(sheet, ends[0], size, shade, width, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(sheet, *ends, shade, width)
        else:
            cv2.line(sheet, *ends, shade, max(1, side // 24), cv2.LINE_AA)
    if rng.random() < 0.4:
        size = max(1, round(side * rng.uniform(0.04, 0.12)))
        for x in (0.32, 0.68):
            cv2.circle(sheet, _at(side, x, 0.4), size, ink, -1, cv2.LINE_AA)
        cv2.rectangle(sheet, _at(side, 0.35, 0.7), _at(side, 0.65, 0.78), ink, -1)
    return sheet
