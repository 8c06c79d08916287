"""What every face detector is and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""(height, width, 3) uint8, channels blue, green, red."""
MIRRORED = np.array([1, 0, 2, 4, 3])
"""The order of the five landmarks on the mirror image: left and right change places."""


@dataclass(frozen=True, slots=True)
class Detections:
    """The faces on one frame, the best first.

    Attributes:
        boxes_xyxy: (n, 4) float32 in source pixels; may reach over the frame's border.
        scores: (n,) float32 in [0, 1].
        landmarks: (n, 5, 2) float32, or None: eyes, nose tip, mouth corners, each pair with the
            one further left in the picture first.
    """

    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None = None

    @classmethod
    def empty(cls) -> Detections:
        """No face."""
        return cls(np.zeros((0, 4), np.float32), np.zeros((0,), np.float32))

    def __post_init__(self) -> None:
        n = len(self.boxes_xyxy)
        if self.boxes_xyxy.shape != (n, 4) or self.scores.shape != (n,):
            raise ValueError(
                f"boxes must be (n, 4) and scores (n,), not {self.boxes_xyxy.shape} "
                f"and {self.scores.shape}"
            )
        if self.landmarks is not None and self.landmarks.shape != (n, 5, 2):
            raise ValueError(f"landmarks must be ({n}, 5, 2), not {self.landmarks.shape}")

    def __len__(self) -> int:
        return len(self.boxes_xyxy)

    def select(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Detections:
        """The faces that an index array or mask chooses."""
        return Detections(
            self.boxes_xyxy[chosen],
            self.scores[chosen],
            None if self.landmarks is None else self.landmarks[chosen],
        )


@runtime_checkable
class Detector(Protocol):
    """Finds faces. An instance may be shared by many threads."""

    @property
    def name(self) -> str:
        """As `--detector` names it."""
        ...

    def detect(self, frame: Frame, *, min_face_px: float = 24.0) -> Detections:
        """All faces whose shorter side is about `min_face_px` source pixels or more."""
        ...

    def crop_squares(self, detections: Detections) -> NDArray[np.float32]:
        """(n, 3) float32: centre x, centre y and side of the square that frames each face as
        the network's training pictures do, in source pixels."""
        ...
