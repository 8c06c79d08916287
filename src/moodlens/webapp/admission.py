"""How many live viewers the machine takes, so that each keeps their rate."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

SILENT_S = 12.0
"""A seat whose viewer has sent no frame for so long is free: a closed tab can't hold it."""


class Seat:
    """One viewer's place. `beat` on every frame keeps it; `leave` gives it back."""

    def __init__(self, house: Admission, number: int) -> None:
        self._house = house
        self._number = number

    def beat(self) -> bool:
        """The viewer is there; False when the seat was lost to another meanwhile."""
        return self._house.beat(self._number)

    @property
    def held(self) -> bool:
        """Whether the place is still this viewer's: not given back, and not silent for too long."""
        return self._house.holds(self._number)

    def leave(self) -> None:
        """Give the seat back; again does nothing."""
        self._house.leave(self._number)


class Admission:
    """A bounded number of seats; safe to share between threads."""

    def __init__(self, capacity: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`capacity`: seats, 1 or more. `clock`: seconds, for tests."""
        self.capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._seen: dict[int, float] = {}

    @property
    def taken(self) -> int:
        """Seats in use now."""
        with self._lock:
            self._clear_out()
            return len(self._seen)

    @property
    def full(self) -> bool:
        """Whether a new viewer would be turned away."""
        return self.taken >= self.capacity

    def take(self) -> Seat | None:
        """A seat, or None when all are in use."""
        with self._lock:
            self._clear_out()
            if len(self._seen) >= self.capacity:
                return None
            number = next(self._numbers)
            self._seen[number] = self._clock()
            return Seat(self, number)

    def beat(self, number: int) -> bool:
        """See `Seat.beat`; a seat that nobody took meanwhile is taken again."""
        with self._lock:
            if number not in self._seen:
                self._clear_out()
                if len(self._seen) >= self.capacity:
                    return False
            self._seen[number] = self._clock()
            return True

    def holds(self, number: int) -> bool:
        """See `Seat.held`."""
        with self._lock:
            self._clear_out()
            return number in self._seen

    def leave(self, number: int) -> None:
        """See `Seat.leave`."""
        with self._lock:
            self._seen.pop(number, None)

    def _clear_out(self) -> None:
        oldest = self._clock() - SILENT_S
        self._seen = {number: at for number, at in self._seen.items() if at >= oldest}
