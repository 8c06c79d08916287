"""The page about models lists the messages that the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "models.md"
PLACES = ("artifacts", "training", "recognition")


def messages() -> list[str]:
    table = PAGE.read_text(encoding="utf-8").split("## Messages and remedies")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


def said_by_the_code() -> str:
    files = [p for place in PLACES for p in (ROOT / "src" / "moodlens" / place).rglob("*.py")]
    text = " ".join(p.read_text(encoding="utf-8") for p in files)
    text = re.sub(r'"\s+f?"', "", text)  # strings that go on in the next line
    return text.replace("{REGISTRY} ", "").replace("{LABELS}", "7")


def test_the_table_has_rows_and_no_row_twice() -> None:
    assert len(messages()) > 30
    assert len(set(messages())) == len(messages())


@pytest.mark.parametrize("message", messages())
def test_each_listed_message_is_one_that_the_code_says(message: str) -> None:
    assert message in said_by_the_code()


def test_every_refusal_of_a_transfer_is_listed() -> None:
    source = (ROOT / "src" / "moodlens" / "artifacts" / "transport.py").read_text(encoding="utf-8")
    said = re.findall(r'TransferError\(\s*f?"([^"{]{8,})', source)
    assert len(said) > 8
    listed = messages()
    for text in said:
        assert any(text.startswith(m) or m.startswith(text.strip()) for m in listed), text
