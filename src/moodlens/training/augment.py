"""Random changes that keep an expression: framing, light, focus, cover.

Detectors frame faces differently, so scale and shift vary as much as their boxes do; the rest
stands for what cameras do. Everything is drawn from the generator that is passed in, so that
the same seed gives the same pictures.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.training.recipe import AugmentRecipe

_BORDERS = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101)


def augment_batch(
    images: NDArray[np.uint8],
    recipe: AugmentRecipe,
    rng: np.random.Generator,
    strength: float = 1.0,
) -> NDArray[np.float32]:
    """Changed copies of gray pictures.

    Args:
        images: (n, 48, 48) uint8.
        recipe: how often and how much.
        rng: the source of chance.
        strength: 0 changes nothing but the flip, 1 is the full recipe.

    Returns:
        (n, 48, 48, 1) float32 in [0, 1].
    """
    out = np.empty((*images.shape, 1), dtype=np.float32)
    for i, image in enumerate(images):
        out[i, :, :, 0] = _augment(image, recipe, rng, strength)
    return out


def _augment(
    image: NDArray[np.uint8], recipe: AugmentRecipe, rng: np.random.Generator, strength: float
) -> NDArray[np.float32]:
    chance = rng.random(8)
    face = _move(image, recipe, rng, strength, flip=bool(chance[0] < recipe.flip))
    if chance[1] < recipe.blur * strength:
        face = _soften(face, rng)
    x = face.astype(np.float32) / 255.0
    if chance[2] < recipe.tone * strength:
        x = _tone(x, rng)
    if chance[3] < recipe.noise * strength:
        x += rng.normal(0.0, rng.uniform(0.01, 0.06), x.shape).astype(np.float32)
    if chance[4] < recipe.erase * strength:
        _erase(x, rng)
    return np.clip(x, 0.0, 1.0, out=x)


def _move(
    image: NDArray[np.uint8],
    recipe: AugmentRecipe,
    rng: np.random.Generator,
    strength: float,
    *,
    flip: bool,
) -> NDArray[np.uint8]:
    """Mirror, zoom, turn and shift in one resampling."""
    side = image.shape[0]
    reach = math.log(recipe.scale) * strength
    zoom = math.exp(rng.uniform(-reach, reach))
    angle = math.radians(rng.uniform(-1, 1) * recipe.rotation_deg * strength)
    shift = rng.uniform(-1, 1, 2) * recipe.shift * strength * side
    c, s = zoom * math.cos(angle), zoom * math.sin(angle)
    mirror = -1.0 if flip else 1.0
    middle = (side - 1) / 2
    matrix = np.array([[c * mirror, -s, 0.0], [s * mirror, c, 0.0]])
    matrix[:, 2] = middle + shift - matrix[:, :2] @ np.array([middle, middle])
    border = _BORDERS[int(rng.integers(2))]
    return np.asarray(
        cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border),
        dtype=np.uint8,
    )


def _soften(face: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """As a face that was smaller than the input, enlarged."""
    side = face.shape[0]
    small = int(rng.integers(side // 2, side))
    shrunk = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _tone(x: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Contrast about the mean, brightness and gamma."""
    mean = float(x.mean())
    x = (x - mean) * np.float32(rng.uniform(0.6, 1.4)) + np.float32(mean + rng.uniform(-0.15, 0.15))
    return np.power(np.clip(x, 0.0, 1.0), np.float32(rng.uniform(0.75, 1.33)))


def _erase(x: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Cover a rectangle of 2 to 15 % with one gray (Zhong et al. 2017, arXiv:1708.04896)."""
    side = x.shape[0]
    area = rng.uniform(0.02, 0.15) * side * side
    ratio = math.exp(rng.uniform(-1.0, 1.0))
    height = int(np.clip(round(math.sqrt(area * ratio)), 2, side // 2))
    width = int(np.clip(round(math.sqrt(area / ratio)), 2, side // 2))
    top = int(rng.integers(0, side - height + 1))
    left = int(rng.integers(0, side - width + 1))
    x[top : top + height, left : left + width] = rng.random()


Targets = list[NDArray[np.float32]]


def blend_batch(
    faces: NDArray[np.float32], targets: Targets, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Targets]:
    """Each picture and its targets mixed with another's (mixup, Zhang et al. 2018,
    arXiv:1710.09412), the share drawn from Beta(0.2, 0.2) once for the batch."""
    other = rng.permutation(len(faces))
    share = np.float32(rng.beta(0.2, 0.2))
    return (
        share * faces + (1 - share) * faces[other],
        [share * target + (1 - share) * target[other] for target in targets],
    )


def patch_batch(
    faces: NDArray[np.float32], targets: Targets, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Targets]:
    """A rectangle of each picture replaced by another's (CutMix, Yun et al. 2019,
    arXiv:1905.04899), targets mixed by area; one rectangle for the batch."""
    other = rng.permutation(len(faces))
    side = faces.shape[1]
    reach = math.sqrt(1.0 - rng.random()) * side / 2
    y, x = rng.uniform(0, side, 2)
    top, bottom = (int(np.clip(round(v), 0, side)) for v in (y - reach, y + reach))
    left, right = (int(np.clip(round(v), 0, side)) for v in (x - reach, x + reach))
    mixed = faces.copy()
    mixed[:, top:bottom, left:right] = faces[other, top:bottom, left:right]
    share = np.float32(1.0 - (bottom - top) * (right - left) / (side * side))
    return mixed, [share * target + (1 - share) * target[other] for target in targets]
