"""Soft targets, and which rows are trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moodlens.datasets import FaceDataset
from moodlens.datasets.fer2013 import FERPLUS_COLUMNS
from moodlens.errors import DatasetError
from moodlens.training.data import prepare
from moodlens.training.recipe import TargetRecipe
from moodlens.training.targets import emotion_targets, usable_rows, vote_targets


def with_votes(faces: FaceDataset, **votes: int) -> FaceDataset:
    row = np.zeros((len(faces), 10), np.uint8)
    for name, count in votes.items():
        row[:, FERPLUS_COLUMNS.index(name)] = count
    return replace(faces, votes=row)


def test_targets_are_distributions(faces: FaceDataset) -> None:
    for recipe in (TargetRecipe(), TargetRecipe(votes_share=1.0, smoothing=0.0)):
        found = emotion_targets(faces, recipe)
        assert found.shape == (96, 7)
        assert np.allclose(found.sum(axis=1), 1.0, atol=1e-5)
        assert (found >= 0).all()


def test_votes_move_their_share(faces: FaceDataset) -> None:
    voted = with_votes(faces, fear=5, contempt=5)
    found = emotion_targets(voted, TargetRecipe(votes_share=0.5, smoothing=0.0))
    happy = faces.labels == 3
    assert np.allclose(found[happy, 2], 0.5)  # contempt is no emotion of ours: fear has all votes
    assert np.allclose(found[happy, 3], 0.5)


def test_without_a_vote_for_the_seven_the_label_stands(faces: FaceDataset) -> None:
    found = emotion_targets(
        with_votes(faces, contempt=9, NF=1), TargetRecipe(votes_share=0.5, smoothing=0.0)
    )
    assert np.array_equal(found.argmax(axis=1), faces.labels)
    assert np.allclose(found.max(axis=1), 1.0)


def test_the_teacher_takes_its_share(faces: FaceDataset) -> None:
    taught = np.tile(np.eye(7, dtype=np.float32)[5], (96, 1))
    plain = replace(faces, votes=None)
    found = emotion_targets(plain, TargetRecipe(smoothing=0.0, teacher_share=0.25), taught)
    assert np.allclose(found[faces.labels != 5, 5], 0.25)


def test_vote_targets(faces: FaceDataset) -> None:
    found = vote_targets(with_votes(faces, happiness=3, neutral=1, unknown=6))
    assert found.shape == (96, 8)
    assert np.allclose(found[0, :2], [0.25, 0.75])
    assert (vote_targets(with_votes(faces, unknown=10)) == 0).all()


def test_flat_pictures_and_no_faces_are_left_out_and_counted(faces: FaceDataset) -> None:
    dirty = with_votes(faces, neutral=10)
    assert dirty.votes is not None
    images, votes = dirty.images.copy(), dirty.votes.copy()
    images[3] = 80
    votes[3:5] = 0
    votes[3:5, FERPLUS_COLUMNS.index("NF")] = 10
    keep, left_out = usable_rows(replace(dirty, images=images, votes=votes))
    assert np.flatnonzero(~keep).tolist() == [3, 4]
    assert left_out == {"blank": 1, "not a face": 1}


def test_nothing_is_left_out_of_validation(faces: FaceDataset) -> None:
    images = faces.images.copy()
    images[[0, 80]] = 10
    found = prepare(replace(faces, images=images, votes=None), seed=1)
    assert (len(found.train), len(found.validation)) == (71, 24)
    assert found.left_out["blank"] == 1
    assert found.chosen_on == "PublicTest"


def test_data_without_a_split_lose_a_tenth_of_each_emotion(faces: FaceDataset) -> None:
    one = replace(faces, splits=np.array(["all"] * 96), votes=None)
    found = prepare(one, seed=1)
    assert len(found.train) + len(found.validation) == 96
    assert set(found.validation.labels.tolist()) == set(range(7))
    assert not set(found.train.rows.tolist()) & set(found.validation.rows.tolist())
    assert prepare(one, seed=1).validation.rows.tolist() == found.validation.rows.tolist()


def test_private_test_is_never_used(faces: FaceDataset) -> None:
    splits = np.array(["Training"] * 60 + ["PrivateTest"] * 36)
    found = prepare(replace(faces, splits=splits, votes=None), seed=1)
    used = set(found.train.rows.tolist()) | set(found.validation.rows.tolist())
    assert used == set(range(60))


def test_fewer_rows_on_request(faces: FaceDataset) -> None:
    found = prepare(replace(faces, votes=None), seed=1, rows=20)
    assert len(found.train) == 20
    assert len(found.validation) == 24


def test_nothing_to_train_on(faces: FaceDataset) -> None:
    with pytest.raises(DatasetError, match="no Training rows; found PrivateTest"):
        prepare(replace(faces, splits=np.array(["PrivateTest"] * 96)), seed=1)
