"""A model made ready to host: the file, its card, and a registry that names it."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from moodlens.artifacts.places import sha256_of
from moodlens.artifacts.registry import Entry
from moodlens.errors import MissingExtraError, ModelError

REGISTRY = "registry.toml"


def publish(
    model: Path,
    target: str,
    *,
    name: str,
    card: dict[str, Any],
    address: str | None = None,
    replace: bool = False,
) -> Entry:
    """Write NAME.onnx, NAME.json, NAME.md and a registry entry into a folder or a bucket.

    Args:
        model: an ONNX file with a card.
        target: a folder, or an address that fsspec can write to, such as `s3://bucket/models`.
        name: what the registry calls it.
        card: the model's card; `licence`, `source` and `labels` go into the entry.
        address: where the folder is served; default: the target itself.
        replace: put it in the place of another file that is published under this name.

    Returns:
        The registry entry that was written.

    Raises:
        ModelError: the name is taken by other bytes, or the target can't be written.
        MissingExtraError: the target needs packages that are not installed.
    """
    place = _open(target)
    digest = sha256_of(model)
    try:
        entry = Entry(
            name=name,
            file=f"{name}.onnx",
            urls=(f"{(address or place.address).rstrip('/')}/{name}.onnx",),
            sha256=digest,
            size=model.stat().st_size,
            licence=str(card.get("licence") or "unknown"),
            source=str(card.get("source") or ""),
            labels=tuple(card.get("labels") or ()),
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{name}: {first['loc'][0]}: {first['msg']}") from error
    others = _others(place, entry, replace)
    said = {"name": name, "sha256": digest, "size": entry.size, "card": card}
    place.put(model, entry.file)
    place.write(f"{name}.json", json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    place.write(f"{name}.md", card_text(entry, card))
    # Last: whoever reads the registry finds what it names.
    place.write(REGISTRY, "\n".join(entry_text(e) for e in (*others, entry)))
    return entry


def entry_text(entry: Entry) -> str:
    """A registry entry as TOML; a JSON string is a TOML string."""
    lines = ["[[model]]"]
    for key, value in entry.model_dump(mode="json", exclude_defaults=True).items():
        lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def card_text(entry: Entry, card: dict[str, Any]) -> str:
    """The card for people, in Markdown."""
    version = f", version {card['version']}" if card.get("version") else ""
    lines = [f"# {entry.name}{version}", ""]
    if card.get("description"):
        lines += [str(card["description"]), ""]
    lines += [
        "| | |",
        "|---|---|",
        f"| file | `{entry.file}`, {entry.size} bytes |",
        f"| sha256 | `{entry.sha256}` |",
        f"| licence | {entry.licence} |",
        f"| source | {entry.source or 'not said'} |",
        f"| labels, in order | {', '.join(entry.labels)} |",
        f"| input | {card.get('input_side')}x{card.get('input_side')} gray, "
        f"pixel in 0 to 1, times {card.get('scale')}, plus {card.get('offset')} |",
        f"| output | {card.get('output')}, temperature {card.get('temperature')} |",
        "",
    ]
    if card.get("metrics"):
        figures = json.dumps(card["metrics"], indent=2, ensure_ascii=False)
        lines += ["## Figures", "", "```json", figures, "```", ""]
    lines += [
        "The model names the apparent emotion of a face, not what a person feels. It must not be "
        "used for decisions about people.",
        "",
    ]
    return "\n".join(lines)


def _others(place: _Place, entry: Entry, replace: bool) -> list[Entry]:
    """The entries that are published there already, less the one of this name."""
    text = place.read(REGISTRY)
    if text is None:
        return []
    try:
        found = [Entry.model_validate(row) for row in tomllib.loads(text).get("model", [])]
    except (tomllib.TOMLDecodeError, ValidationError, TypeError) as error:
        raise ModelError(
            f"{place}: the {REGISTRY} there can't be read; move it away, or publish elsewhere"
        ) from error
    for other in found:
        if other.name == entry.name and other.sha256 != entry.sha256 and not replace:
            raise ModelError(
                f"{entry.name}: another model is published there under this name; choose another "
                "--name, or add --replace"
            )
    return [other for other in found if other.name != entry.name]


class _Place:
    """A folder that is written to by whole files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def address(self) -> str:
        """Where its files are read."""
        return self.folder.resolve().as_uri()

    def put(self, source: Path, name: str) -> None:
        """A file's bytes, under a name."""
        self._whole(name, lambda path: shutil.copyfile(source, path))

    def write(self, name: str, text: str) -> None:
        """A text, under a name."""
        self._whole(name, lambda path: path.write_text(text, encoding="utf-8"))

    def read(self, name: str) -> str | None:
        """A text; None where there is none."""
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def _whole(self, name: str, fill: Any) -> None:
        beside = self.folder / f".{name}.partial"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fill(beside)
            beside.replace(self.folder / name)
        except OSError as error:
            raise ModelError(
                f"{self}: can't be written: {error.strerror or error}; choose another folder"
            ) from error
        finally:
            beside.unlink(missing_ok=True)


class _Bucket(_Place):
    """Cloud storage by fsspec, where a file appears when all of it is there."""

    def __init__(self, target: str) -> None:
        try:
            import fsspec

            self.system, self.root = fsspec.core.url_to_fs(target)
        except (ImportError, ValueError) as error:
            raise MissingExtraError(f"writing to {target}", "cloud") from error
        self.target = target

    def __str__(self) -> str:
        return self.target

    @property
    def address(self) -> str:
        """Where its files are read."""
        return self.target

    def put(self, source: Path, name: str) -> None:
        self._asked(lambda: self.system.put_file(str(source), self._path(name)))

    def write(self, name: str, text: str) -> None:
        self._asked(lambda: self.system.pipe_file(self._path(name), text.encode()))

    def read(self, name: str) -> str | None:
        try:
            return bytes(self.system.cat_file(self._path(name))).decode()
        except FileNotFoundError:
            return None
        except Exception as error:  # every file system has errors of its own
            raise self._failed(error) from error

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"

    def _asked(self, ask: Any) -> Any:
        try:
            return ask()
        except Exception as error:  # every file system has errors of its own
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> ModelError:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        return ModelError(
            f"{self.target}: can't be written: {reason}; check the address and the credentials"
        )


def _open(target: str) -> _Place:
    return _Bucket(target) if "://" in target else _Place(Path(target))
