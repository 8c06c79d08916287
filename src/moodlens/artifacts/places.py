"""Where models lie: inside the package, in a folder of the user's, in the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from moodlens.settings import settings


def packaged_dir() -> Path:
    """The trained models that come with the package."""
    return Path(__file__).parent / "packaged"


def cache_dir() -> Path:
    """`MOODLENS_CACHE_DIR`, else the user's cache folder; made when something is put there."""
    chosen = settings().cache_dir
    if chosen is not None:
        return chosen / "models"
    import platformdirs

    return Path(platformdirs.user_cache_dir("moodlens", appauthor=False)) / "models"


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
