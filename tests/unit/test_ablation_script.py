"""`benchmarks/ablation.py`: its rows, its table, and the page it writes into."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from moodlens.errors import MoodlensError
from moodlens.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "benchmark_ablation", ROOT / "benchmarks" / "ablation.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(accuracy: float) -> dict[str, Any]:
    return {
        "accuracy": accuracy,
        "mean_recall": 0.5,
        "recall_disgust": 0.25,
        "framing_worst_loss": 0.02,
        "n": 2500,
    }


def stored(**runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    identity = {
        "data": "d",
        "recipe": "tiny",
        "epochs": 3,
        "rows": None,
        "git_revision": "0123456789abcdef",
        "backend": "torch",
    }
    return {"identity": identity, "runs": runs}


def test_every_row_is_a_recipe_and_changes_something(ablation: ModuleType) -> None:
    base = Recipe.load("tiny")
    recipes = {name: ablation.recipe_of(base, name, 1, 8) for name in ablation.VARIANTS}
    baseline = recipes.pop(ablation.BASELINE)
    assert (baseline.schedule.epochs, baseline.seed) == (8, 1)
    assert baseline.target.teacher_share == 0
    assert all(recipe != baseline for recipe in recipes.values())
    assert len({recipe.model_dump_json() for recipe in recipes.values()}) == len(recipes)


def test_the_table_compares_runs_of_the_same_seed(ablation: ModuleType) -> None:
    table = ablation.table(
        stored(
            **{
                "baseline": {"1": run(0.60), "2": run(0.62)},
                "with mixup": {"1": run(0.61), "2": run(0.60)},
                "without flips": {"2": run(0.61)},
            }
        )
    )
    assert "| baseline | 1, 2 | 61.0 % |  | 50.0 % | 25.0 % | −2.0 |" in table
    assert "| with mixup | 1, 2 | 60.5 % | -0.5 (-2.0 to +1.0) |" in table
    assert "| without flips | 2 | 61.0 % | -1.0 |" in table
    assert "about 1.0 points" in table
    assert "with CutMix" not in table


def test_the_table_goes_between_the_markers_of_the_page(
    ablation: ModuleType, tmp_path: Path
) -> None:
    page = tmp_path / "training.md"
    page.write_text((ROOT / "docs" / "training.md").read_text(encoding="utf-8"), encoding="utf-8")
    ablation.write_between_markers(page, "| first |")
    ablation.write_between_markers(page, "| second |")
    text = page.read_text(encoding="utf-8")
    assert "| first |" not in text
    assert f"{ablation.START}\n| second |\n{ablation.END}\n" in text
    page.write_text("no markers")
    with pytest.raises(MoodlensError, match="expected one"):
        ablation.write_between_markers(page, "| third |")


def test_results_of_other_data_are_not_mixed_in(ablation: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "ablation.json"
    identity = {"data": "d", "recipe": "tiny", "epochs": 3, "rows": None}
    assert ablation.read_results(path, identity)["runs"] == {}
    path.write_text(json.dumps(stored(baseline={"1": run(0.6)})))
    assert list(ablation.read_results(path, identity)["runs"]) == ["baseline"]
    with pytest.raises(MoodlensError, match="measured with another data, epochs"):
        ablation.read_results(path, identity | {"data": "e", "epochs": 4})
    path.write_text("[")
    with pytest.raises(MoodlensError, match="not the results of this script"):
        ablation.read_results(path, identity)


@pytest.mark.train
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras'
@pytest.mark.parametrize("decay", [0.9, 0.0])
def test_a_run_is_scored_on_its_last_epoch(
    ablation: ModuleType, tmp_path: Path, decay: float
) -> None:
    pytest.importorskip("tensorflow")
    from moodlens.datasets import FaceDataset
    from moodlens.training.data import TrainingData
    from moodlens.training.storage import LOG, read_log

    rng = np.random.default_rng(0)
    faces = FaceDataset(
        rng.integers(0, 256, (60, 48, 48), dtype=np.uint8),
        np.arange(60) % 7,
        np.array(["Training"] * 40 + ["PublicTest"] * 20),
        np.arange(60),
        "noise",
    )
    validation = faces.split("PublicTest")
    prepared = TrainingData(
        faces.split("Training"), validation, np.arange(20) < 15, {}, "PublicTest"
    )
    recipe = Recipe().with_changes(
        {
            "network.stem_width": 4,
            "network.widths": (8,),
            "network.depths": (1,),
            "schedule.epochs": 2,
            "schedule.batch_size": 4,
            "schedule.ema_decay": decay,
            "schedule.precision": "float32",
        }
    )
    found = ablation.train(recipe, prepared, tmp_path, "trial")
    assert found["n"] == 15
    last = read_log(tmp_path / LOG)[-1]
    assert found["accuracy"] == pytest.approx(last.val_accuracy_no_twins, abs=1e-4)
    assert len(found["log"]) == 2
