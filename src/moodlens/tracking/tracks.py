"""Tracks: who is who from frame to frame."""

from __future__ import annotations

import itertools
import math

from moodlens.tracking.association import match
from moodlens.tracking.boxes import Boxes

Place = tuple[float, float, float, float]
"""Centre x, centre y, width and height in pixels."""

VELOCITY_S = 0.15
"""Time constant with which a track's velocity follows what is seen."""
COAST_S = 0.4
"""A face out of sight is expected to slow down with this time constant."""
NEXT_FRAME_S = 0.2
"""Frames further apart are not one movement: what appears on them is not asked to confirm."""
SLACK_SIZES_PER_S = 1.5
"""How fast the place where a lost face may come back widens, in face sizes."""


class Track:
    """The place and the constant velocity of one face; times on the stream's clock."""

    def __init__(self, track_id: int, box: Place, at_s: float) -> None:
        """`track_id` is 0 until the face is confirmed; `box` is x1, y1, x2, y2 in pixels."""
        self.id = track_id
        self.place = _place(box)
        self.velocity = (0.0, 0.0)
        self.seen_at_s = at_s
        self.hits = 1

    def expected(self, at_s: float) -> Place:
        """The box x1, y1, x2, y2 where the face should be at a time."""
        gap = max(at_s - self.seen_at_s, 0.0)
        ahead = COAST_S * (1.0 - math.exp(-gap / COAST_S))
        x, y, width, height = self.place
        x += self.velocity[0] * ahead
        y += self.velocity[1] * ahead
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2

    def update(self, box: Place, at_s: float) -> None:
        """The face was seen at a box."""
        gap = at_s - self.seen_at_s
        now = _place(box)
        if gap > 0.0:
            # The second frame gives the first velocity; later ones are blended in over time.
            gain = 1.0 if self.hits == 1 else 1.0 - math.exp(-gap / VELOCITY_S)
            self.velocity = (
                self.velocity[0] + gain * ((now[0] - self.place[0]) / gap - self.velocity[0]),
                self.velocity[1] + gain * ((now[1] - self.place[1]) / gap - self.velocity[1]),
            )
        self.place = now
        self.seen_at_s = max(at_s, self.seen_at_s)
        self.hits += 1

    def rescale(self, ratio_x: float, ratio_y: float) -> None:
        """The frame's size changed; keep the face where it was in the picture."""
        x, y, width, height = self.place
        self.place = (x * ratio_x, y * ratio_y, width * ratio_x, height * ratio_y)
        self.velocity = (self.velocity[0] * ratio_x, self.velocity[1] * ratio_y)


class Tracker:
    """Gives every face of a stream a number that stays with it.

    Args:
        lost_track_s: a face gone for longer than this gets a new number.
        confirm: a face that appears beside known ones counts from its second frame on; a cascade's
            chance finds seldom last for two.
    """

    def __init__(self, lost_track_s: float, *, confirm: bool = False) -> None:
        self.lost_track_s = lost_track_s
        self.confirm = confirm
        self.tracks: list[Track] = []
        self._numbers = itertools.count(1)

    def update(self, boxes: Boxes, at_s: float) -> list[int]:
        """The track number of each box on the frame at a time; numbers are never used again.

        Args:
            boxes: (faces, 4) x1, y1, x2, y2 in pixels.
            at_s: not before the frame before.

        Returns:
            A number for each box; 0 for one that is not confirmed yet.
        """
        self.forget(at_s)
        gaps = [at_s - track.seen_at_s for track in self.tracks]
        rows: list[Place] = [tuple(row) for row in boxes.tolist()]
        pairs, fresh = match(
            [track.expected(at_s) for track in self.tracks],
            rows,
            [SLACK_SIZES_PER_S * gap for gap in gaps],
        )
        numbers = [0] * len(rows)
        beside = False
        for index, face in pairs:
            track = self.tracks[index]
            beside = beside or (track.id > 0 and gaps[index] <= NEXT_FRAME_S)
            track.update(rows[face], at_s)
            track.id = numbers[face] = track.id or next(self._numbers)
        waits = self.confirm and beside
        for face in fresh:
            numbers[face] = 0 if waits else next(self._numbers)
            self.tracks.append(Track(numbers[face], rows[face], at_s))
        self.tracks = [t for t in self.tracks if t.id or t.seen_at_s == at_s]
        return numbers

    def forget(self, at_s: float) -> None:
        """Drop the tracks lost for too long."""
        earliest = at_s - self.lost_track_s - 1e-6
        self.tracks = [track for track in self.tracks if track.seen_at_s >= earliest]

    def rescale(self, ratio_x: float, ratio_y: float) -> None:
        """The frame's size changed half-way."""
        for track in self.tracks:
            track.rescale(ratio_x, ratio_y)

    def clear(self) -> None:
        """Forget every track; numbers go on."""
        self.tracks.clear()


def _place(box: Place) -> Place:
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
