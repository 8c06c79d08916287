"""What the package shows, and what importing it does not do."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import moodlens
from moodlens import errors

SOURCES = Path(moodlens.__file__).parent
OPTIONAL = {
    "alembic",
    "altair",
    "fastapi",
    "fsspec",
    "keras",
    "matplotlib",
    "optuna",
    "pandas",
    "prometheus_client",
    "pyarrow",
    "ray",
    "sqlalchemy",
    "starlette",
    "streamlit",
    "streamlit_webrtc",
    "tensorflow",
    "torch",
    "uvicorn",
}
# The rooms whose extra brings those packages.
ROOMS_WITH_EXTRAS = {"cluster", "history", "server", "training", "webapp"}


def test_every_public_name_is_there() -> None:
    for name in moodlens.__all__:
        assert getattr(moodlens, name) is not None
    assert set(moodlens.__all__) <= set(dir(moodlens))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = moodlens.no_such_name  # type: ignore[attr-defined]


def test_every_error_is_a_moodlens_error() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.MoodlensError)


def _module_level_imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            pending += node.body
    return found


@pytest.mark.parametrize(
    "path",
    sorted(
        p for p in SOURCES.rglob("*.py") if p.relative_to(SOURCES).parts[0] not in ROOMS_WITH_EXTRAS
    ),
    ids=lambda p: str(p.relative_to(SOURCES)),
)
def test_no_optional_package_is_imported_at_module_level(path: Path) -> None:
    found = _module_level_imports(ast.parse(path.read_text(encoding="utf-8")))
    assert not found & OPTIONAL


def test_importing_moodlens_loads_nothing_heavy_and_changes_nothing() -> None:
    code = (
        "import os, sys; before = dict(os.environ); import moodlens; "
        "heavy = {'numpy', 'cv2', 'onnxruntime', 'pydantic', 'keras', 'streamlit', 'PIL'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "assert dict(os.environ) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_no_file_is_longer_than_can_be_read_at_once() -> None:
    long = {
        str(path.relative_to(SOURCES)): lines
        for path in SOURCES.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 420
    }
    assert not long
