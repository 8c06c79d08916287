from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moodlens.training.detector.drawings import random_drawing
from moodlens.training.detector.effects import degrade, paste_mask
from moodlens.training.detector.faces import Photograph
from moodlens.training.detector.scenes import (
    DOUBTFUL,
    FACE,
    Scene,
    SceneComposer,
)
from moodlens.training.detector.sheet import contact_sheet
from moodlens.training.detector.views import View, view_of_face


def test_the_same_number_gives_the_same_scene(composer: SceneComposer) -> None:
    one, again = composer.compose(11), composer.compose(11)
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(one.table(16), again.table(16))


def test_other_numbers_and_seeds_give_other_scenes(composer: SceneComposer) -> None:
    one = composer.compose(11).image
    assert not np.array_equal(one, composer.compose(12).image)
    assert not np.array_equal(one, replace(composer, seed=8).compose(11).image)


def test_scenes_do_not_depend_on_how_they_are_counted_off(composer: SceneComposer) -> None:
    images, labels = composer.compose_many(4, 6)
    later, later_labels = composer.compose_many(7, 2)
    assert np.array_equal(images[3:5], later)
    assert np.array_equal(labels[3:5], later_labels)


def test_labels_lie_on_the_scene_and_keep_their_plan(composer: SceneComposer) -> None:
    seen = 0
    for number in range(60):
        scene = composer.compose(number)
        assert scene.image.shape == (128, 160)
        assert scene.image.dtype == np.uint8
        assert len(scene.labels) <= composer.recipe.faces
        for label in scene.labels:
            assert label[14] in (FACE, DOUBTFUL)
            x1, y1, x2, y2 = label[:4]
            assert x2 > x1
            assert y2 > y1
            marks = label[4:14].reshape(5, 2)
            centre = np.array([x1 + x2, y1 + y2]) / 2
            assert (np.abs(marks - centre) < max(x2 - x1, y2 - y1)).all()
            assert marks[0, 0] < marks[1, 0], "the left eye comes first"
            if label[14] == FACE:
                seen += 1
                assert np.sqrt((x2 - x1) * (y2 - y1)) >= composer.recipe.smallest * 0.99
    assert seen > 60


def test_landmarks_fall_on_the_drawn_eyes(composer: SceneComposer) -> None:
    """Pasted plainly, the label's points are where the picture is dark."""
    rng = np.random.default_rng(1)
    recipe = composer.recipe.model_copy(update={"cover": 0.0, "glasses": 0.0, "roll_deg": 12.0})
    plain = replace(composer, recipe=recipe)
    darker = []
    for _ in range(20):
        scene = Scene(np.full((128, 160), 230, np.uint8))
        plain._place(scene, rng, plain.faces, 0, 90.0, (80.0, 64.0), whole=True)
        for x, y in scene.labels[0][4:8].reshape(2, 2):
            column, row = round(float(x)), round(float(y))
            middle = scene.labels[0][4:8].reshape(2, 2).mean(axis=0)
            between = scene.image[round(float(middle[1])), round(float(middle[0]))]
            darker.append(int(scene.image[row, column]) < int(between))
    assert np.mean(darker) > 0.95


def test_views_of_photographs_know_their_faces(
    composer: SceneComposer, photograph: Photograph
) -> None:
    recipe = composer.recipe.model_copy(update={"people": 1.0, "faces": 2})
    real = replace(composer, recipe=recipe, people=[photograph])
    kinds = set()
    for number in range(80):
        for label in real.compose(number).labels:
            x1, y1, x2, y2 = label[:4]
            marks = label[4:14].reshape(5, 2)
            np.testing.assert_allclose((marks[:, 0].mean() - x1) / (x2 - x1), 0.5, atol=0.02)
            assert marks[0, 0] < marks[1, 0], "the left eye comes first, mirrored or not"
            wide = (y2 - y1) > 1.3 * (x2 - x1)  # only the doubtful face is so narrow
            assert not (wide and label[14] == FACE)
            kinds.add(float(label[14]))
    assert kinds == {FACE, DOUBTFUL}
    again = replace(composer, people=[photograph])
    assert np.array_equal(again.compose(3).image, composer.compose(3).image), "none are asked for"


@pytest.mark.parametrize("flipped", [False, True])
def test_a_view_and_its_labels_agree(photograph: Photograph, flipped: bool) -> None:
    view = View(60, 40, 120, 90, flipped)
    shown = view.of(photograph.picture, 180, 240)
    found = photograph.found
    label = view.label(found.boxes_xyxy[0], found.landmarks[0], 240)
    for (x, y), (u, v) in zip(label[4:14].reshape(5, 2), found.landmarks[0], strict=True):
        if not flipped:
            assert abs(int(shown[round(y), round(x)]) - (u + v) / 2) <= 2
    eyes = label[4:8].reshape(2, 2)
    assert eyes[0, 0] < eyes[1, 0]
    assert (
        abs(
            int(shown[round(eyes[0, 1]), round(eyes[0, 0])])
            - (found.landmarks[0][1 if flipped else 0].sum() / 2)
        )
        <= 2
    )


def test_a_view_of_a_face_shows_it_at_its_size(photograph: Photograph) -> None:
    rng = np.random.default_rng(0)
    box = photograph.found.boxes_xyxy[0]
    for size in (20.0, 45.0, 200.0):
        view = view_of_face(photograph.picture, box, size, 128, 160, rng)
        assert view.left >= 0
        assert view.left + view.width <= 300
        label = view.label(box, photograph.found.landmarks[0], 160)
        got = float(np.sqrt((label[2] - label[0]) * (label[3] - label[1])))
        assert got == pytest.approx(max(size, 45 / (200 / 128)), rel=0.1)
        assert 0 < (label[0] + label[2]) / 2 < 160


def test_faces_do_not_hide_each_other(composer: SceneComposer) -> None:
    for number in range(40):
        faces = [label for label in composer.compose(number).labels if label[14] == FACE]
        for i, a in enumerate(faces):
            for b in faces[i + 1 :]:
                assert np.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) > 8


def test_masks_drawings_and_effects_keep_shape_and_range() -> None:
    rng = np.random.default_rng(2)
    for side in (8, 31, 120):
        for _ in range(12):
            mask = paste_mask(side, rng)
            assert mask.shape == (side, side)
            assert mask.min() >= 0
            assert mask.max() <= 1.0001
            assert mask.max() > 0.2
            drawing = random_drawing(side, rng)
            assert drawing.shape == (side, side)
            assert drawing.dtype == np.uint8
            worse = degrade(drawing, rng)
            assert worse.shape == drawing.shape
            assert worse.dtype == np.uint8


def test_mined_patches_are_pasted(composer: SceneComposer) -> None:
    mined = replace(composer, patches=[np.full((24, 24), 255, np.uint8)])
    differ = sum(
        not np.array_equal(mined.compose(n).image, composer.compose(n).image) for n in range(20)
    )
    assert differ >= 5


def test_contact_sheet_has_a_picture_for_every_scene(composer: SceneComposer) -> None:
    sheet = contact_sheet(composer, columns=3, rows=2)
    assert sheet.shape == (2 * 128, 3 * 160, 3)
    assert (sheet == (0, 255, 0)).all(axis=2).any(), "no box is drawn"


def test_one_face_alone_has_the_size_asked_for(composer: SceneComposer) -> None:
    for number in range(10):
        scene = composer.compose_one(number % 6, 60.0, number)
        (label,) = scene.labels
        size = np.sqrt((label[2] - label[0]) * (label[3] - label[1]))
        assert 50 < size < 72
