"""`moodlens train`, then evaluate and export what it made."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("tensorflow")

pytestmark = pytest.mark.train

POCKET = """
seed = 3
[network]
name = "pocket"
stem_width = 8
widths = [8, 12]
depths = [1, 1]
[schedule]
epochs = 2
batch_size = 16
precision = "float32"
"""


def moodlens(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as Keras keeps one backend for a process."""
    return subprocess.run(
        [sys.executable, "-c", "from moodlens.cli.main import main; main()", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def picture(rng: np.random.Generator) -> np.ndarray:
    coarse = rng.integers(0, 256, (8, 8), dtype=np.uint8)
    return cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a recipe and a finished run."""
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    with (folder / "fer2013.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for i in range(220):
            split = "Training" if i < 100 else "PublicTest"
            pixels = np.full((48, 48), 9) if i == 5 else picture(rng)
            writer.writerow([i % 7, " ".join(map(str, pixels.ravel().tolist())), split])
    (folder / "pocket.toml").write_text(POCKET)
    done = moodlens(
        "train", "fer2013.csv", "--recipe", "pocket.toml", "--output", "run", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "run/model.keras\n"
    assert "left out of training: 1 blank, 0 not a face" in done.stderr
    assert "training on 99 pictures" in done.stderr
    return folder


def test_the_run_keeps_all_that_reproduces_it(place: Path) -> None:
    run = place / "run"
    names = {path.name for path in run.iterdir()}
    assert {
        "checkpoint.npz",
        "best.npz",
        "log.csv",
        "model.keras",
        "run.json",
        "curves.png",
    } <= names
    assert list((run / "tensorboard").glob("events.out.tfevents.*"))
    record = json.loads((run / "run.json").read_text())
    assert record["recipe"]["network"]["name"] == "pocket"
    assert record["seed"] == 3
    assert record["backend"] == "tensorflow"
    assert len(record["data"]["sha256"]) == 64
    assert record["data"]["rows"] == {"PublicTest": 120, "Training": 100}
    assert {"python", "keras", "numpy"} <= set(record["packages"])
    assert record["git_revision"]
    curves = cv2.imread(str(run / "curves.png"))
    assert curves is not None


def test_the_log_has_a_line_an_epoch(place: Path) -> None:
    lines = (place / "run" / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,accuracy,val_accuracy,val_accuracy_no_twins,seconds"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]


def test_a_run_is_not_overwritten_and_not_resumed_on_other_data(place: Path) -> None:
    again = moodlens(
        "train", "fer2013.csv", "--recipe", "pocket.toml", "--output", "run", cwd=place
    )
    assert again.returncode == 2
    assert "holds a training run already" in again.stderr
    lines = (place / "fer2013.csv").read_text().splitlines(keepends=True)
    (place / "other.csv").write_text("".join(lines[:-1]))
    other = moodlens(
        "train", "other.csv", "--recipe", "pocket.toml", "--output", "run", "--resume", cwd=place
    )
    assert other.returncode == 2
    assert "was on other data" in other.stderr
    assert other.stderr.count("\n") == other.stderr.strip().count("\n") + 1


def test_a_teacher_needs_a_share(place: Path) -> None:
    done = moodlens(
        "train", "fer2013.csv", "--recipe", "pocket.toml", "--output", "taught",
        "--teacher", "moodlens-default", cwd=place,
    )  # fmt: skip
    assert done.returncode == 2
    assert "target.teacher_share" in done.stderr


def test_export_there_and_back(place: Path) -> None:
    there = moodlens("export", "run", "--output", "pocket.onnx",
                     "--calibrate-on", "fer2013.csv", cwd=place)  # fmt: skip
    assert there.returncode == 0, there.stderr
    assert there.stdout == "pocket.onnx\n"
    assert "Keras and ONNX agree within" in there.stderr
    assert "temperature" in there.stderr
    back = moodlens("export", "pocket.onnx", "--output", "back.keras", cwd=place)
    assert back.returncode == 0, back.stderr
    judged = moodlens("evaluate", "fer2013.csv", "--model", "pocket.onnx", "--json", "-", cwd=place)
    found = json.loads(judged.stdout)
    assert found["n"] == 120

    from moodlens.recognition.classifier import Classifier

    classifier = Classifier(place / "pocket.onnx")
    assert classifier.explains
    assert classifier.info.conformal_threshold is not None
    assert classifier.info.training["recipe"]["network"]["name"] == "pocket"
    assert classifier.info.metrics["n"] == 120


def test_runs_are_averaged_in_one_file(place: Path) -> None:
    done = moodlens("export", "run", "--average-with", "run", "--output", "two.onnx", cwd=place)
    assert done.returncode == 0, done.stderr
    alone = moodlens("export", "run", "--output", "one.onnx", cwd=place)
    assert alone.returncode == 0, alone.stderr
    one, two = ((place / name).stat().st_size for name in ("one.onnx", "two.onnx"))
    assert two > one
    import numpy as np

    from moodlens.recognition.classifier import Classifier

    faces = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    first, both = Classifier(place / "one.onnx"), Classifier(place / "two.onnx")
    np.testing.assert_allclose(first.classify(faces), both.classify(faces), atol=1e-4)
    assert len(both.info.training["members"]) == 2
    wrong = moodlens("export", "one.onnx", "--average-with", "run", cwd=place)
    assert wrong.returncode == 2
    assert "--average-with joins runs" in wrong.stderr


def test_int8_is_kept_only_when_it_answers_as_well(place: Path) -> None:
    moodlens("export", "run", "--output", "small.onnx", cwd=place)
    done = moodlens(
        "export", "small.onnx", "--format", "onnx", "--output", "again.onnx", "--int8",
        "--calibration-data", "fer2013.csv", cwd=place,
    )  # fmt: skip
    written = (place / "again.int8.onnx").exists()
    assert done.returncode == (0 if written else 1), done.stderr
    assert written == ("was not written" not in done.stderr)
    if written:
        assert (place / "again.int8.onnx").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "none.csv"], "none.csv: no such file"),
        (["train", "fer2013.csv", "--recipe", "huge"], "no recipe 'huge'"),
        (["train", "fer2013.csv", "--set", "schedule.epochs=0"], "schedule.epochs"),
        (["train", "fer2013.csv", "--set", "epochs"], "expected NAME=VALUE"),
        (["train", "fer2013.csv", "--backend", "theano"], "no backend 'theano'"),
        (["export", "fer2013.csv"], "fer2013.csv"),
        (["export", "."], "no best.npz"),
        (["export", "moodlens-default", "--format", "keras", "--int8"], "--int8 needs"),
    ],
)
def test_wrong_use_is_one_line_and_two(place: Path, arguments: list[str], expected: str) -> None:
    done = moodlens(*arguments, cwd=place)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_tune_writes_a_recipe_that_trains(place: Path) -> None:
    arguments = ("tune", "fer2013.csv", "--recipe", "pocket.toml", "--epochs", "1", "--rows", "60")
    done = moodlens(*arguments, "--trials", "1", cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "runs/tune/best.toml\n"
    assert "trial 1/1" in done.stderr
    more = moodlens(*arguments, "--trials", "2", cwd=place)
    assert more.returncode == 0, more.stderr
    assert "trial 2/2" in more.stderr
    assert "trial 1/2" not in more.stderr
    trained = moodlens(
        "train", "fer2013.csv", "--recipe", "runs/tune/best.toml", "--epochs", "1", "--output",
        "tuned", cwd=place,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    other = moodlens(*arguments, "--set", "schedule.batch_size=8", cwd=place)
    assert other.returncode == 2
    assert "that search was with another recipe" in other.stderr
