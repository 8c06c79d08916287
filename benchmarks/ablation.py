"""What each part of the recipe is worth: short runs of the tiny network with one thing changed.

Every run is trained on `Training` and scored on the `PublicTest` pictures without a twin there,
after its last epoch, so that no epoch is picked. Results are kept as they come: stopped at any
time, the same command goes on with what is missing, also inside a run.

    python benchmarks/ablation.py ../shared/data/fer2013/fer2013.csv.xz \
        --ferplus ../shared/data/fer2013/fer2013new.csv --epochs 12 --seeds 1 2 \
        --write docs/training.md

`--write` alone, without new runs to make, only renders the table again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodlens.datasets import FaceDataset, load_dataset
from moodlens.emotions import EMOTIONS
from moodlens.errors import MoodlensError
from moodlens.evaluation import framing
from moodlens.evaluation.metrics import confusion
from moodlens.recognition.calibration import softmax
from moodlens.recognition.preprocess import to_input
from moodlens.training.backend import use_backend
from moodlens.training.data import TrainingData, prepare
from moodlens.training.provenance import data_hash, git_revision, package_versions
from moodlens.training.recipe import Recipe
from moodlens.training.storage import EpochResult, write_text

RESULTS = Path(__file__).parent / "ablation.json"
START, END = "<!-- ablation: start -->", "<!-- ablation: end -->"
BASELINE = "baseline"
_COMMON = {
    "target.teacher_share": 0.0,
    "target.smoothing": 0.05,
    "augment.ramp": 0.25,
    "network.residual_start": 1.0,
}
VARIANTS: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "without FER+ votes": {"target.votes_share": 0.0, "target.votes_head_weight": 0.0},
    "votes in the target, no second head": {"target.votes_head_weight": 0.0},
    "second head, no votes in the target": {"target.votes_share": 0.0},
    "without label smoothing": {"target.smoothing": 0.0},
    "with mixup": {"augment.mixup": 0.35},
    "with CutMix": {"augment.cutmix": 0.35},
    "without random erasing": {"augment.erase": 0.0},
    "without geometric jitter": {
        "augment.scale": 1.0,
        "augment.shift": 0.0,
        "augment.rotation_deg": 0.0,
    },
    "without tone, blur and noise": {
        "augment.tone": 0.0,
        "augment.blur": 0.0,
        "augment.noise": 0.0,
    },
    "without flips": {"augment.flip": 0.0},
    "without weight averaging": {"schedule.ema_decay": 0.0},
    "without squeeze-and-excitation": {"network.squeeze_ratio": 0},
    "residual branches silent at first": {"network.residual_start": 0.0},
    "balanced classes (half way)": {"schedule.balance": 0.5},
    "with sharpness-aware steps, half the epochs": {"schedule.sharpness": 0.05},
    "mirror images must agree, half the epochs": {"target.flip_consistency": 1.0},
}
"""What each row changes in the baseline."""
_COSTS_DOUBLE = ("schedule.sharpness", "target.flip_consistency")
"""With one of these an epoch takes twice as long, so the run has half as many: equal cost."""


class KerasFaces:
    """A trained network where an ONNX `Classifier` is expected, so that any backend will do."""

    input_side = 48

    def __init__(self, network: Any) -> None:
        self._network = network

    def classify(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(faces, 7) uncalibrated probabilities of (faces, 48, 48) uint8 crops."""
        return softmax(np.asarray(self._network.predict_on_batch(to_input(crops))))


