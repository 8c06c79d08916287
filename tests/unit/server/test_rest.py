"""The REST routes: answers, limits, and errors that say why."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from moodlens import Lens
from moodlens.emotions import EMOTIONS
from moodlens.imaging import load_image
from moodlens.server import ServerSettings, create_app
from moodlens.server.problems import Problem
from moodlens.server.schemas import AnalyzeOut, ClassifyOut, ModelsOut

JPEG = {"Content-Type": "image/jpeg"}
KEY = "k" * 20


def is_problem(answer: Any, status: int, reason: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status
    assert reason in said["detail"], said
    assert said["request_id"] == answer.headers["x-request-id"]


def test_a_picture_is_answered_as_the_library_answers(client: TestClient, face: bytes) -> None:
    answer = client.post("/v1/analyze", content=face, headers=JPEG)
    assert answer.status_code == 200
    AnalyzeOut.model_validate(answer.json(), strict=True)
    (result,) = answer.json()["results"]
    expected = Lens(detector="moodlens").analyze(load_image(face), source="picture").to_dict()
    assert result["faces"][0]["emotion"] == expected["faces"][0]["emotion"] == "happy"
    assert result["faces"][0]["box_xyxy"] == expected["faces"][0]["box_xyxy"]
    assert result["faces"][0]["scores"] == pytest.approx(expected["faces"][0]["scores"], abs=1e-3)


def test_several_pictures_keep_their_order_and_a_bad_one_stops_none(
    client: TestClient, face: bytes, nobody: bytes
) -> None:
    parts = [
        ("pictures", ("a.jpg", face, "image/jpeg")),
        ("pictures", ("../b<x>.jpg", b"no picture", "image/jpeg")),
        ("anything", ("c.jpg", nobody, "image/jpeg")),
    ]
    answer = client.post("/v1/analyze", files=parts)
    assert answer.status_code == 200
    first, second, third = answer.json()["results"]
    assert (first["source"], len(first["faces"])) == ("a.jpg", 1)
    assert second["source"] == "../b<x>.jpg"
    assert "not a picture" in second["error"]
    assert (third["faces"], third["error"]) == ([], None)


def test_crops_are_judged_without_looking_for_a_face(client: TestClient) -> None:
    crop = cv2.imencode(".png", np.full((48, 48), 120, np.uint8))[1].tobytes()
    answer = client.post("/v1/classify", files=[("pictures", ("x.png", crop))] * 2)
    found = ClassifyOut.model_validate(answer.json())
    assert len(found.results) == 2
    assert found.results[0].scores is not None
    assert sum(found.results[0].scores.values()) == pytest.approx(1.0, abs=1e-3)
    assert tuple(found.results[0].scores) == EMOTIONS


def test_what_is_no_picture_is_refused_with_the_reason(client: TestClient) -> None:
    post = client.post
    is_problem(post("/v1/analyze", content=b"junk", headers=JPEG), 422, "not a picture")
    is_problem(post("/v1/analyze", content=b"", headers=JPEG), 422, "no picture")
    is_problem(post("/v1/analyze", data={"a": "b"}), 415, "form-urlencoded")
    is_problem(post("/v1/analyze", files={"a": ("x.jpg", b"")}), 422, "no picture")
    wrong = {"Content-Type": "multipart/form-data"}
    is_problem(post("/v1/analyze", content=b"x", headers=wrong), 400, "boundary")
    is_problem(client.get("/v1/nothing"), 404, "Not Found")
    is_problem(client.get("/v1/analyze"), 405, "Method Not Allowed")
    is_problem(client.get("/v1/recommendations/bored"), 422, "emotion")
    is_problem(client.get("/v1/recommendations/sad?language=xx"), 422, "'xx'")
    is_problem(client.get("/v1/recommendations/sad?hour=25"), 422, "hour")


def test_what_is_too_large_is_refused_before_it_is_decoded(client: TestClient) -> None:
    bomb = cv2.imencode(".png", np.zeros((4000, 4000), np.uint8))[1].tobytes()
    assert len(bomb) < 100_000
    is_problem(client.post("/v1/analyze", content=bomb, headers=JPEG), 422, "pixels")
    large = client.post("/v1/analyze", content=b"x" * 1_100_000, headers=JPEG)
    is_problem(large, 413, "1 MB")

    def pieces() -> Any:
        for _ in range(20):
            yield b"x" * 65536

    is_problem(client.post("/v1/analyze", content=pieces(), headers=JPEG), 413, "1 MB")
    many = [("pictures", (f"{i}.jpg", b"x")) for i in range(5)]
    is_problem(client.post("/v1/analyze", files=many), 400, "Too many files")


def test_a_full_queue_refuses_at_once_and_then_works_again(
    client: TestClient, face: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = client.app.state.engine  # type: ignore[attr-defined]
    monkeypatch.setattr(engine, "_depth", 8)
    answer = client.post("/v1/analyze", content=face, headers=JPEG)
    is_problem(answer, 503, "try again")
    assert answer.headers["retry-after"] == "1"
    monkeypatch.setattr(engine, "_depth", 6)
    three = [("pictures", (f"{i}.jpg", face)) for i in range(3)]
    is_problem(client.post("/v1/analyze", files=three), 503, "try again")
    monkeypatch.undo()
    assert client.post("/v1/analyze", content=face, headers=JPEG).status_code == 200
    assert engine.depth == 0


def test_work_that_takes_too_long_is_given_up(face: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ServerSettings(timeout_s=0.05)
    with TestClient(create_app(settings, detector="moodlens")) as client:
        engine = client.app.state.engine  # type: ignore[attr-defined]
        never: Future[Any] = Future()
        monkeypatch.setattr(engine, "analyze", lambda pictures: [never])
        is_problem(client.post("/v1/analyze", content=face, headers=JPEG), 504, "0.05 s")
        assert never.cancelled()


def test_keys_rates_and_origins(tmp_path: Path, face: bytes) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text(f"team:{KEY}\n")
    settings = ServerSettings(keys_file=keys, rate="3/hour", cors=("https://example.org",))
    bearer = {"Authorization": f"Bearer {KEY}"}
    with TestClient(create_app(settings, detector="moodlens")) as client:
        is_problem(client.get("/v1/models"), 401, "API key")
        is_problem(client.post("/v1/analyze", content=face, headers=JPEG), 401, "API key")
        assert client.get("/healthz").status_code == 200
        for _ in range(3):
            assert client.get("/v1/models", headers=bearer).status_code == 200
        answer = client.get("/v1/models", headers=bearer)
        is_problem(answer, 429, "too many requests")
        assert int(answer.headers["retry-after"]) > 100
        asked = {
            "Origin": "https://example.org",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        allowed = client.options("/v1/analyze", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://example.org"
        foreign = client.options("/v1/analyze", headers=asked | {"Origin": "https://other.org"})
        assert "access-control-allow-origin" not in foreign.headers


def test_without_origins_no_page_of_another_site_may_call(client: TestClient) -> None:
    answer = client.get("/healthz", headers={"Origin": "https://example.org"})
    assert "access-control-allow-origin" not in answer.headers


def test_models_recommendations_and_health(client: TestClient) -> None:
    found = ModelsOut.model_validate(client.get("/v1/models").json())
    assert found.model["name"] == "moodlens-default"
    assert {"moodlens-tiny", "yunet"} <= {entry.name for entry in found.known}
    said = client.get("/v1/recommendations/sad?mood=lift&language=hi").json()
    assert said["direction"] == "lift"
    assert {"quote", "activity", "music"} <= set(said)
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_before_it_is_ready_it_says_so() -> None:
    client = TestClient(create_app(ServerSettings()))  # its life has not begun
    is_problem(client.get("/readyz"), 503, "not ready")
    is_problem(client.post("/v1/analyze", content=b"x", headers=JPEG), 503, "not ready")
    assert client.get("/healthz").status_code == 200


def test_metrics_count_what_was_done(client: TestClient, face: bytes) -> None:
    def value(name: str) -> float:
        text = client.get("/metrics").text
        return sum(
            float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)
        )

    names = (
        'moodlens_requests_total{method="POST",route="/v1/analyze",status="200"}',
        "moodlens_faces_total",
        'moodlens_step_seconds_count{step="detect"}',
        "moodlens_batch_faces_count",
    )
    before = [value(name) for name in names]
    client.post("/v1/analyze", content=face, headers=JPEG)
    assert [value(name) - old for name, old in zip(names, before, strict=True)] == [1, 1, 1, 1]


def test_logs_have_ids_and_figures_and_no_content(
    client: TestClient, face: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="moodlens.server"):
        headers = JPEG | {"X-Request-ID": "mine-1"}
        answer = client.post("/v1/analyze", content=face, headers=headers)
        client.get("/healthz", headers={"X-Request-ID": "<script>"})
    assert answer.headers["x-request-id"] == "mine-1"
    first, second = (record for record in caplog.records if record.message == "request")
    told = vars(first)
    assert (told["request_id"], told["status"], told["faces"]) == ("mine-1", 200, 1)
    assert "happy" not in str(told)
    assert "<" not in vars(second)["request_id"]


def test_the_openapi_page_describes_answers_and_problems(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    post = schema["paths"]["/v1/analyze"]["post"]
    assert "multipart/form-data" in post["requestBody"]["content"]
    assert post["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "AnalyzeOut"
    )
    assert "application/problem+json" in post["responses"]["503"]["content"]
    assert "Problem" in schema["components"]["schemas"]


def test_the_openapi_page_has_an_example_of_every_answer(client: TestClient) -> None:
    page = client.get("/openapi.json").json()
    schemas = page["components"]["schemas"]
    for model in (AnalyzeOut, ClassifyOut, ModelsOut):
        (example,) = schemas[model.__name__]["examples"]
        model.model_validate(example)
    for route in page["paths"].values():
        for method in route.values():
            for status, answer in method["responses"].items():
                if status != "200":
                    said = answer["content"]["application/problem+json"]["example"]
                    assert said["status"] == int(status)
                    assert Problem.model_validate(said).detail
    (wished,) = page["paths"]["/v1/recommendations/{emotion}"]["get"]["responses"]["200"][
        "content"
    ].values()
    given = client.get("/v1/recommendations/sad?mood=lift").json()
    assert set(wished["example"]) == set(given)
    for part in ("quote", "activity"):
        assert set(wished["example"][part]) == set(given[part])
    assert set(wished["example"]["music"][0]) == set(given["music"][0])
