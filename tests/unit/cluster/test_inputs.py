"""What INPUT may be."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from moodlens.cluster.inputs import find_items
from moodlens.errors import InputError, MissingExtraError


def test_a_folder_is_searched_to_its_depths_and_other_files_are_left_out(pictures: Path) -> None:
    (pictures / ".hidden.png").write_bytes(b"")
    found = find_items(str(pictures))
    assert sorted(Path(i.source).name for i in found) == sorted(
        ["0.png", "1.png", "2.png", "3.png", "plain.png", "bad.jpg"]
    )


def test_the_output_inside_the_input_is_not_searched(pictures: Path) -> None:
    found = find_items(str(pictures), leave_out=str(pictures / "deeper"))
    assert sorted(Path(i.source).name for i in found) == ["bad.jpg", "plain.png"]


def test_a_glob_and_a_file(pictures: Path) -> None:
    assert len(find_items(str(pictures / "**" / "*.png"))) == 5
    (only,) = find_items(str(pictures / "notes.txt"))  # named itself: reading it will tell
    assert only.kind == "picture"


def test_parquet_of_bytes_gives_rows_with_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    table = pyarrow.table({"image": [b"1", b"2", b"3"]})
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    found = find_items(str(path))
    assert [(i.source, i.group, i.index) for i in found] == [
        (f"{path}#0", 0, 0),
        (f"{path}#1", 0, 1),
        (f"{path}#2", 1, 0),
    ]


def test_parquet_of_paths_counts_from_its_own_folder(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    paths = ["a.png", "/b.png", "clip.mp4", None, "a.png"]
    pyarrow.parquet.write_table(pyarrow.table({"path": paths}), path)
    found = {i.source: i.kind for i in find_items(str(path))}
    assert found == {
        str(tmp_path / "a.png"): "picture",
        "/b.png": "picture",
        str(tmp_path / "clip.mp4"): "video",
        f"{path}#3": "nothing",
    }


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "none", "no such file"),
        (lambda folder: folder, "no pictures, videos or Parquet"),
        (lambda folder: f"{folder}/*.png", "no pictures, videos or Parquet"),
        (lambda folder: "nosuchkind://x/y", "nosuchkind"),
    ],
)
def test_an_input_that_is_not_there_is_said(tmp_path: Path, make, said: str) -> None:
    with pytest.raises(InputError, match=said):
        find_items(str(make(tmp_path)))


def test_parquet_without_a_column_of_pictures_is_refused(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"x": [1]}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"'image' or 'bytes'.*it has x"):
        find_items(str(tmp_path))


def test_damaged_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match=r"t\.parquet: not a Parquet file"):
        find_items(str(tmp_path))


def test_a_bucket_without_its_packages_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    pytest.importorskip("fsspec")
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(MissingExtraError, match=r"moodlens\[cloud\]"):
        find_items("s3://bucket/pictures")


def test_an_address_is_listed_by_its_file_system() -> None:
    fsspec = pytest.importorskip("fsspec")
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/ours/a/1.png", b"1")
    fs.pipe_file("/ours/2.jpg", b"22")
    fs.pipe_file("/ours/3.txt", b"3")
    assert sorted(i.source for i in find_items("memory://ours")) == [
        "memory:///ours/2.jpg",
        "memory:///ours/a/1.png",
    ]
