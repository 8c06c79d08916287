"""Publishing into a bucket and fetching from it: an S3 server on loopback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from moodlens.artifacts import cache_dir, download, resolve_model
from moodlens.cli.models import command
from moodlens.errors import DownloadError, ModelError
from moodlens.recognition.classifier import Classifier
from moodlens.settings import settings

moto = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")
s3fs = pytest.importorskip("s3fs")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket, found by the variables that S3's own tools read."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MOODLENS_OFFLINE")
    monkeypatch.setattr(download, "BACK_OFF_S", 0.01)
    settings.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="models")
    for row in client.list_objects_v2(Bucket="models").get("Contents", []):
        client.delete_object(Bucket="models", Key=row["Key"])
    client.close()
    return "s3://models/ours"


def run(*arguments: str) -> str:
    done = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_team_publishes_to_a_bucket_and_another_machine_fetches(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = run("publish", bucket, "--name", "ours")
    assert f'urls = ["{bucket}/ours.onnx"]' in entry
    own = tmp_path / "registry.toml"
    own.write_text(entry)
    monkeypatch.setenv("MOODLENS_REGISTRY", str(own))
    settings.cache_clear()
    told: list[tuple[int, int | None]] = []
    path = resolve_model("ours", progress=lambda done, total: told.append((done, total)))
    original = resolve_model(None)
    assert path == cache_dir() / "ours.onnx"
    assert path.read_bytes() == original.read_bytes()
    assert told[-1] == (path.stat().st_size, path.stat().st_size)
    assert Classifier(path).info.name == "moodlens-default"


def test_a_bucket_address_is_a_spec(bucket: str) -> None:
    run("publish", bucket)
    path = resolve_model(f"{bucket}/moodlens-default.onnx")
    assert path.read_bytes() == resolve_model(None).read_bytes()


def test_a_bucket_keeps_its_other_models(bucket: str) -> None:
    run("publish", bucket, "--name", "one")
    run("publish", bucket, "--name", "two")
    system = s3fs.S3FileSystem()
    text = system.cat_file(f"{bucket}/registry.toml").decode()
    assert text.count("[[model]]") == 2
    card = json.loads(system.cat_file(f"{bucket}/one.json"))
    assert card["card"]["labels"][0] == "angry"


def test_an_object_that_is_not_there(bucket: str) -> None:
    with pytest.raises(DownloadError, match="there is no such file"):
        resolve_model(f"{bucket}/absent.onnx")
    assert not list(cache_dir().glob("*.partial"))


def test_publishing_to_no_bucket_says_so(bucket: str, tmp_path: Path) -> None:
    copy = shutil.copy(resolve_model(None), tmp_path / "own.onnx")
    done = CliRunner().invoke(command, ["publish", "s3://nowhere/x", "--model", str(copy)])
    assert isinstance(done.exception, ModelError)
    assert "s3://nowhere/x" in str(done.exception)


def test_a_folder_is_published_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    entry = run("publish", str(site), "--name", "ours", "--address", "https://example.org/models")
    assert 'urls = ["https://example.org/models/ours.onnx"]' in entry
    assert {p.name for p in site.iterdir()} == {
        *("ours.onnx", "ours.json", "ours.md", "registry.toml"),
    }
    assert (site / "registry.toml").read_text() == entry
    assert "apparent emotion" in (site / "ours.md").read_text()


def test_a_published_folder_serves_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("publish", str(tmp_path / "site"), "--name", "ours")
    monkeypatch.setenv("MOODLENS_REGISTRY", str(tmp_path / "site" / "registry.toml"))
    monkeypatch.delenv("MOODLENS_OFFLINE")
    settings.cache_clear()
    assert resolve_model("ours").read_bytes() == resolve_model(None).read_bytes()


def test_a_taken_name_is_not_overwritten(tmp_path: Path) -> None:
    site = tmp_path / "site"
    run("publish", str(site), "--name", "ours")
    text = (site / "registry.toml").read_text()
    other = text.replace(text.split('sha256 = "')[1][:64], "0" * 64)
    (site / "registry.toml").write_text(other)
    done = CliRunner().invoke(command, ["publish", str(site), "--name", "ours"])
    assert isinstance(done.exception, ModelError)
    assert "--replace" in str(done.exception)
    assert (site / "registry.toml").read_text() == other
    assert run("publish", str(site), "--name", "ours", "--replace") == text
