"""The notebook runs from end to end, on FER2013 and on the drawings it makes without it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

pytestmark = pytest.mark.train

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "RealTimeEmotionDetection.ipynb"
PLOTS = 7 + 6
"""Seven rows of faces; counts, changes, curves, confusion, reliability, the last picture. And
the map of where the network looked, in the last cell."""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with Jupyter's own files in it too."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def execute(folder: Path) -> tuple[str, int]:
    """What all cells print, and how many pictures they show."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    said = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")
    return said, sum("image/png" in o.get("data", {}) for o in outputs)


def accuracy_of(said: str) -> float:
    found = re.search(r"pictures, accuracy (\d+\.\d)%", said)
    assert found is not None, said
    return float(found.group(1))


def test_it_is_committed_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


def test_it_runs_on_drawings_without_fer2013(run: Path) -> None:
    said, plots = execute(run)
    assert "FER2013 was not found: these are drawings" in said
    assert "Keras and ONNX agree within" in said
    assert accuracy_of(said) > 25  # one in seven by chance
    assert plots == PLOTS + 1
    assert {"model.keras", "model.onnx", "run.json", "curves.png"} <= {
        path.name for path in (run / "runs" / "notebook").iterdir()
    }


@pytest.mark.shared_data
def test_it_runs_on_a_part_of_fer2013(
    run: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOODLENS_FER2013", str(shared / "data" / "fer2013" / "fer2013.csv.xz"))
    said, plots = execute(run)
    assert "fer2013.csv.xz 32137 pictures" in said
    assert "FER2013 was not found" not in said
    assert accuracy_of(said) > 20
    assert plots == PLOTS + 1
