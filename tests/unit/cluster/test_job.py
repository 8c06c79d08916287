"""The worker, the parts and what a rerun does, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.dataset
import pyarrow.parquet
import pytest

from moodlens import Lens
from moodlens.cluster import job
from moodlens.cluster.inputs import find_items
from moodlens.cluster.items import Chunk, plan
from moodlens.cluster.job import GAVE_UP, BatchOptions, run_batch
from moodlens.cluster.rows import schema
from moodlens.cluster.work import Worker
from moodlens.emotions import EMOTIONS
from moodlens.errors import SettingsError


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Chunk]:
    """The local engine without processes; the chunks it was given."""
    seen: list[Chunk] = []

    def run(work: Any, chunks: list[Chunk], **_: Any) -> Iterator[Any]:
        worker = Worker(work)
        for chunk in chunks:
            seen.append(chunk)
            yield worker.process(chunk)

    monkeypatch.setattr(job, "run_local", run)
    return seen


def table(folder: Path) -> list[dict[str, Any]]:
    found = pyarrow.dataset.dataset(folder, format="parquet").to_table().to_pylist()
    return sorted(found, key=lambda r: (r["source"], r["frame_index"] or 0, r["face_index"] or 0))


def test_rows_say_what_the_lens_says(pictures: Path, tmp_path: Path, here: list[Chunk]) -> None:
    done = run_batch(str(pictures), str(tmp_path / "out"), BatchOptions(chunk=4))
    assert (done.inputs, done.done, done.failed, done.skipped) == (6, 6, 1, 0)
    rows = table(tmp_path / "out")
    assert done.rows == len(rows) == 6
    by_name = {Path(row["source"]).name: row for row in rows}
    assert by_name["plain.png"]["face_index"] is None
    assert by_name["plain.png"]["error"] is None
    assert (by_name["plain.png"]["width"], by_name["plain.png"]["height"]) == (80, 60)
    assert "not a picture" in by_name["bad.jpg"]["error"]
    assert by_name["bad.jpg"]["width"] is None
    row = by_name["2.png"]
    (face,) = Lens().analyze(pictures / "deeper" / "2.png").faces
    assert row["emotion"] == face.emotion
    assert row["confidence"] == np.float32(face.confidence)
    assert [row[e] for e in EMOTIONS] == [np.float32(face.scores[e]) for e in EMOTIONS]
    assert (row["x1"], row["y2"]) == (np.float32(face.box_xyxy[0]), np.float32(face.box_xyxy[3]))
    assert tuple(row["prediction_set"]) == face.prediction_set
    assert face.quality is not None
    assert row["quality"] == np.float32(face.quality.score)


def test_every_part_has_the_documented_schema(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    run_batch(str(pictures), str(tmp_path / "out"), BatchOptions(chunk=1))
    parts = list((tmp_path / "out").glob("*.parquet"))
    assert len(parts) == 6
    for part in parts:
        assert pyarrow.parquet.read_schema(part).remove_metadata() == schema()
    page = Path(__file__).parents[3] / "docs" / "batch.md"
    for name in schema().names:
        assert f"`{name}`" in page.read_text(), name


def test_a_rerun_does_only_what_is_missing(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    out, options = str(tmp_path / "out"), BatchOptions(chunk=2)
    run_batch(str(pictures), out, options)
    before = table(tmp_path / "out")
    victim = sorted((tmp_path / "out").glob("*.parquet"))[0]
    victim.unlink()
    here.clear()
    again = run_batch(str(pictures), out, options)
    assert (again.done, again.skipped, len(here)) == (2, 4, 1)
    assert victim.exists()  # the same inputs, the same name
    assert table(tmp_path / "out") == before
    here.clear()
    assert run_batch(str(pictures), out, options).done == 0
    assert here == []


def test_new_and_changed_inputs_are_done_and_old_rows_of_them_go(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    out, options = str(tmp_path / "out"), BatchOptions(chunk=3)
    run_batch(str(pictures), out, options)
    (pictures / "0-new.png").write_bytes((pictures / "plain.png").read_bytes())
    (pictures / "bad.jpg").write_bytes((pictures / "deeper" / "1.png").read_bytes())
    here.clear()
    again = run_batch(str(pictures), out, options)
    assert (again.done, again.skipped, again.failed) == (2, 5, 0)
    assert sorted(Path(i.source).name for c in here for i in c.items) == ["0-new.png", "bad.jpg"]
    rows = table(tmp_path / "out")
    assert len(rows) == len({r["source"] for r in rows}) == 7
    assert all(r["error"] is None for r in rows)


def test_failed_inputs_are_tried_again_on_wish(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    out = str(tmp_path / "out")
    run_batch(str(pictures), out)
    again = run_batch(str(pictures), out, BatchOptions(retry_failed=True))
    assert (again.done, again.failed) == (1, 1)
    assert len(table(tmp_path / "out")) == 6


def test_other_options_want_another_folder(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    out = str(tmp_path / "out")
    run_batch(str(pictures), out)
    with pytest.raises(SettingsError, match="choose another OUTPUT"):
        run_batch(str(pictures), out, BatchOptions(min_face_px=50))


def test_an_input_that_kills_every_worker_is_found_and_becomes_a_row(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine leaves out every chunk that holds plain.png, as it does when workers die."""

    def run(work: Any, chunks: list[Chunk], **_: Any) -> Iterator[Any]:
        worker = Worker(work)
        for chunk in chunks:
            if not any(item.source.endswith("plain.png") for item in chunk.items):
                yield worker.process(chunk)

    monkeypatch.setattr(job, "run_local", run)
    done = run_batch(str(pictures), str(tmp_path / "out"))
    assert (done.done, done.failed) == (6, 2)
    rows = {Path(r["source"]).name: r for r in table(tmp_path / "out")}
    assert len(rows) == 6
    assert GAVE_UP in rows["plain.png"]["error"]
    assert rows["0.png"]["face_index"] == 0


