"""From FER2013 and a folder of backgrounds to a packaged detector, step by step.

Every step leaves its result in the run's folder; a run that was cut off goes on from there.
"""

from __future__ import annotations

import functools
import multiprocessing
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from moodlens.artifacts import resolve_model
from moodlens.datasets import FaceDataset
from moodlens.detection.own import MoodlensDetector
from moodlens.detection.yunet import YuNet
from moodlens.training.detector.batches import Pool
from moodlens.training.detector.effects import Gray
from moodlens.training.detector.faces import (
    AnnotatedFaces,
    Photograph,
    annotate_faces,
    cut_faces,
    people_in,
    read_backgrounds,
)
from moodlens.training.detector.mining import empty_scenes, mine
from moodlens.training.detector.recipe import DetectorRecipe
from moodlens.training.detector.scenes import SceneComposer

CHUNK = 250
EMPTY_SCENES = 3000
SAMPLE = 128
"""Scenes whose statistics stand for all when a detector is trained further."""
Report = Callable[[str], None]


@dataclass(frozen=True)
class Ingredients:
    """What scenes are made of.

    Attributes:
        faces: annotated face pictures.
        backgrounds: without people, to train on.
        held_out: without people, kept for the measurement.
        people: those photographs of the folder that hold people, but for a quarter.
        natural: faces cut from them.
    """

    faces: AnnotatedFaces
    backgrounds: list[Gray]
    held_out: list[Gray]
    natural: AnnotatedFaces | None = None
    people: list[Photograph] = field(default_factory=list)

    def composer(self, recipe: DetectorRecipe) -> SceneComposer:
        """What composes a recipe's scenes of these."""
        return SceneComposer(
            recipe.scenes,
            self.faces,
            self.backgrounds,
            recipe.seed,
            natural=self.natural,
            people=self.people,
        )


