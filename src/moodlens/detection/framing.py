"""How much of the picture around a detector's box the network's training pictures show.

Measured on FER2013's training pictures, enlarged four times: YuNet's box there is 0.775 of the
picture's side wide and 1.02 high, Haar's is 0.98, both centred.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from moodlens.detection.base import Detections

# By the medians it would be 1.29 and 0.98; a square tighter by 8 % measures better, as boxes are
# never exact and what lies around a face confuses more than its rim tells (docs/crop-geometry.md).
YUNET_SIDES_OF_WIDTH = 1.19
YUNET_SIDES_OF_HEIGHT = 0.90


def squares_from_boxes(
    detections: Detections, of_width: float, of_height: float
) -> NDArray[np.float32]:
    """(n, 3) centre x, centre y, side: the mean of what width and height each ask for."""
    boxes = detections.boxes_xyxy
    size = boxes[:, 2:] - boxes[:, :2]
    center = (boxes[:, 2:] + boxes[:, :2]) / 2
    side = (size[:, :1] * of_width + size[:, 1:] * of_height) / 2
    return np.concatenate([center, side], axis=1).astype(np.float32)
