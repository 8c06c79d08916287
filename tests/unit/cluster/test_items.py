"""Chunks: same inputs, same names; nothing lost, nothing twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moodlens.cluster.items import Chunk, Item, plan

names = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=40)


@given(names, st.integers(1, 9), st.randoms())
def test_a_plan_holds_every_item_once_whatever_their_order(names, size, random) -> None:
    items = [Item(n, "1", "video" if len(n) == 3 else "picture") for n in names]
    chunks = plan(items, size)
    assert sorted(i.source for c in chunks for i in c.items) == sorted(names)
    assert all(len(c.items) <= size for c in chunks)
    random.shuffle(items)
    assert plan(items, size) == chunks
    assert len({c.name for c in chunks}) == len(chunks)


def test_a_video_is_a_chunk_by_itself_and_comes_first() -> None:
    chunks = plan([Item("a", "1"), Item("b", "1"), Item("z", "1", "video")], 10)
    assert [[i.source for i in c.items] for c in chunks] == [["z"], ["a", "b"]]


def test_a_changed_input_gives_another_name() -> None:
    assert Chunk((Item("a", "1"),)).name != Chunk((Item("a", "2"),)).name
    assert Chunk((Item("a", "1"),)).name == Chunk((Item("a", "1"),)).name


@given(st.integers(1, 300))
def test_splitting_ends_at_single_items(n: int) -> None:
    chunk = Chunk(tuple(Item(f"{i:04}", "1") for i in range(n)))
    rounds = 0
    chunks = [chunk]
    while any(len(c.items) > 1 for c in chunks):
        chunks = [piece for c in chunks for piece in c.split()]
        rounds += 1
    assert [i for c in chunks for i in c.items] == list(chunk.items)
    assert rounds <= 3