def prepare(
    recipe: DetectorRecipe,
    dataset: FaceDataset,
    background_folder: Path,
    folder: Path,
    report: Report = lambda _line: None,
) -> Ingredients:
    """Label the faces with YuNet (kept in the folder) and sort the backgrounds.

    Raises:
        DownloadError: YuNet is not there and can't be fetched. DatasetError: no backgrounds, or
            no face in the pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    labeller = YuNet(resolve_model("yunet", kind="detector"), min_score=0.4)
    kept = folder / "faces.npz"
    pictures = dataset.images
    if kept.exists():
        faces = AnnotatedFaces.load(kept, list(pictures))
    else:
        faces = annotate_faces(
            pictures, labeller, lambda done: report(f"labelled {done} of {len(pictures)} faces")
        )
        faces.save(kept)
    report(f"{len(faces)} of {len(pictures)} face pictures labelled, the rest is doubtful")
    photographs = read_backgrounds(background_folder)
    seen = [people_in(photograph, labeller) for photograph in photographs]
    empty = [
        photograph for photograph, found in zip(photographs, seen, strict=True) if not len(found)
    ]
    order = np.random.default_rng(recipe.seed).permutation(len(empty))
    held = min(recipe.held_out, len(empty) // 2)
    peopled = [Photograph(p, found) for p, found in zip(photographs, seen, strict=True) if found]
    people = [one for i, one in enumerate(peopled) if i % 4]  # the rest is for the measurement
    cut = [cut_faces(photograph) for photograph in people]
    natural = functools.reduce(operator.add, cut) if cut else None
    report(
        f"{len(empty)} backgrounds without people, {held} of them held out; "
        f"{0 if natural is None else len(natural)} faces cut from the others"
    )
    return Ingredients(
        faces, [empty[i] for i in order[held:]], [empty[i] for i in order[:held]], natural, people
    )


def compose_pool(
    composer: SceneComposer, count: int, name: str, folder: Path, *, workers: int = 1,
    first: int = 0, report: Report = lambda _line: None,
) -> Pool:  # fmt: skip
    """Scenes in two files of the folder, which are opened again if they are there.

    Returns:
        The images, mapped from the file rather than held in memory, and the labels.
    """
    image_path, label_path = folder / f"{name}-images.npy", folder / f"{name}-labels.npy"
    if not label_path.exists():
        recipe = composer.recipe
        shape = (count, recipe.height, recipe.width)
        folder.mkdir(parents=True, exist_ok=True)
        images = np.lib.format.open_memmap(image_path, mode="w+", dtype=np.uint8, shape=shape)
        parts = []
        starts = list(range(0, count, CHUNK))
        make = functools.partial(_compose_chunk, composer, first, count)
        for start, (part, labels) in zip(starts, _map(make, starts, workers), strict=True):
            images[start : start + len(part)] = part
            parts.append(labels)
            if start // CHUNK % 20 == 19:
                report(f"composed {start + len(part)} of {count} scenes")
        images.flush()
        del images
        np.save(label_path, np.concatenate(parts))
    return np.load(image_path, mmap_mode="r"), np.load(label_path)


def _map(make: Callable[[int], Pool], starts: list[int], workers: int) -> Iterator[Pool]:
    if workers == 1:
        yield from map(make, starts)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(make, starts)


def _compose_chunk(composer: SceneComposer, first: int, count: int, start: int) -> Pool:
    cv2.setNumThreads(1)
    return composer.compose_many(first + start, min(CHUNK, count - start))


def train_detector(
    recipe: DetectorRecipe,
    ingredients: Ingredients,
    folder: Path,
    *,
    workers: int = 1,
    resume: bool = False,
    start_from: Path | None = None,
    report: Report = lambda _line: None,
) -> Path:
    """Compose, fit, mine, fit again, export, and quantise.

    Args:
        recipe: what to do.
        ingredients: faces and backgrounds.
        folder: of the run.
        workers: processes that compose scenes.
        resume: go on from what the folder holds.
        start_from: an exported detector of the same shape to train further.
        report: told what is done.

    Returns:
        The ONNX file, in the run's folder. Beside it lies its int8 twin, `.int8.onnx`: quicker,
        but not to be trained further.

    Raises:
        MoodlensError: a file can't be written, or is of another recipe; or `start_from` does
            not fit.
    """
    from moodlens.training.detector.export import export_detector
    from moodlens.training.detector.int8 import quantise_detector
    from moodlens.training.detector.loop import DetectorTraining
    from moodlens.training.detector.restore import restore_weights

    composer = ingredients.composer(recipe)
    first = compose_pool(
        composer, recipe.scenes.count, "first", folder,
        workers=workers, first=recipe.scenes.first, report=report,
    )  # fmt: skip
    training = DetectorTraining(recipe, folder, report=lambda result: report(str(result)))
    if start_from is not None:
        training.start = restore_weights(start_from, recipe.network, first[0][:SAMPLE])
    card = {"name": "moodlens-detector", "min_score": 0.5, "recipe": recipe.model_dump()}
    model = training.fit([first], 1, resume=resume)
    path = export_detector(model, recipe.network, folder / "first.onnx", card)
    if recipe.mining.count and recipe.schedule.second_epochs:
        patches = mine_patches(recipe, ingredients, first, path, report)
        harder = replace(composer, patches=patches)
        second = compose_pool(
            harder, recipe.mining.count, "second", folder,
            workers=workers, first=recipe.scenes.first + recipe.scenes.count, report=report,
        )  # fmt: skip
        model = training.fit([first, second], 2, resume=resume)
        path = export_detector(model, recipe.network, folder / "detector.onnx", card)
    quantise_detector(path, path.with_suffix(".int8.onnx"), first[0])
    return path


def mine_patches(
    recipe: DetectorRecipe,
    ingredients: Ingredients,
    pool: Pool,
    path: Path,
    report: Report = lambda _line: None,
) -> list[Gray]:
    """What the detector takes for faces on the training backgrounds and on faceless scenes."""
    detector = MoodlensDetector(path, min_score=recipe.mining.score)
    pictures = [*ingredients.backgrounds, *empty_scenes(*pool, EMPTY_SCENES)]
    patches = mine(pictures, lambda frame: detector.detect(frame, min_face_px=12.0), recipe.mining)
    report(f"{len(patches)} wrong boxes mined from {len(pictures)} pictures")
    return patches
