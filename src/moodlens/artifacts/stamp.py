"""The registry says of each packaged model how many bytes it has and their hash.

python -m moodlens.artifacts.stamp    # after a packaged file has changed
"""

from __future__ import annotations

import re
from pathlib import Path

from moodlens.artifacts.places import packaged_dir, sha256_of
from moodlens.errors import ModelError

REGISTRY = Path(__file__).with_name("registry.toml")
_ENTRY = re.compile(r"(?m)^\[\[model\]\]\n(?:.+\n)+")
_FILE = re.compile(r'(?m)^file = "(.+)"\n')
_OLD = re.compile(r"(?m)^(?:sha256|size) = .+\n")


def stamp(path: Path = REGISTRY, folder: Path | None = None) -> list[str]:
    """Write hash and size of every packaged file into the registry.

    Args:
        path: the registry.
        folder: of the packaged files; None: the package's own.

    Returns:
        The names of the files.

    Raises:
        ModelError: a packaged file is missing.
    """
    stamped: list[str] = []

    def renewed(match: re.Match[str]) -> str:
        entry = match[0]
        found = _FILE.search(entry)
        if "packaged = true" not in entry or found is None:
            return entry
        file = (folder or packaged_dir()) / found[1]
        if not file.is_file():
            raise ModelError(f"{file}: the registry calls it packaged, and it is not there")
        stamped.append(file.name)
        said = f'{found[0]}sha256 = "{sha256_of(file)}"\nsize = {file.stat().st_size}\n'
        return _OLD.sub("", entry).replace(found[0], said)

    text = _ENTRY.sub(renewed, path.read_text(encoding="utf-8"))
    partial = path.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return stamped


if __name__ == "__main__":
    print("\n".join(stamp()))
