"""Reading ahead: the same items in the same order, errors in place, no thread left."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodlens.imaging.ahead import read_ahead


def workers() -> int:
    return sum(thread.name == "moodlens-ahead" for thread in threading.enumerate())


@given(st.lists(st.integers(), max_size=40), st.integers(1, 5))
def test_items_come_in_order(items: list[int], slots: int) -> None:
    with read_ahead(iter(items), slots) as ahead:
        assert list(ahead) == items
    assert workers() == 0


def test_an_error_comes_after_the_items_before_it() -> None:
    def items():  # type: ignore[no-untyped-def]
        yield 1
        yield 2
        raise ValueError("torn")

    with read_ahead(items()) as ahead:
        assert next(ahead) == 1
        assert next(ahead) == 2
        with pytest.raises(ValueError, match="torn"):
            next(ahead)
    assert workers() == 0


def test_leaving_early_stops_the_thread() -> None:
    taken = []

    def endless():  # type: ignore[no-untyped-def]
        n = 0
        while True:
            taken.append(n)
            yield n
            n += 1

    with read_ahead(endless(), slots=3) as ahead:
        assert next(ahead) == 0
    assert workers() == 0
    assert len(taken) <= 6
