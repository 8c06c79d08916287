"""Written videos: times, sizes and sound kept; playable whatever happens."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from moodlens.errors import MissingExtraError, MoodlensError
from moodlens.imaging.video_out import VideoWriter, cut_to_whole_fragments

av = pytest.importorskip("av")


def picture(seed: int = 0, height: int = 120, width: int = 160) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)


def frames_of(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [(f.time, f.to_ndarray(format="bgr24")) for f in container.decode(video=0)]


def with_sound(path: Path, codec: str, seconds: float = 2.0) -> Path:
    """A gray clip with a tone."""
    rate = 44_100
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.options = {"bf": "0"}
        audio = out.add_stream(codec, rate=rate)
        audio.layout = "mono"
        for _ in range(int(seconds * 10)):
            gray = np.full((48, 64, 3), 90, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(gray, format="bgr24")))
        out.mux(video.encode(None))
        tone = (np.sin(np.arange(int(seconds * rate)) / 16) * 9000).astype(np.int16)[None]
        turned = av.AudioResampler(audio.format, "mono", rate)
        for start in range(0, tone.shape[1], 1024):
            part = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(tone[:, start : start + 1024]), format="s16", layout="mono"
            )
            part.sample_rate, part.pts = rate, start
            for frame in turned.resample(part):
                out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    return path


def test_frames_and_their_uneven_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.5, 0.52, 1.7]
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for i, at in enumerate(times):
            writer.write(np.full((120, 160, 3), 40 * i, np.uint8), 100.0 + at)
    found = frames_of(tmp_path / "a.mp4")
    assert [at for at, _ in found] == pytest.approx(times, abs=1e-3)
    assert [round(image.mean() / 40) for _, image in found] == list(range(6))


def test_times_that_stand_still_are_moved_on(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for at in (0.0, 0.1, 0.1, 0.05, 0.2):
            writer.write(picture(), at)
    times = [at for at, _ in frames_of(tmp_path / "a.mp4")]
    assert len(times) == 5
    assert all(a < b for a, b in pairwise(times))


@pytest.mark.parametrize("shape", [(121, 161), (1, 1), (7, 300)])
def test_odd_sizes_are_made_even(tmp_path: Path, shape: tuple[int, int]) -> None:
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(picture(0, *shape), 0.0)
    ((_, image),) = frames_of(tmp_path / "a.mp4")
    assert image.shape[:2] == tuple(side + side % 2 for side in shape)


def test_a_frame_of_another_size_is_fitted_in(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(np.full((120, 160, 3), 200, np.uint8), 0.0)
        writer.write(np.full((160, 120, 3), 200, np.uint8), 0.1)
    image = frames_of(tmp_path / "a.mp4")[1][1]
    assert image.shape == (120, 160, 3)
    assert image[:, 80].mean() > 190
    assert image[:, :10].mean() < 20


@pytest.mark.parametrize(
    ("name", "codec", "kept_as"), [("a.mp4", "aac", "aac"), ("b.mkv", "pcm_s16le", "aac")]
)
def test_the_sound_is_kept(tmp_path: Path, name: str, codec: str, kept_as: str) -> None:
    source = with_sound(tmp_path / name, codec)
    with VideoWriter(tmp_path / "out.mp4", sound_from=source, frames_per_s=10) as writer:
        for i in range(20):
            writer.write(picture(i, 48, 64), i / 10)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == kept_as
        samples = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
    assert len(samples) / 44_100 == pytest.approx(2.0, abs=0.15)
    assert np.abs(samples).mean() > 0.05


def test_sound_ends_where_the_frames_end(tmp_path: Path) -> None:
    source = with_sound(tmp_path / "a.mp4", "aac")
    with VideoWriter(tmp_path / "out.mp4", sound_from=source) as writer:
        for i in range(5):
            writer.write(picture(i, 48, 64), i / 10)
    with av.open(str(tmp_path / "out.mp4")) as container:
        last = max(float(f.time) for f in container.decode(audio=0))
    assert last < 0.7


def test_a_source_without_sound_gives_a_silent_video(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "mute.mp4") as writer:
        writer.write(picture(), 0.0)
    with VideoWriter(tmp_path / "out.mp4", sound_from=tmp_path / "mute.mp4") as writer:
        writer.write(picture(), 0.0)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_no_frames_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4"):
        pass
    assert not (tmp_path / "a.mp4").exists()


def test_an_error_of_the_caller_still_finishes_the_file(tmp_path: Path) -> None:
    def stopped() -> None:
        with VideoWriter(tmp_path / "a.mp4") as writer:
            for i in range(30):
                writer.write(picture(i), i / 30)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(frames_of(tmp_path / "a.mp4")) == 30


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.mp4"
    with pytest.raises(MoodlensError, match=r"a\.mp4: the video can't be written") as caught:
        VideoWriter(path).write(picture(), 0.0)
    assert "\n" not in str(caught.value)


FULL = """
import resource, signal, sys
import numpy as np
from moodlens.errors import MoodlensError
from moodlens.imaging.video_out import VideoWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
rng = np.random.default_rng(0)
try:
    with VideoWriter(sys.argv[1], frames_per_s=10) as writer:
        for i in range(200):
            writer.write(rng.integers(0, 255, (120, 160, 3)).astype(np.uint8), i / 10)
except MoodlensError as error:
    print(error)
"""


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "full.mp4"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "can't be written" in done.stdout
    assert "what was written before is kept" in done.stdout
    times = [at for at, _ in frames_of(path)]
    assert len(times) >= 10
    assert times == pytest.approx([i / 10 for i in range(len(times))], abs=1e-3)


def test_a_torn_end_is_cut_off(tmp_path: Path) -> None:
    box = b"\x00\x00\x00\x10ftypisom0000"
    moof = b"\x00\x00\x00\x0cmoof1111"
    mdat = b"\x00\x00\x00\x0cmdat2222"
    path = tmp_path / "a.mp4"
    for torn in (b"", moof, moof + mdat[:-1], b"\x00\x00", moof + b"\x00\x00\x01\x00mdat"):
        path.write_bytes(box + moof + mdat + torn)
        cut_to_whole_fragments(path)
        assert path.read_bytes() == box + moof + mdat


def test_without_pyav_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"moodlens\[video\]"):
        VideoWriter("a.mp4")
