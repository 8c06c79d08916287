"""The Ray engine on two nodes of this machine, one of which is killed half-way."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

import moodlens
from moodlens.cluster.job import BatchOptions, Silent, run_batch

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
# A lost node is noticed in some 5 s instead of 20; shorter would take a busy one for lost.
CHECKS = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 4,
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {
        "num_cpus": 1,
        "object_store_memory": STORE,
        "include_dashboard": False,
        "_system_config": CHECKS,
    }
    made = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    try:
        ray.init(
            address=made.address, log_to_driver=False, logging_level=logging.ERROR, namespace="t"
        )
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


class NodeKiller(Silent):
    """Kills a node, without a farewell, when the first part is told of."""

    def __init__(self, cluster: Any, out: Path) -> None:
        self.cluster, self.out = cluster, out
        self.node = cluster.add_node(num_cpus=1, object_store_memory=STORE)
        self.parts_before: int | None = None

    def tick(self, inputs: int) -> None:
        if self.parts_before is None:
            self.parts_before = len(list(self.out.glob("part-*.parquet")))
            self.cluster.remove_node(self.node, allow_graceful=False)


def test_a_killed_node_loses_and_repeats_nothing_and_parts_are_the_local_ones_to_the_byte(
    tmp_path: Path, cluster: Any
) -> None:
    pictures = tmp_path / "in"
    pictures.mkdir()
    face = cv2.resize(cv2.imread(str(SAMPLES / "average-happy.png")), (600, 600))
    for shift in range(4):
        scene = cv2.copyMakeBorder(
            face, 200, 200, 450 + 50 * shift, 450 - 50 * shift, cv2.BORDER_REPLICATE
        )
        data = cv2.imencode(".jpg", scene)[1].tobytes()
        for copy in range(20):
            (pictures / f"{shift}-{copy}.jpg").write_bytes(data)
    (pictures / "bad.jpg").write_bytes(b"not a picture")
    by_ray, by_us = tmp_path / "ray", tmp_path / "local"
    killer = NodeKiller(cluster, by_ray)
    options = BatchOptions(chunk=2, engine="ray")
    done = run_batch(str(pictures), str(by_ray), options, killer)
    assert killer.parts_before is not None
    assert killer.parts_before < 41  # work was left when the node went
    assert (done.done, done.failed) == (81, 1)
    run_batch(str(pictures), str(by_us), BatchOptions(chunk=2, workers=1))
    ours = {path.name: path.read_bytes() for path in by_us.glob("part-*.parquet")}
    theirs = {path.name: path.read_bytes() for path in by_ray.glob("part-*.parquet")}
    assert len(ours) == 41
    assert theirs == ours
    again = run_batch(str(pictures), str(by_ray), options)
    assert (again.done, again.skipped) == (0, 81)
