"""What every test may use: the shared data folder, and a home of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

with suppress(ImportError):
    import pylibsrtp  # noqa: F401 (before TensorFlow: started after it, libsrtp crashes)

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MOODLENS_SHARED", ROOT.parent / "shared"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if (SHARED / "README.md").is_file():
        return
    reason = "the shared data folder is not beside this clone"
    for item in items:
        if item.get_closest_marker("shared_data"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared data folder; use with the marker `shared_data`."""
    return SHARED


@pytest.fixture(autouse=True)
def own_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No test reads or writes the user's own cache, registry or history, nor the network."""
    from moodlens.settings import settings

    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("MOODLENS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MOODLENS_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("MOODLENS_DATABASE_URL", f"sqlite:///{home / 'history.sqlite'}")
    monkeypatch.setenv("MOODLENS_OFFLINE", "1")
    if (SHARED / "models").is_dir():
        monkeypatch.setenv("MOODLENS_MODELS_DIR", str(SHARED / "models"))
    settings.cache_clear()
    main = sys.modules["__main__"]
    yield
    settings.cache_clear()  # a fixture of a whole module must not see this test's settings
    sys.modules["__main__"] = main  # Streamlit's AppTest leaves its own; new processes read it
