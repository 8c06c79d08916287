"""The floor of a frame's time: the bare network calls that it makes, and nothing around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from moodlens.lens import Lens

Call = Callable[[], Any]


@dataclass
class Floor:
    """The network calls of a lens as it makes them: same networks, same inputs.

    Attributes:
        lens: analyses a frame once for `learn`; use it for nothing else.
        recorders: in the order of their calls: detector, then classifier.
    """

    lens: Lens
    recorders: list[_Recorder]
    _learnt: tuple[Call | None, Call] | None = None
    _faces: int = 0

    def learn(self, frame: Any) -> tuple[Call | None, Call]:
        """The calls made for a frame: of the detector (None for one without a network) and of
        the classifier. Where no face is found, the classifier's is that of one blank face."""
        for recorder in self.recorders:
            recorder.calls.clear()
        self.lens.analyze(frame)
        if not self.recorders[-1].calls:
            side = self.lens.classifier.input_side
            self.lens.classifier.classify(np.zeros((1, side, side), np.uint8))
        calls = [recorder.replay() for recorder in self.recorders]
        return (calls[0] if len(calls) == 2 else None), calls[-1]

    def replay_frame(self, frame: Any) -> int:
        """Make the calls of the first frame given again; how many faces it had."""
        if self._learnt is None:
            self._faces = len(self.lens.analyze(frame).faces)
            self._learnt = self.learn(frame)
        detect, classify = self._learnt
        if detect is not None:
            detect()
        classify()
        return self._faces


def record_calls(lens: Lens) -> Floor:
    """Put recorders in front of a lens's networks."""
    recorders = []
    for part in (lens.detector, lens.classifier):
        session = getattr(part, "_session", None)
        if session is not None:
            recorder = _Recorder(session)
            part._session = recorder  # type: ignore[union-attr]
            recorders.append(recorder)
    return Floor(lens, recorders)


class _Recorder:
    """Stands in for an ONNX Runtime session and keeps what it was called with."""

    def __init__(self, session: Any) -> None:
        self._inner = session
        self.calls: list[tuple[Any, Any]] = []

    def run(self, outputs: Any, inputs: Any) -> Any:
        self.calls.append((outputs, inputs))
        return self._inner.run(outputs, inputs)

    def replay(self) -> Call:
        """A function that makes the kept calls again."""
        calls, run = tuple(self.calls), self._inner.run

        def again() -> None:
            for outputs, inputs in calls:
                run(outputs, inputs)

        return again