def recipe_of(base: Recipe, variant: str, seed: int, epochs: int) -> Recipe:
    """The base recipe with the row's changes, and as many epochs as cost the same."""
    if any(name in _COSTS_DOUBLE for name in VARIANTS[variant]):
        epochs = max(1, epochs // 2)
    short = {"schedule.epochs": epochs, "schedule.warmup_epochs": min(2.0, epochs / 4)}
    return base.with_changes(_COMMON | short | VARIANTS[variant] | {"seed": seed})


def train(recipe: Recipe, prepared: TrainingData, folder: Path, name: str) -> dict[str, Any]:
    """One run to its end and its figures; goes on from the folder's checkpoint."""
    import keras

    from moodlens.training.loop import TrainingRun
    from moodlens.training.network import plain_network

    def report(result: EpochResult) -> None:
        print(
            f"{name}  epoch {result.epoch}/{recipe.schedule.epochs}  loss {result.loss:.3f}  "
            f"without twins {result.val_accuracy_no_twins:.2%}  {result.seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )

    keras.backend.clear_session()
    run = TrainingRun(
        recipe, prepared.train, prepared.validation, prepared.no_twins, folder, report=report
    )
    run.run(resume=True)
    weights = last_weights(recipe, folder, votes=run.has_votes)
    network = plain_network(recipe.network, weights, votes=run.has_votes)
    figures = score(KerasFaces(network), prepared)
    return figures | {
        "network": recipe.network.name,
        "parameters": int(network.count_params()),
        "log": [vars(result) for result in run.results],
    }


def last_weights(recipe: Recipe, folder: Path, *, votes: bool) -> list[NDArray[Any]]:
    """The averaged weights of the last epoch; the plain ones where nothing was averaged."""
    from moodlens.training.network import build_network
    from moodlens.training.storage import CHECKPOINT, read_arrays
    from moodlens.training.targets import VOTE_CLASSES

    state = read_arrays(folder / CHECKPOINT)
    averaged = sum(name.startswith("ema_") for name in state) - 1  # one of them is the step
    if averaged:
        return [state[f"ema_{i}"] for i in range(averaged)]
    network = build_network(recipe.network, votes=len(VOTE_CLASSES) if votes else 0, fused=True)
    for i, variable in enumerate(network.variables):
        variable.assign(state[f"model_{i}"])
    return list(network.get_weights())


def score(faces: KerasFaces, prepared: TrainingData) -> dict[str, Any]:
    """Accuracy, mean recall of the emotions and framing, on the rows without twins."""
    unseen: FaceDataset = prepared.validation.select(prepared.no_twins)
    views = framing(faces, unseen)  # type: ignore[arg-type]
    answers = np.concatenate(
        [
            faces.classify(unseen.images[i : i + 64]).argmax(axis=1)
            for i in range(0, len(unseen), 64)
        ]
    )
    matrix = confusion(answers, unseen.labels)
    recall = np.diag(matrix) / np.maximum(matrix.sum(axis=1), 1)
    return {
        "accuracy": views["as_is"],
        "mean_recall": round(float(recall.mean()), 5),
        "recall_disgust": round(float(recall[EMOTIONS.index("disgust")]), 5),
        "framing_worst_loss": views["worst_loss"],
        "n": len(unseen),
    }


def read_results(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """What earlier calls measured.

    Raises:
        MoodlensError: it was with other data, or the file is damaged.
    """
    if not path.exists():
        return {"identity": identity, "runs": {}}
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = stored["identity"]
    except (OSError, ValueError, KeyError) as error:
        raise MoodlensError(f"{path}: not the results of this script: {error}") from error
    differs = [name for name in identity if known.get(name) != identity[name]]
    if differs:
        raise MoodlensError(f"{path}: measured with another {', '.join(differs)}; use --results")
    return stored


def table(stored: dict[str, Any]) -> str:
    """The rows measured so far as Markdown, each against the baseline of the same seeds."""
    runs: dict[str, dict[str, Any]] = stored["runs"]
    identity = stored["identity"]
    baseline = runs.get(BASELINE, {})
    rows = "all" if identity["rows"] is None else f"{identity['rows']:,}"
    some = next((run for found in runs.values() for run in found.values()), None)
    lines = [
        f"The tiny network, {identity['epochs']} epochs on {rows} rows of Training, no teacher; "
        f"last epoch, {some['n'] if some else 0:,} PublicTest pictures without a twin. Each row "
        "changes one thing; the difference is to the baseline of the same seeds, its range over "
        "the seeds in brackets. Chance alone moves a figure on so many pictures by about "
        f"{_noise(some):.1f} points (one standard error), so smaller differences mean little.",
        "",
        "| | seeds | accuracy | points | mean recall | recall of disgust | worst framing |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in VARIANTS:
        found = runs.get(name, {})
        if not found:
            continue
        seeds = sorted(found, key=int)

        def mean(figure: str, of: dict[str, Any] = found) -> str:
            return f"{100 * float(np.mean([run[figure] for run in of.values()])):.1f}"

        gains = [
            100 * (found[s]["accuracy"] - baseline[s]["accuracy"]) for s in seeds if s in baseline
        ]
        gain = "" if name == BASELINE or not gains else _gain(gains)
        lines.append(
            f"| {name} | {', '.join(seeds)} | {mean('accuracy')} % | {gain} | "
            f"{mean('mean_recall')} % | {mean('recall_disgust')} % | "
            f"−{mean('framing_worst_loss')} |"
        )
    lines += ["", f"Measured at `{identity['git_revision'][:12]}`, Keras on {identity['backend']}."]
    return "\n".join(lines)


def _noise(run: dict[str, Any] | None) -> float:
    """Standard error of an accuracy, in points."""
    if run is None:
        return 0.0
    share = run["accuracy"]
    return float(100 * np.sqrt(share * (1 - share) / run["n"]))


def _gain(gains: list[float]) -> str:
    middle = f"{np.mean(gains):+.1f}"
    return middle if len(gains) == 1 else f"{middle} ({min(gains):+.1f} to {max(gains):+.1f})"


def write_between_markers(path: Path, text: str) -> None:
    """Put the table into a page, in place of the one that is there.

    Raises:
        MoodlensError: the page has no such markers.
    """
    page = path.read_text(encoding="utf-8")
    if page.count(START) != 1 or page.count(END) != 1 or page.index(START) > page.index(END):
        raise MoodlensError(f"{path}: expected one {START} and one {END} after it")
    before, rest = page.split(START)
    after = rest.split(END)[1]
    write_text(path, f"{before}{START}\n{text}\n{END}{after}")


def parse() -> argparse.Namespace:
    ask = argparse.ArgumentParser(description="What each part of the recipe is worth.")
    ask.add_argument("data", type=Path)
    ask.add_argument("--ferplus", type=Path)
    ask.add_argument("--recipe", default="tiny")
    ask.add_argument("--epochs", type=int, default=12)
    ask.add_argument("--rows", type=int, help="train on that many rows; default: all")
    ask.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    ask.add_argument("--only", nargs="+", choices=list(VARIANTS), metavar="VARIANT")
    ask.add_argument("--backend", help="of Keras: tensorflow (default), jax or torch")
    ask.add_argument("--results", type=Path, default=RESULTS)
    ask.add_argument("--work", type=Path, default=Path("runs/ablation"))
    ask.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    return ask.parse_args()


def main() -> None:
    given = parse()
    backend = use_backend(given.backend)
    dataset = load_dataset(given.data, ferplus=given.ferplus)
    base = Recipe.load(given.recipe)
    identity = {
        "data": data_hash(dataset),
        "recipe": given.recipe,
        "epochs": given.epochs,
        "rows": given.rows,
    }
    stored = read_results(given.results, identity)
    stored["identity"] |= {
        "backend": backend,
        "git_revision": git_revision(),
        "packages": package_versions(backend),
    }
    wanted = [
        (name, seed)
        for seed in given.seeds  # a whole table of the first seed before the second
        for name in (given.only or VARIANTS)
        if str(seed) not in stored["runs"].get(name, {})
    ]
    if wanted:
        prepared = prepare(dataset, seed=base.seed, rows=given.rows)
    for i, (name, seed) in enumerate(wanted, 1):
        folder = given.work / f"{name.replace(' ', '-')}-{seed}"
        recipe = recipe_of(base, name, seed, given.epochs)
        found = train(recipe, prepared, folder, f"[{i}/{len(wanted)}] {name}, seed {seed}")
        stored["runs"].setdefault(name, {})[str(seed)] = found
        write_text(given.results, json.dumps(stored, indent=1) + "\n")
        shutil.rmtree(folder)
    text = table(stored)
    print(text)
    if given.write is not None:
        write_between_markers(given.write, text)


if __name__ == "__main__":
    try:
        main()
    except MoodlensError as error:
        sys.exit(f"ablation: {error}")
    except KeyboardInterrupt:
        sys.exit("ablation: stopped; the same command goes on")
