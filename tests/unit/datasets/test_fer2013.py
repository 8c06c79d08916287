"""Reading FER2013 and FER+: every packing, and every fault with its line."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import numpy as np
import pytest

from moodlens.datasets import load_dataset, read_fer2013, read_ferplus
from moodlens.datasets.fer2013 import FERPLUS_COLUMNS
from moodlens.errors import DatasetError

RNG = np.random.default_rng(7)
IMAGES = RNG.integers(0, 256, (6, 48, 48), dtype=np.uint8)
LABELS = [0, 3, 6, 3, 1, 5]
SPLITS = ["Training"] * 4 + ["PublicTest"] * 2


def pixels(image: np.ndarray) -> str:
    return " ".join(map(str, image.ravel().tolist()))


def table(header: str = "emotion,pixels,Usage", end: str = "\n") -> str:
    rows = [f"{e},{pixels(i)},{s}" for e, i, s in zip(LABELS, IMAGES, SPLITS, strict=True)]
    return end.join([header, *rows]) + end


def check(path: Path) -> None:
    found = read_fer2013(path)
    assert np.array_equal(found.images, IMAGES)
    assert found.labels.tolist() == LABELS
    assert found.splits.tolist() == SPLITS
    assert found.rows.tolist() == list(range(6))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_plain_table(tmp_path: Path, end: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(table(end=end).encode())
    check(path)


def test_a_table_whose_last_line_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(table().rstrip("\n"))
    check(path)


def test_packed_tables(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(table().encode()))
    (tmp_path / "a.csv.xz").write_bytes(lzma.compress(table().encode()))
    check(tmp_path / "a.csv.gz")
    check(tmp_path / "a.csv.xz")


def test_kaggles_header_with_blanks_and_another_order(tmp_path: Path) -> None:
    rows = [f"{e}, {s}, {pixels(i)}" for e, i, s in zip(LABELS, IMAGES, SPLITS, strict=True)]
    path = tmp_path / "icml_face_data.csv"
    path.write_text("\n".join(["emotion, Usage, pixels", *rows]) + "\n")
    check(path)


def test_quoted_cells(tmp_path: Path) -> None:
    rows = [f'{e},"{pixels(i)}","{s}"' for e, i, s in zip(LABELS, IMAGES, SPLITS, strict=True)]
    path = tmp_path / "quoted.csv"
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]))
    check(path)


def test_without_usage_there_is_one_split(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text(f"emotion,pixels\n3,{pixels(IMAGES[0])}\n")
    assert read_fer2013(path).splits.tolist() == ["all"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("3,1 2 3,Training", "line 2: expected 2304 pixels (48x48), found 3"),
        (f"3,{'9 ' * 2303}x,Training", "line 2: the pixels are not numbers"),
        (f"3,{'9 ' * 2303}256,Training", "line 2: pixels must lie in 0..255"),
        (f"3,{'9 ' * 2303}-1,Training", "line 2: pixels must lie in 0..255"),
        (f"3,{'9 ' * 2303}{'9' * 30},Training", "line 2: "),
        ("3,,Training", "line 2: expected 2304 pixels (48x48), found 0"),
        (f"7,{'9 ' * 2304},Training", "line 2: unknown label '7'"),
        (f"happy,{'9 ' * 2304},Training", "line 2: unknown label 'happy'"),
        (f",{'9 ' * 2304},Training", "line 2: unknown label ''"),
        ("3", "line 2: expected 3 columns, found 1"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path: Path, line: str, expected: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(f"emotion,pixels,Usage\n{line}\n")
    with pytest.raises(DatasetError) as raised:
        read_fer2013(path)
    assert str(raised.value).startswith(f"{path}, line 2: ")
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_line_of_a_late_fault_counts_the_header(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(table() + "9,1,Training\n")
    with pytest.raises(DatasetError, match=r"line 8: expected 2304"):
        read_fer2013(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"label,pixels,Usage\n", "expected the columns emotion, pixels and Usage; found label"),
        (b"", "expected the columns"),
        (b"emotion,pixels,Usage\n", "no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "expected the columns"),
    ],
)
def test_not_such_a_table(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=expected):
        read_fer2013(path)


def test_a_damaged_archive(tmp_path: Path) -> None:
    whole = lzma.compress(table().encode())
    for name, content in (("cut.csv.xz", whole[: len(whole) // 2]), ("not.csv.xz", b"no archive")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match="can't be read as a table"):
            read_fer2013(tmp_path / name)


def test_no_such_file_and_not_a_table(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        load_dataset(tmp_path / "none.csv")
    (tmp_path / "faces.zip").write_bytes(b"PK")
    with pytest.raises(DatasetError, match="expected a folder or a table"):
        load_dataset(tmp_path / "faces.zip")


def votes_file(path: Path, rows: int, *, wrong: str = "") -> Path:
    header = ",".join(["Usage", "Image name", *FERPLUS_COLUMNS])
    lines = [f"Training,fer{i:07}.png," + ",".join(["1"] * 10) for i in range(rows)]
    path.write_text("\n".join([header, *lines, *([wrong] if wrong else [])]) + "\n")
    return path


def test_votes_label_the_rows_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(table())
    votes = votes_file(tmp_path / "fer2013new.csv", 9)
    found = load_dataset(tmp_path / "fer2013.csv", ferplus=votes)
    assert found.votes is not None
    assert found.votes.shape == (6, 10)
    assert found.split("PublicTest").votes is not None


def test_too_few_votes(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(table())
    votes = votes_file(tmp_path / "fer2013new.csv", 5)
    with pytest.raises(DatasetError, match="5 rows of votes for 6 pictures"):
        load_dataset(tmp_path / "fer2013.csv", ferplus=votes)


@pytest.mark.parametrize("wrong", ["Training,a,1,2,x,4,5,6,7,8,9,10", "Training,a,1"])
def test_votes_that_are_no_numbers(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(DatasetError, match="line 4: votes must be whole numbers"):
        read_ferplus(votes_file(tmp_path / "v.csv", 2, wrong=wrong))


def test_a_table_that_is_no_ferplus(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("neutral,happiness\n1,2\n")
    with pytest.raises(DatasetError, match="missing columns: surprise"):
        read_ferplus(tmp_path / "v.csv")


def test_a_split_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(table())
    with pytest.raises(DatasetError, match="splits found: PublicTest, Training"):
        read_fer2013(tmp_path / "fer2013.csv").split("PrivateTest")


def test_bytes_that_are_no_table_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_bytes(b'emotion,pixels,Usage\n0,"\r\x00 1 2\n' + bytes(range(256)))
    with pytest.raises(DatasetError, match=r"fer2013\.csv, line 2: expected 3 columns") as raised:
        read_fer2013(path)
    assert "\n" not in str(raised.value)
