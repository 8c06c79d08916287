"""The scene composer: pictures with known faces, from face pictures and backgrounds.

Chance depends on the recipe's seed and the scene's number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import MIRRORED
from moodlens.training.detector.drawings import pattern, random_drawing
from moodlens.training.detector.effects import (
    Chance,
    Gray,
    between,
    degrade,
    grain,
    paste_mask,
    sharpen,
    tone,
)
from moodlens.training.detector.faces import SURE_ON_PHOTOGRAPH, AnnotatedFaces, Photograph
from moodlens.training.detector.recipe import SceneRecipe
from moodlens.training.detector.views import choose_view, random_view, view_of_face

FACE: Final = 1.0
DOUBTFUL: Final = 2.0
COLUMNS: Final = 15
"""Of a label row: box x1 y1 x2 y2, landmarks x y five times, kind (0: unused row)."""
_TRIES = 12


@dataclass
class Scene:
    """A composed picture and what is on it.

    Attributes:
        image: (height, width) uint8.
        labels: rows of `COLUMNS` numbers in pixels; kind `FACE`, or `DOUBTFUL` for what should
            count neither as a face nor as background: too small, covered, or mostly outside.
    """

    image: Gray
    labels: list[NDArray[np.float32]] = field(default_factory=list)

    def table(self, rows: int) -> NDArray[np.float32]:
        """(rows, COLUMNS) float32, filled up with zeros."""
        full = np.zeros((rows, COLUMNS), np.float32)
        for i, label in enumerate(self.labels[:rows]):
            full[i] = label
        return full


@dataclass(frozen=True)
class SceneComposer:
    """Composes scenes.

    Attributes:
        recipe: how.
        faces: what to find.
        backgrounds: gray pictures without faces, whole, at least 48 pixels each way.
        seed: of all chance.
        patches: things without a face that a network took for one; pasted as distractors.
        natural: faces cut from photographs with their surroundings, for a share of the faces.
        people: photographs with people, views of which are a share of the scenes.
    """

    recipe: SceneRecipe
    faces: AnnotatedFaces
    backgrounds: Sequence[Gray]
    seed: int
    patches: Sequence[Gray] = ()
    natural: AnnotatedFaces | None = None
    people: Sequence[Photograph] = ()

    def compose(self, number: int) -> Scene:
        """Scene `number`, always the same."""
        rng = np.random.default_rng((self.seed, number))
        recipe = self.recipe
        if self.people and recipe.people and rng.random() < recipe.people:
            scene = self._photograph(rng)
            scene.image = degrade(scene.image, rng)
            return scene
        scene = Scene(self._background(rng))
        if rng.random() < recipe.distractors:
            for _ in range(int(rng.integers(1, 6))):
                self._paste_distractor(scene, rng)
        kind = rng.random()
        if kind < recipe.crowd:
            self._crowd(scene, rng)
        elif kind < recipe.crowd + recipe.large:
            low = min(110.0, recipe.largest / 2)
            self._paste_face(scene, rng, between(low, recipe.largest, rng))
        elif kind < recipe.crowd + recipe.large + recipe.portrait:
            self._portrait(scene, rng)
        scene.image = degrade(scene.image, rng)
        return scene

    def compose_one(self, index: int, size: float, number: int) -> Scene:
        """A scene with one face alone: the one of this index, its box of about this size."""
        rng = np.random.default_rng((self.seed, number))
        scene = Scene(self._background(rng))
        height, width = scene.image.shape
        box = self.faces.boxes[index]
        side = size / float(np.sqrt(max(np.prod(box[2:] - box[:2]), 1e-3)))
        low = np.minimum(np.full(2, side / 2), (width / 2, height / 2))
        centre = rng.uniform(low, np.array([width, height]) - low + 1e-3)
        self._place(scene, rng, self.faces, index, side, (centre[0], centre[1]), whole=True)
        scene.image = degrade(scene.image, rng)
        return scene

    def compose_many(self, first: int, count: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Scenes `first` to `first + count`.

        Returns:
            (count, height, width) uint8 and (count, faces, COLUMNS) float32.
        """
        recipe = self.recipe
        images = np.zeros((count, recipe.height, recipe.width), np.uint8)
        labels = np.zeros((count, recipe.faces, COLUMNS), np.float32)
        for i in range(count):
            scene = self.compose(first + i)
            images[i], labels[i] = scene.image, scene.table(recipe.faces)
        return images, labels

    # Backgrounds and what is no face.

    def _background(self, rng: Chance) -> Gray:
        height, width = self.recipe.height, self.recipe.width
        kind = rng.random()
        if kind < 0.06:
            return np.full((height, width), int(rng.integers(256)), np.uint8)
        if kind < 0.12:
            maker = pattern if rng.random() < 0.5 else random_drawing
            return maker(max(height, width), rng)[:height, :width].copy()
        picture = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
        return random_view(picture, height, width, rng)

    def _photograph(self, rng: Chance) -> Scene:
        """A view of a photograph with people: real heads on real bodies, and hands and cloth."""
        height, width = self.recipe.height, self.recipe.width
        photograph = self.people[int(rng.integers(len(self.people)))]
        found = photograph.found
        assert found.landmarks is not None
        sure = found.boxes_xyxy[found.scores >= SURE_ON_PHOTOGRAPH]
        if len(sure) and rng.random() < 0.6:
            box = sure[int(rng.integers(len(sure)))]
            size = between(self.recipe.smallest, 0.8 * height, rng)
            view = view_of_face(photograph.picture, box, size, height, width, rng)
        else:
            view = choose_view(photograph.picture, height, width, rng)
        scene = Scene(view.of(photograph.picture, height, width))
        frame = np.array([0, 0, width, height], np.float32)
        for box, score, marks in zip(found.boxes_xyxy, found.scores, found.landmarks, strict=True):
            label = np.zeros(COLUMNS, np.float32)
            label[:14] = view.label(box, marks, width)
            if _hidden(label[:4], frame) == 0:
                continue
            doubtful = score < SURE_ON_PHOTOGRAPH or self._is_doubtful(scene.image, label)
            label[14] = DOUBTFUL if doubtful else FACE
            scene.labels.append(label)
        return scene

    def _paste_distractor(self, scene: Scene, rng: Chance) -> None:
        height, width = scene.image.shape
        side = round(between(14, 0.9 * height, rng))
        kind = rng.random()
        if self.patches and kind < 0.5:
            source = self.patches[int(rng.integers(len(self.patches)))]
            picture = _resize(source[:, ::-1] if rng.random() < 0.5 else source, side)
            picture = tone(picture, rng)
        elif kind < 0.75:
            picture = random_drawing(side, rng)
        elif kind < 0.85:
            picture = self._scrambled(side, rng)
        else:
            source = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
            picture = random_view(source, side, side, rng)
        matrix = _turn(side, 0, rng.normal(0, 15), rng.uniform(0, width), rng.uniform(0, height))
        _blend(scene.image, picture, paste_mask(side, rng), matrix)

    def _scrambled(self, side: int, rng: Chance) -> Gray:
        """A face cut in three by three tiles, shuffled: its texture without its plan."""
        picture = self.faces.pictures[int(rng.integers(len(self.faces)))]
        step = picture.shape[0] // 3
        tiles = [
            picture[r : r + step, c : c + step]
            for r in (0, step, 2 * step)
            for c in (0, step, 2 * step)
        ]
        order = rng.permutation(9)
        rows = [np.hstack([tiles[i] for i in order[r : r + 3]]) for r in (0, 3, 6)]
        return _resize(np.vstack(rows), side)

    # Faces.

    def _crowd(self, scene: Scene, rng: Chance) -> None:
        recipe = self.recipe
        if rng.random() < 0.5:  # many of one size, as in a group
            size = between(recipe.smallest * 0.7, 90, rng)
            for _ in range(int(rng.integers(3, recipe.faces + 1))):
                self._paste_face(scene, rng, size * np.exp(rng.normal(0, 0.2)))
            return
        for _ in range(int(rng.integers(1, 9))):
            self._paste_face(scene, rng, between(recipe.smallest * 0.7, 170, rng))

    def _portrait(self, scene: Scene, rng: Chance) -> None:
        """A face picture that fills the frame, with bars where its shape differs, or overflows."""
        height, width = scene.image.shape
        if rng.random() < 0.6:
            scene.image[:] = 0 if rng.random() < 0.7 else int(rng.integers(256))
        faces, index = self._draw(rng)
        side = min(height, width) * rng.uniform(0.7, 1.35)
        x, y = width / 2, height / 2
        if rng.random() < 0.5:  # in the corner, as a frame padded to the grid
            x = y = side / 2
        x, y = x + side * rng.normal(0, 0.05), y + side * rng.normal(0, 0.05)
        self._place(scene, rng, faces, index, side, (x, y), whole=True)

    def _draw(self, rng: Chance) -> tuple[AnnotatedFaces, int]:
        faces = self.faces
        if self.natural is not None and len(self.natural) and rng.random() < self.recipe.natural:
            faces = self.natural
        return faces, int(rng.integers(len(faces)))

    def _paste_face(self, scene: Scene, rng: Chance, size: float) -> None:
        """A face whose box has about this size, at a place where it hides no other."""
        if len(scene.labels) >= self.recipe.faces:
            return
        height, width = scene.image.shape
        faces, index = self._draw(rng)
        box = faces.boxes[index]
        side = size / float(np.sqrt(max(np.prod(box[2:] - box[:2]), 1e-3)))
        overhang = 0.5 if rng.random() < 0.15 else 0.1
        low = np.array([0.5 - overhang, 0.5 - overhang]) * size
        high = np.array([width, height]) - low
        for _ in range(_TRIES):
            centre = np.where(
                high > low,
                rng.uniform(low, np.maximum(high, low + 1)),
                rng.uniform(0.3, 0.7, 2) * (width, height),
            )
            spot = np.concatenate([centre - side * 0.47, centre + side * 0.47])
            if all(_hidden(label[:4], spot) < 0.06 for label in scene.labels):
                self._place(scene, rng, faces, index, side, (centre[0], centre[1]))
                return

    def _place(
        self,
        scene: Scene,
        rng: Chance,
        faces: AnnotatedFaces,
        index: int,
        side: float,
        centre: tuple[float, float],
        *,
        whole: bool = False,
    ) -> None:
        pixels = max(8, round(side))
        picture = _enlarge(faces.pictures[index], pixels, rng)
        box, marks = faces.boxes[index] * pixels, faces.landmarks[index] * pixels
        if rng.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            box = np.array([pixels - box[2], box[1], pixels - box[0], box[3]], np.float32)
            marks = marks[MIRRORED] * np.array([-1, 1], np.float32) + np.array(
                [pixels, 0], np.float32
            )
        picture = tone(picture, rng, 0.7)
        if rng.random() < self.recipe.glasses:
            _draw_glasses(picture, marks, rng)
        limit = self.recipe.roll_limit_deg * (0.3 if whole else 1.0)
        roll = float(np.clip(rng.normal(0, self.recipe.roll_deg), -limit, limit))
        mask = paste_mask(pixels, rng, whole=whole)
        if whole and rng.random() < 0.7:
            mask[:] = 1
        matrix = _turn(pixels, float(rng.normal(0, 0.05)), roll, *centre)
        _blend(scene.image, picture, mask, matrix)
        label = _moved(box, marks, matrix)
        doubtful = self._is_doubtful(scene.image, label)
        if rng.random() < self.recipe.cover:
            doubtful |= _cover(scene.image, label, self.backgrounds, rng)
        label[14] = DOUBTFUL if doubtful else FACE
        scene.labels.append(label)

    def _is_doubtful(self, image: Gray, label: NDArray[np.float32]) -> bool:
        height, width = image.shape
        size = np.sqrt((label[2] - label[0]) * (label[3] - label[1]))
        frame = np.array([0, 0, width, height], np.float32)
        return bool(size < self.recipe.smallest or _hidden(label[:4], frame) < 0.6)


