"""The pipeline's own promises, with a detector that is told where faces are."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from moodlens.detection.base import Detections, Frame
from moodlens.emotions import EMOTIONS
from moodlens.errors import ImageError
from moodlens.lens import Lens, make_face
from moodlens.tracking import StreamOptions


class Told:
    """A detector that knows the boxes."""

    name = "told"

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        self._boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def detect(self, frame: Frame, *, min_face_px: float = 24.0) -> Detections:
        return Detections(self._boxes.copy(), np.full(len(self._boxes), 0.9, np.float32))

    def crop_squares(self, detections: Detections) -> np.ndarray:
        rows = detections.boxes_xyxy
        sides = rows[:, 2:3] - rows[:, :1]
        return np.concatenate([(rows[:, :2] + rows[:, 2:]) / 2, sides], axis=1)


BOXES = [(40.0 + 110 * i, 60.0, 130.0 + 110 * i, 150.0) for i in range(5)]


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (480, 640, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def lens() -> Lens:
    return Lens(detector=Told(*BOXES))


def test_every_face_has_all_its_parts(lens: Lens) -> None:
    found = lens.analyze(noise())
    assert len(found.faces) == len(BOXES)
    for face in found.faces:
        assert face.emotion == max(face.scores, key=lambda e: face.scores[e])
        assert face.confidence == face.scores[face.emotion]
        assert -1 <= face.valence <= 1
        assert -1 <= face.arousal <= 1
        assert face.quality is not None
        assert face.track_id is None


def test_faces_in_a_batch_are_what_they_are_alone(lens: Lens) -> None:
    image = noise()
    together = {face.box_xyxy: face for face in lens.analyze(image).faces}
    for box in BOXES:
        (alone,) = Lens(detector=Told(box)).analyze(image).faces
        for emotion in EMOTIONS:
            assert together[box].scores[emotion] == pytest.approx(alone.scores[emotion], abs=1e-4)


def test_no_face_is_no_error() -> None:
    assert Lens(detector=Told()).analyze(noise()).faces == ()


def test_the_frame_is_left_as_it_was(lens: Lens) -> None:
    image = noise()
    before = image.copy()
    lens.analyze(image)
    np.testing.assert_array_equal(image, before)


def test_poor_faces_are_uncertain() -> None:
    black = np.zeros((480, 640, 3), np.uint8)
    assert all(face.uncertain for face in Lens(detector=Told(*BOXES)).analyze(black).faces)


def test_min_quality_decides_what_is_poor() -> None:
    image = noise()
    strict = Lens(detector=Told(*BOXES), min_quality=1.01).analyze(image)
    assert all(face.uncertain for face in strict.faces)


def test_many_threads_get_the_answers_of_one(lens: Lens) -> None:
    images = [noise(seed) for seed in range(8)]
    expected = [lens.analyze(image) for image in images]
    wrong: list[int] = []
    start = threading.Barrier(4)

    def work(offset: int) -> None:
        start.wait()
        for k in range(16):
            i = (k + offset) % len(images)
            if lens.analyze(images[i]) != expected[i]:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(2 * t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_streams_on_many_threads_keep_to_themselves(lens: Lens) -> None:
    images = [noise(seed) for seed in range(6)]

    def stream() -> list[object]:
        session = lens.open_session()
        return [session.process(image, i / 30) for i, image in enumerate(images)]

    expected = stream()
    found: dict[int, list[object]] = {}
    threads = [
        threading.Thread(target=lambda t=t: found.__setitem__(t, stream())) for t in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [found.get(t) for t in range(4)] == [expected] * 4


def test_a_stream_of_the_callers_frames(lens: Lens) -> None:
    found = list(lens.stream([noise(), noise()], StreamOptions(smoothing_s=0)))
    assert [a.frame_index for a in found] == [0, 1]
    ids = [{face.track_id for face in a.faces} for a in found]
    assert ids[0] == ids[1] == {1, 2, 3, 4, 5}


def test_a_stream_that_is_closed_early_lets_its_source_go(lens: Lens) -> None:
    released = threading.Event()

    def frames():  # type: ignore[no-untyped-def]
        try:
            while True:
                yield noise()
        finally:
            released.set()

    source = frames()
    stream = lens.stream(source)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    source.close()
    assert released.is_set()


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float64), np.zeros((0, 4, 3), np.uint8)],
)
def test_arrays_that_are_no_picture_are_refused(lens: Lens, image: np.ndarray) -> None:
    with pytest.raises(ImageError, match="expected"):
        lens.analyze(image)


def test_the_shown_label_may_differ_from_the_likeliest() -> None:
    row = np.array([0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1], np.float32)
    face = make_face((0, 0, 9, 9), 1.2, row, threshold=0.45, poor=False, emotion="sad")
    assert face.emotion == "sad"
    assert face.confidence == pytest.approx(0.1)
    assert face.detection_score == 1.0
    assert face.prediction_set[0] == "happy"
    assert face.valence == pytest.approx(float(0.4 * 0.9 + 0.1 * (-0.45 - 0.6 - 0.6 - 0.85 + 0.4)))
