"""When the leader makes an entry of what waits, under a clock that the test turns."""

from __future__ import annotations

from cluster.batcher import BATCH_BYTES, BATCH_WAIT_S, GATHER_S, Batcher


def test_what_hurries_leaves_at_once_while_nothing_is_in_flight() -> None:
    batcher = Batcher(1 << 20)
    assert batcher.due_in_s(1.0, idle=True) is None
    batcher.add(b"one", 0.0)
    assert batcher.due_in_s(0.0, idle=True) == 0.0
    assert batcher.due_in_s(0.0, idle=False) == BATCH_WAIT_S


def test_what_can_wait_gathers_with_others_and_leaves_with_what_cannot() -> None:
    batcher = Batcher(1 << 20)
    batcher.add(b"one", 0.0, can_wait=True)
    assert batcher.due_in_s(0.0, idle=True) == GATHER_S
    batcher.add(b"two", 0.002, can_wait=True)
    assert batcher.due_in_s(GATHER_S, idle=True) == 0.0, "the first waits no longer for the second"
    batcher.add(b"three", 0.003)
    assert batcher.due_in_s(0.003, idle=True) == 0.0
    assert batcher.take() == [b"one", b"two", b"three"]

    batcher.add(b"four", 0.0, can_wait=True)
    assert batcher.due_in_s(0.0, idle=True) == GATHER_S, "what hurried has left"
    batcher.add(b"x" * BATCH_BYTES, 0.0, can_wait=True)
    assert batcher.due_in_s(0.0, idle=True) == 0.0
