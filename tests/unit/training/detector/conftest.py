"""Ingredients without any data: drawn faces with known landmarks, noise as background."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from moodlens.detection.base import Detections
from moodlens.training.detector.faces import AnnotatedFaces, Photograph
from moodlens.training.detector.recipe import SceneRecipe
from moodlens.training.detector.scenes import SceneComposer

MARKS = np.float32([[0.32, 0.39], [0.68, 0.39], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]])
BOX = np.float32([0.11, 0.0, 0.89, 1.02])


def drawn_faces(count: int, seed: int = 3) -> AnnotatedFaces:
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        picture = np.full((48, 48), int(rng.integers(120, 200)), np.uint8)
        for x, y in MARKS:
            cv2.circle(picture, (round(float(x) * 48), round(float(y) * 48)), 3, 20, -1)
        pictures.append(picture)
    return AnnotatedFaces(
        pictures, np.tile(BOX, (count, 1)), np.tile(MARKS, (count, 1, 1)), np.arange(count)
    )


@pytest.fixture
def composer() -> SceneComposer:
    rng = np.random.default_rng(5)
    backgrounds = [rng.integers(60, 200, (200, 260)).astype(np.uint8) for _ in range(3)]
    return SceneComposer(
        SceneRecipe(width=160, height=128, largest=150), drawn_faces(6), backgrounds, 7
    )


@pytest.fixture
def photograph() -> Photograph:
    """A wide picture with two round faces, one sure; its gray levels say where a pixel is from."""
    columns, rows = np.meshgrid(np.arange(300), np.arange(200))
    picture = ((columns + rows) / 2).astype(np.uint8)
    boxes = np.array([[100, 60, 140, 110], [200, 20, 230, 60]], np.float32)
    marks = boxes[:, None, :2] + MARKS * (boxes[:, None, 2:] - boxes[:, None, :2])
    return Photograph(picture, Detections(boxes, np.array([0.9, 0.5], np.float32), marks))
