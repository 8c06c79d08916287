"""`moodlens batch` with real processes: killed workers, Ctrl-C, the command line."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import pytest

import moodlens

pytest.importorskip("pyarrow")
import pyarrow.dataset
from typer.testing import CliRunner

from moodlens.cli.batch import command
from moodlens.cluster.job import BatchOptions, Silent, run_batch
from moodlens.errors import MoodlensError

SAMPLES = Path(moodlens.__file__).parent / "webapp" / "samples"


def make_pictures(folder: Path, n: int) -> Path:
    folder.mkdir()
    face = cv2.resize(cv2.imread(str(SAMPLES / "average-surprise.png")), (120, 120))
    for number in range(n):
        scene = cv2.copyMakeBorder(face, 10, 10, 10 + number, 10, cv2.BORDER_REPLICATE)
        cv2.imwrite(str(folder / f"{number:03}.png"), scene)
    (folder / "bad.jpg").write_bytes(b"not a picture")
    return folder


def table(folder: Path) -> list[dict[str, Any]]:
    found = pyarrow.dataset.dataset(folder, format="parquet").to_table().to_pylist()
    return sorted(found, key=lambda row: (row["source"], row["face_index"] or 0))


class Killer(Silent):
    """Kills a worker with SIGKILL once, after so many inputs."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.killed: int | None = None

    def tick(self, inputs: int) -> None:
        self.left -= inputs
        if self.left <= 0 and self.killed is None:
            victim = multiprocessing.active_children()[0]
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
            self.killed = victim.pid


def test_a_killed_worker_loses_and_repeats_nothing(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path / "in", 23)
    killer = Killer(after=5)
    options = BatchOptions(workers=1, chunk=8)
    done = run_batch(str(pictures), str(tmp_path / "out"), options, killer)
    assert killer.killed is not None
    assert (done.done, done.failed) == (24, 1)
    rows = table(tmp_path / "out")
    assert len(rows) == len({row["source"] for row in rows}) == 24
    assert not list((tmp_path / "out").glob("*.tmp"))
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) == 3


def test_the_command_says_what_it_did_and_ctrl_c_keeps_it(tmp_path: Path) -> None:
    pictures, out = make_pictures(tmp_path / "in", 40), tmp_path / "out"
    arguments = [str(pictures), str(out), "--chunk", "1", "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "moodlens", "batch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(6000):
        if process.poll() is not None or len(list(out.glob("part-*"))) >= 2:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "stopped" in stderr
    kept = len(table(out))
    assert 2 <= kept < 41
    assert stdout.startswith(f"{kept} of 41 inputs")
    again = CliRunner().invoke(command, arguments)
    assert again.exit_code == 1  # bad.jpg
    assert f"{kept} were there already" in again.stdout
    rows = table(out)
    assert len(rows) == len({row["source"] for row in rows}) == 41


def test_a_wrong_model_is_one_line(tmp_path: Path) -> None:
    pictures = make_pictures(tmp_path / "in", 1)
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no network")
    with pytest.raises(MoodlensError) as told:
        run_batch(str(pictures), str(tmp_path / "out"), BatchOptions(model=str(wrong), workers=1))
    assert "wrong.onnx" in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_a_bucket_in_and_out_has_the_rows_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    s3fs = pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        s3fs.S3FileSystem.clear_instance_cache()
        pictures = make_pictures(tmp_path / "in", 6)
        client = boto3.client("s3")
        client.create_bucket(Bucket="photos")
        for path in pictures.iterdir():
            client.upload_file(str(path), "photos", f"in/{path.name}")
        client.close()
        options = BatchOptions(workers=1, chunk=4)
        done = run_batch("s3://photos/in", "s3://photos/out", options)
        assert (done.done, done.failed) == (7, 1)
        assert run_batch("s3://photos/in", "s3://photos/out", options).skipped == 7
        s3fs.S3FileSystem().get("photos/out", str(tmp_path / "got"), recursive=True)
    finally:
        server.stop()
        s3fs.S3FileSystem.clear_instance_cache()
    run_batch(str(pictures), str(tmp_path / "out"), options)
    got, ours = table(tmp_path / "got"), table(tmp_path / "out")
    for row in [*got, *ours]:
        row["source"] = Path(row["source"]).name
        row["error"] = row["error"] is not None  # it names the source
    assert got == ours
