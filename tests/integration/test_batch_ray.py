"""The Ray engine on two nodes of this machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

import moodlens
from moodlens.cluster.job import BatchOptions, run_batch

pytest.importorskip("pyarrow")
ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")
cluster_utils = pytest.importorskip("ray.cluster_utils")

# Ray opens files and sockets that it leaves to the garbage collector, and warns of its own plans.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
SAMPLES = Path(moodlens.__file__).parent / "webapp" / "samples"
STORE = 100_000_000


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    made = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        ray.init(
            address=made.address, log_to_driver=False, logging_level=logging.ERROR, namespace="t"
        )
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def test_parts_are_those_of_the_local_engine_to_the_byte(tmp_path: Path, cluster: Any) -> None:
    pictures = tmp_path / "in"
    pictures.mkdir()
    face = cv2.resize(cv2.imread(str(SAMPLES / "average-happy.png")), (300, 300))
    for shift in range(4):
        scene = cv2.copyMakeBorder(
            face, 40, 40, 90 + 10 * shift, 90 - 10 * shift, cv2.BORDER_REPLICATE
        )
        data = cv2.imencode(".jpg", scene)[1].tobytes()
        for copy in range(10):
            (pictures / f"{shift}-{copy}.jpg").write_bytes(data)
    (pictures / "bad.jpg").write_bytes(b"not a picture")
    by_ray, by_us = tmp_path / "ray", tmp_path / "local"
    cluster.add_node(num_cpus=1, object_store_memory=STORE)
    done = run_batch(str(pictures), str(by_ray), BatchOptions(chunk=2, engine="ray"))
    assert (done.done, done.failed) == (41, 1)
    run_batch(str(pictures), str(by_us), BatchOptions(chunk=2, workers=1))
    ours = {path.name: path.read_bytes() for path in by_us.glob("part-*.parquet")}
    theirs = {path.name: path.read_bytes() for path in by_ray.glob("part-*.parquet")}
    assert len(ours) == 21
    assert theirs == ours
    again = run_batch(str(pictures), str(by_ray), BatchOptions(chunk=2, engine="ray"))
    assert (again.done, again.skipped) == (0, 41)