def _resize(picture: Gray, side: int) -> Gray:
    how = cv2.INTER_AREA if side < picture.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)


def _enlarge(picture: Gray, side: int, rng: Chance) -> Gray:
    """At the size wanted; a small picture much enlarged gets edges and grain, now and then."""
    if side <= picture.shape[0]:
        return _resize(picture, side)
    hows = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
    how = hows[int(rng.integers(len(hows)))]
    large = np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)
    if side > 1.6 * picture.shape[0]:
        if rng.random() < 0.4:
            large = sharpen(large, rng)
        if rng.random() < 0.4:
            large = grain(large, rng)
    return large


def _turn(side: int, stretch: float, roll_deg: float, x: float, y: float) -> NDArray[np.float32]:
    """(2, 3): a square picture stretched in width, turned about its centre, put to x, y."""
    turn = np.deg2rad(roll_deg)
    wide, tall = np.exp(stretch / 2), np.exp(-stretch / 2)
    linear = np.array(
        [[wide * np.cos(turn), -tall * np.sin(turn)], [wide * np.sin(turn), tall * np.cos(turn)]]
    )
    shift = np.array([x, y]) - linear @ np.full(2, side / 2)
    return np.concatenate([linear, shift[:, None]], axis=1).astype(np.float32)


def _blend(
    image: Gray, picture: Gray, mask: NDArray[np.float32], matrix: NDArray[np.float32]
) -> None:
    """Put a picture on the scene, in place, through its mask."""
    height, width = image.shape
    side = picture.shape[0]
    corners = np.array([[0, 0, side, side], [0, side, 0, side], [1, 1, 1, 1]], np.float32)
    reach = matrix @ corners
    x1, y1 = np.maximum(np.floor(reach.min(axis=1)).astype(int) - 1, 0)
    x2, y2 = np.minimum(np.ceil(reach.max(axis=1)).astype(int) + 1, (width, height))
    if x2 <= x1 or y2 <= y1:
        return
    local = matrix.copy()
    local[:, 2] -= (x1, y1)
    size = (int(x2 - x1), int(y2 - y1))
    moved = cv2.warpAffine(picture, local, size, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(mask, local, size)
    under = image[y1:y2, x1:x2]
    image[y1:y2, x1:x2] = (under + share * (moved.astype(np.float32) - under)).astype(np.uint8)


def _moved(
    box: NDArray[np.float32], marks: NDArray[np.float32], matrix: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The label row after the move. The box encloses the turned ellipse inside the old one."""
    label = np.zeros(COLUMNS, np.float32)
    centre = matrix[:, :2] @ ((box[:2] + box[2:]) / 2) + matrix[:, 2]
    half = np.sqrt((matrix[:, :2] ** 2) @ ((box[2:] - box[:2]) / 2) ** 2)
    label[:2], label[2:4] = centre - half, centre + half
    label[4:14] = (marks @ matrix[:, :2].T + matrix[:, 2]).ravel()
    return label


def _hidden(box: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The share of a box that another covers."""
    shared = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    if (shared <= 0).any():
        return 0.0
    return float(np.prod(shared) / np.prod(box[2:] - box[:2]))


def _draw_glasses(picture: Gray, marks: NDArray[np.float32], rng: Chance) -> None:
    """Rims, or dark lenses, around the eyes; in place."""
    eyes = marks[:2]
    apart = float(np.hypot(*(eyes[1] - eyes[0])))
    rim = max(1, round(apart * rng.uniform(0.03, 0.1)))
    size = (round(apart * rng.uniform(0.3, 0.45)), round(apart * rng.uniform(0.2, 0.38)))
    shade = int(rng.integers(0, 90))
    lens = -1 if rng.random() < 0.35 else rim
    for x, y in eyes:
        cv2.ellipse(
            picture, (round(float(x)), round(float(y))), size, 0, 0, 360, shade, lens, cv2.LINE_AA
        )
    middle = eyes.mean(axis=0)
    half = max(1.0, apart / 2 - size[0])
    ends = [(round(float(middle[0] + s * half)), round(float(middle[1]))) for s in (-1, 1)]
    cv2.line(picture, ends[0], ends[1], shade, rim, cv2.LINE_AA)


def _cover(
    image: Gray, label: NDArray[np.float32], backgrounds: Sequence[Gray], rng: Chance
) -> bool:
    """Hide part of a face behind a bar, a disc or a piece of another picture.

    Returns:
        Whether so much is hidden that it should not count.
    """
    height, width = image.shape
    size = float(np.sqrt((label[2] - label[0]) * (label[3] - label[1])))
    w, h = (max(2, round(size * rng.uniform(0.15, 0.6))) for _ in range(2))
    x = round(float(rng.uniform(label[0], label[2])) - w / 2)
    y = round(float(rng.uniform(label[1], label[3])) - h / 2)
    x1, y1, x2, y2 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if x2 <= x1 or y2 <= y1:
        return False
    spot = np.array([x1, y1, x2, y2], np.float32)
    kind = rng.random()
    if kind < 0.5:
        source = backgrounds[int(rng.integers(len(backgrounds)))]
        image[y1:y2, x1:x2] = random_view(source, y2 - y1, x2 - x1, rng)
    elif kind < 0.75:
        image[y1:y2, x1:x2] = int(rng.integers(256))
    else:
        middle = ((x1 + x2) // 2, (y1 + y2) // 2)
        cv2.ellipse(
            image, middle, (w // 2, h // 2), 0, 0, 360, int(rng.integers(256)), -1, cv2.LINE_AA
        )
    points = label[4:14].reshape(5, 2)
    inside = ((points >= spot[:2]) & (points <= spot[2:])).all(axis=1).sum()
    return bool(_hidden(label[:4], spot) > 0.4 or inside > 2)
