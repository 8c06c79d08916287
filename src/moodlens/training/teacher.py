"""Distillation: what larger networks say of a picture becomes part of the target.

Hinton et al. 2015, "Distilling the knowledge in a neural network" (arXiv:1503.02531). Teachers
that see the same changed picture as the student: Beyer et al. 2022 (arXiv:2106.05237).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodlens.errors import ModelError, MoodlensError
from moodlens.recognition.calibration import temper
from moodlens.recognition.classifier import Classifier
from moodlens.training.recipe import TargetRecipe

_BATCH = 128


class Teacher:
    """The mean of one or several models' probabilities, run by ONNX Runtime."""

    def __init__(
        self, models: Sequence[Path], *, temperature: float = 1.0, threads: int = 1
    ) -> None:
        """Open the models.

        Args:
            models: ONNX files with a card; their own calibration applies first.
            temperature: above 1 makes the answers softer.
            threads: of one call; 0 means all cores.

        Raises:
            ModelError: a model can't be used, or there is none.
        """
        if not models:
            raise ModelError("a teacher needs at least one model")
        self._models = [Classifier(path, threads=threads) for path in models]
        for model in self._models:
            if model.input_side != 48:
                raise ModelError(
                    f"{model.path}: a teacher must see 48x48 pictures, this one sees "
                    f"{model.input_side}x{model.input_side}"
                )
        self._temperature = temperature

    def says(self, images: NDArray[np.uint8], *, mirrored: bool = True) -> NDArray[np.float32]:
        """What the teacher says.

        Args:
            images: (n, 48, 48) uint8.
            mirrored: ask each model about the mirror image too, and take the mean. Otherwise the
                models look at the picture and its mirror image by turns: the mean of several
                still knows both, at half the cost.

        Returns:
            (n, 7) float32 distributions.
        """
        out = np.zeros((len(images), 7), np.float32)
        both = [images, images[:, :, ::-1]]
        asked = [
            (model, view)
            for turn, model in enumerate(self._models)
            for view in (both if mirrored else [both[turn % 2]])
        ]
        for start in range(0, len(images), _BATCH):
            part = slice(start, start + _BATCH)
            for model, view in asked:
                out[part] += model.classify(np.ascontiguousarray(view[part]))
        out /= len(asked)
        return temper(out, self._temperature)


def open_teacher(models: Sequence[Path], recipe: TargetRecipe) -> Teacher | None:
    """The teacher that a recipe asks for; None where it asks for none.

    Raises:
        MoodlensError: a teacher is named and the recipe's `teacher_share` is 0, or the other
            way round.
    """
    share = recipe.teacher_share
    if models and not share:
        raise MoodlensError(
            "a teacher needs a recipe with target.teacher_share above 0 (--set "
            "target.teacher_share=0.5)"
        )
    if share and not models:
        raise MoodlensError(
            f"the recipe's target.teacher_share is {share}: name a teacher with --teacher"
        )
    return Teacher(models, temperature=recipe.teacher_temperature, threads=0) if models else None
