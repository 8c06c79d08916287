"""The emotion network's shape and first weights."""

from __future__ import annotations

import numpy as np
import pytest

from moodlens.training.recipe import Recipe

pytest.importorskip("tensorflow")

import keras

from moodlens.training.network import build_network

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras'
]


@pytest.mark.parametrize("start", [0.0, 0.5, 1.0])
def test_residual_branches_begin_as_loud_as_the_recipe_says(recipe: Recipe, start: float) -> None:
    shape = recipe.with_changes({"network.residual_start": start}).network
    keras.utils.set_random_seed(1)
    network = build_network(shape)
    inner = keras.Model(network.input, network.get_layer("stage1_block1_bn2").output)
    faces = np.random.default_rng(2).random((4, 48, 48, 1), dtype=np.float32)
    branch = np.asarray(inner(faces, training=True))  # normalised: spread one before the scale
    assert float(branch.std()) == pytest.approx(start, abs=0.02)
