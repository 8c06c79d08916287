"""`moodlens serve --engine ray`: really started, asked, scaled and replaced, on a local cluster."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import websockets
import yaml
from typer.testing import CliRunner

from moodlens import Lens
from moodlens.cli.serve import command
from moodlens.errors import SettingsError
from moodlens.imaging import load_image
from moodlens.server.on_ray import NAME, ReplicaOptions, build, settings_of

ray = pytest.importorskip("ray")
serve = pytest.importorskip("ray.serve")

# Ray opens files and sockets that it leaves to the garbage collector, and warns of its own plans.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
ROOT = Path(__file__).parents[2]
FACE = (ROOT / "src" / "moodlens" / "webapp" / "samples" / "average-happy.png").read_bytes()


def service() -> dict[str, Any]:
    """The Serve config inside the RayService."""
    manifest = yaml.safe_load((ROOT / "deploy" / "rayservice.yaml").read_text(encoding="utf-8"))
    assert manifest["kind"] == "RayService"
    found: dict[str, Any] = yaml.safe_load(manifest["spec"]["serveConfigV2"])
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster with room for two replicas and what replaces them."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    found = ray.init(
        num_cpus=4,
        object_store_memory=100_000_000,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield found.address_info["gcs_address"]
    finally:
        ray.shutdown()


def ask(address: str, data: bytes = FACE, **headers: str) -> tuple[int, dict[str, Any], Any]:
    asked = Request(f"{address}/v1/analyze", data, {"Content-Type": "image/png"} | headers)
    try:
        with urlopen(asked, timeout=60) as answer:
            return answer.status, json.load(answer), answer.headers
    except HTTPError as error:
        return error.code, json.load(error), error.headers


class Callers:
    """Threads that ask again as soon as they are answered, until the end of the block."""

    def __init__(self, address: str, count: int) -> None:
        self.statuses: list[int] = []
        self._address, self._ended = address, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def _ask(self) -> None:
        while not self._ended.is_set():
            self.statuses.append(ask(self._address)[0])

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(90)


def replicas() -> int:
    """That run, of the app."""
    app = serve.status().applications.get(NAME)
    deployment = app.deployments.get(NAME) if app else None
    return int(deployment.replica_states.get("RUNNING", 0)) if deployment else 0


def metric(address: str, kind: str) -> float:
    """Of the batches of faces: how many (count), of how many faces (sum)."""
    with urlopen(f"{address}/metrics", timeout=30) as answer:
        found = re.search(rf"moodlens_batch_faces_{kind} (\S+)", answer.read().decode())
    return float(found[1]) if found else 0.0


def within(seconds: float, holds: Any) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.2)
    return False


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, timeout=150, check=False
    )


def test_the_service_of_the_deploy_folder_serves_scales_and_is_replaced_without_an_error(
    cluster: str, tmp_path: Path
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    config = service()
    config["http_options"] = {"host": "127.0.0.1", "port": port}
    config["applications"][0]["args"] |= {
        "detector": "moodlens",
        "min_replicas": 1,
        "max_replicas": 2,
        "busy": 1.0,
        "upscale_delay_s": 0.5,
        "settings": {"queue": 16},
    }
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump(config))
    told = run("ray.serve.scripts", "run", "--non-blocking", "--address", cluster, str(path))
    assert told.returncode == 0, told.stderr
    assert within(60, lambda: replicas() == 1)

    status, said, headers = ask(address, **{"X-Request-ID": "of-a-test"})
    assert status == 200
    expected = Lens(detector="moodlens").analyze(load_image(FACE)).to_dict()["faces"][0]
    assert said["results"][0]["faces"][0]["box_xyxy"] == expected["box_xyxy"]
    assert said["results"][0]["faces"][0]["emotion"] == "happy"
    assert headers.get_all("X-Request-ID") == ["of-a-test"]
    status, problem, _ = ask(address, b"junk")
    assert (status, problem["status"]) == (422, 422)
    assert "not a picture" in problem["detail"]
    assert asyncio.run(track_ids(port)) == [1, 1]

    with Callers(address, 6) as callers:
        assert within(60, lambda: metric(address, "sum") > metric(address, "count"))  # batches
        assert within(60, lambda: replicas() == 2)  # the load asks for a second one
        told = run(
            *("moodlens", "serve", "--engine", "ray", "--address", cluster, "--port", str(port)),
            *("--model", "moodlens-tiny", "--detector", "moodlens", "--replicas", "2"),
        )
        assert told.returncode == 0, told.stderr
    assert set(callers.statuses) == {200}
    with urlopen(f"{address}/v1/models", timeout=30) as answer:
        assert json.load(answer)["model"]["name"] == "moodlens-tiny"


async def track_ids(port: int) -> list[int]:
    """Of two frames of one stream."""
    async with websockets.connect(f"ws://127.0.0.1:{port}/v1/stream") as stream:
        found: list[int] = []
        for _ in range(2):
            await stream.send(FACE)
            said = json.loads(await asyncio.wait_for(stream.recv(), 30))
            found.append(said["faces"][0]["track_id"])
    return found


def test_the_config_is_one_that_serve_accepts() -> None:
    from ray.serve.schema import ServeDeploySchema

    schema = ServeDeploySchema.model_validate(service())
    (application,) = schema.applications
    assert application.import_path == "moodlens.server.on_ray:build"
    options = ReplicaOptions.model_validate(application.args)
    assert settings_of(options).queue == 16


def test_options_that_make_no_sense_are_said() -> None:
    with pytest.raises(SettingsError, match="queu"):
        settings_of(ReplicaOptions(settings={"queu": 3}))
    with pytest.raises(SettingsError, match="at most 1"):
        build(ReplicaOptions(min_replicas=2, max_replicas=1))
    with pytest.raises(SettingsError, match="cpu"):
        build({"cpu": 1})
    told = CliRunner().invoke(command, ["--address", "auto"])
    assert isinstance(told.exception, SettingsError)


@pytest.mark.parametrize("words", [["serve"], ["batch", str(ROOT / "src"), "out"]])
def test_an_address_where_no_cluster_is_ends_at_once(words: list[str], tmp_path: Path) -> None:
    words = [str(tmp_path) if word == "out" else word for word in words]
    told = run("moodlens", *words, "--engine", "ray", "--address", f"127.0.0.1:{free_port()}")
    assert told.returncode == 2
    assert "no Ray cluster there" in told.stderr
    assert "Traceback" not in told.stderr