def test_two_runs_do_not_write_into_one_folder(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    from moodlens.cluster.parts import Parts

    with (
        Parts(str(tmp_path / "out"), "job").alone(),
        pytest.raises(SettingsError, match="another run"),
    ):
        run_batch(str(pictures), str(tmp_path / "out"))


def test_parquet_of_bytes_gives_what_the_files_give(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    files = sorted((pictures / "deeper").iterdir())
    values = [{"bytes": f.read_bytes(), "path": f.name} for f in files] + [None]
    tables = tmp_path / "tables"
    tables.mkdir()
    pyarrow.parquet.write_table(
        pyarrow.table({"image": values}), tables / "t.parquet", row_group_size=3
    )
    done = run_batch(str(tables), str(tmp_path / "out"), BatchOptions(chunk=2))
    assert (done.done, done.failed) == (5, 1)
    run_batch(str(pictures / "deeper"), str(tmp_path / "files"))
    ours, theirs = table(tmp_path / "out"), table(tmp_path / "files")
    assert "no bytes" in ours.pop()["error"]
    for row in (*ours, *theirs):
        del row["source"]
    assert ours == theirs


def test_parquet_of_paths_in_the_order_of_the_chunks(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    paths = [str(p) for p in (pictures / "deeper").iterdir()] + ["gone.png", None]
    pyarrow.parquet.write_table(pyarrow.table({"path": paths}), tmp_path / "t.parquet")
    done = run_batch(str(tmp_path / "t.parquet"), str(tmp_path / "out"))
    assert (done.done, done.failed, done.rows) == (6, 2, 6)
    errors = [row["error"] for row in table(tmp_path / "out") if row["error"]]
    assert any("gone.png: no such file" in e for e in errors)
    assert any("names no file" in e for e in errors)


def test_addresses_in_and_out(pictures: Path, tmp_path: Path, here: list[Chunk]) -> None:
    fsspec = pytest.importorskip("fsspec")
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/pics/1.png", (pictures / "deeper" / "1.png").read_bytes())
    fs.pipe_file("/pics/2.png", b"damaged")
    done = run_batch("memory://pics", "memory://results")
    assert (done.done, done.failed, done.rows) == (2, 1, 2)
    assert run_batch("memory://pics", "memory://results").skipped == 2
    (name,) = fs.glob("/results/part-*.parquet")
    rows = pyarrow.parquet.read_table(fs.open(name)).to_pylist()
    assert [r["source"] for r in rows] == ["memory:///pics/1.png", "memory:///pics/2.png"]


def test_videos_give_a_row_a_face_a_frame(
    pictures: Path, tmp_path: Path, here: list[Chunk]
) -> None:
    av = pytest.importorskip("av")
    import cv2

    scene = cv2.imread(str(pictures / "deeper" / "1.png"))
    folder = tmp_path / "clips"
    folder.mkdir()
    for name, image in (("face.mp4", scene), ("plain.mp4", np.full_like(scene, 90))):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            for _ in range(6):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            container.mux(stream.encode())
    (folder / "bad.mp4").write_bytes(b"no video")
    done = run_batch(str(folder), str(tmp_path / "out"), BatchOptions(frames_every=2))
    assert (done.done, done.failed) == (3, 1)
    rows = table(tmp_path / "out")
    faces = [r for r in rows if r["source"].endswith("face.mp4")]
    assert [(r["frame_index"], r["timestamp_s"]) for r in faces] == [
        (0, 0.0),
        (2, pytest.approx(0.2)),
        (4, pytest.approx(0.4)),
    ]
    (plain,) = [r for r in rows if r["source"].endswith("plain.mp4")]
    assert plain["face_index"] is None
    assert plain["width"] == 320
    (bad,) = [r for r in rows if r["source"].endswith("bad.mp4")]
    assert "no video in it" in bad["error"]


def test_a_plan_of_found_items_covers_them(pictures: Path) -> None:
    items = find_items(str(pictures))
    assert {i.key for c in plan(items, 2) for i in c.items} == {i.key for i in items}
