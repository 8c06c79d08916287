"""`moodlens evaluate`, as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from moodlens.cli.evaluate import command
from moodlens.errors import MoodlensError
from moodlens.imaging import load_image

runner = CliRunner()


def table(path: Path, training: int = 30, public: int = 40) -> Path:
    rng = np.random.default_rng(0)
    lines = ["emotion,pixels,Usage"]
    for i in range(training + public):
        coarse = rng.integers(0, 256, (10, 10), dtype=np.uint8)
        image = cv2.resize(coarse, (48, 48), interpolation=cv2.INTER_CUBIC)
        split = "Training" if i < training else "PublicTest"
        lines.append(f"{i % 7},{' '.join(map(str, image.ravel().tolist()))},{split}")
    lines[training + 1] = lines[1].replace("Training", "PublicTest")  # one twin
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table(tmp_path_factory.mktemp("data") / "fer2013.csv")


def run(*arguments: str | Path) -> tuple[dict[str, object], str]:
    result = runner.invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def test_json_goes_to_standard_output_alone(data: Path) -> None:
    found, _ = run(data, "--split", "PublicTest", "--json", "-")
    assert found["n"] == 40
    assert found["split"] == "PublicTest"
    assert found["n_without_twins"] == 39
    assert 0 <= float(str(found["accuracy_without_twins"])) <= 1


def test_the_split_may_be_left_out_or_written_small(data: Path) -> None:
    assert run(data, "--json", "-")[0] == run(data, "--split", "publictest", "--json", "-")[0]
    assert run(data, "--split", "train", "--json", "-")[0]["n"] == 30


def test_files_and_a_table_for_people(data: Path, tmp_path: Path) -> None:
    page, figures = tmp_path / "out" / "report.html", tmp_path / "out" / "figures.json"
    arguments = [str(data), "--html", str(page), "--json", str(figures), "--mistakes", "3"]
    result = runner.invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "accuracy" in result.stdout
    assert json.loads(figures.read_text())["n"] == 40
    assert page.read_text().count("<img") == 2 + 3


def test_framing_is_measured_on_request(data: Path) -> None:
    found, _ = run(data, "--framing", "--json", "-")
    assert "worst_loss" in found["framing"]  # type: ignore[operator]


def test_training_curves_of_a_log_beside_the_model(data: Path, tmp_path: Path) -> None:
    from moodlens.artifacts import resolve_model

    model = tmp_path / "model.onnx"
    model.write_bytes(resolve_model(None).read_bytes())
    (tmp_path / "log.csv").write_text(
        "epoch,loss,accuracy,val_accuracy,val_accuracy_no_twins,seconds\n1,2.0,.2,.3,.3,9\n"
    )
    page = tmp_path / "report.html"
    result = runner.invoke(command, [str(data), "--model", str(model), "--html", str(page)])
    assert result.exit_code == 0
    assert "training curves" in page.read_text()


def test_a_log_of_another_kind_is_passed_over(data: Path, tmp_path: Path) -> None:
    from moodlens.artifacts import resolve_model

    model = tmp_path / "model.onnx"
    model.write_bytes(resolve_model(None).read_bytes())
    (tmp_path / "log.csv").write_text("time,said\nnow,nothing\n")
    page = tmp_path / "report.html"
    result = runner.invoke(command, [str(data), "--model", str(model), "--html", str(page)])
    assert result.exit_code == 0
    assert "the report has no training curves" in result.stderr
    assert "training curves" not in page.read_text()


def test_a_test_split_that_is_in_training_has_no_figure_without_twins(tmp_path: Path) -> None:
    path = table(tmp_path / "same.csv", training=4, public=4)
    header, *rows = path.read_text().splitlines()
    again = [row.replace("Training", "PublicTest") for row in rows[:4]]
    path.write_text("\n".join([header, *rows[:4], *again]) + "\n")
    found, _ = run(path, "--json", "-")
    assert (found["n"], found["n_without_twins"]) == (4, 0)
    assert found["accuracy_without_twins"] is None
    assert found["loss_without_twins"] is None
    assert runner.invoke(command, [str(path)], catch_exceptions=False).exit_code == 0


def test_no_training_framework_is_loaded(data: Path) -> None:
    code = (
        "import sys; from moodlens.cli.evaluate import command; "
        f"command([{str(data)!r}, '--json', '-'], standalone_mode=False); "
        "print([m for m in ('tensorflow', 'keras', 'torch', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.endswith("\n[]\n")


def test_a_folder_without_faces_is_all_missed(tmp_path: Path) -> None:
    for name in ("happy", "sad"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "gray.png"), np.full((120, 160, 3), 128, np.uint8))
    found, _ = run(tmp_path, "--faces", "detect", "--detector", "haar", "--json", "-")
    assert (found["n"], found["missed"], found["accuracy"]) == (2, 2, 0.0)
    assert found["loss"] is None
    assert found["detector"] == "haar"


@pytest.mark.shared_data
def test_the_largest_face_of_a_photograph_is_judged(shared: Path, tmp_path: Path) -> None:
    from moodlens import Lens

    face = load_image(shared / "media" / "one-face.jpg")
    seen = Lens(detector="yunet").analyze(face).largest
    assert seen is not None
    (tmp_path / seen.emotion).mkdir()
    cv2.imwrite(str(tmp_path / seen.emotion / "a.png"), face)
    found, _ = run(tmp_path, "--faces", "detect", "--detector", "yunet", "--json", "-")
    assert (found["n"], found["missed"], found["accuracy"]) == (1, 0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--split", "PrivateTest"], "no rows of split 'PrivateTest'"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--framing", "--faces", "detect"], "--framing is for --faces cropped"),
        (["--mistakes", "5", "--json", "-"], "name it with --html FILE"),
    ],
)
def test_wrong_use_is_one_line(data: Path, arguments: list[str], expected: str) -> None:
    with pytest.raises(MoodlensError, match=expected) as raised:
        runner.invoke(command, [str(data), *arguments], catch_exceptions=False)
    assert "\n" not in str(raised.value)


@pytest.mark.shared_data
def test_public_test_with_the_packaged_model(shared: Path) -> None:
    data = shared / "data" / "fer2013" / "fer2013.csv.xz"
    found, _ = run(data, "--split", "PublicTest", "--json", "-")
    assert found["n"] == 3579
    assert float(str(found["accuracy"])) > 0.55
    assert float(str(found["accuracy_without_twins"])) < float(str(found["accuracy"]))
