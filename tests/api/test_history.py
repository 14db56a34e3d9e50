"""What a front remembers of its events."""

from __future__ import annotations

from api.history import AFTER_ALL, History, Id
from scheduler.words.events import JobResumed


def history_of(*ids: Id, since: Id = (0, -1), most: int = 50_000) -> History:
    history = History(since, most=most)
    for index, n in ids:
        history.add(1_000, [(index, n, JobResumed(1, "default", f"job-{index}"))])
    return history


def ids_behind(history: History, after: Id, most: int | None = None) -> list[Id] | None:
    found = history.behind(after, most)
    return None if found is None else [entry[:2] for entry in found]


def test_what_is_behind_an_id_comes_in_order_and_as_much_as_was_asked_for() -> None:
    history = history_of((9, 0), (12, 0), (12, 1), (15, 0), since=(7, AFTER_ALL))
    assert history.last == (15, 0)
    assert ids_behind(history, (7, AFTER_ALL)) == [(9, 0), (12, 0), (12, 1), (15, 0)]
    assert ids_behind(history, (12, 0)) == [(12, 1), (15, 0)]
    assert ids_behind(history, (10, 3), 2) == [(12, 0), (12, 1)]
    assert ids_behind(history, (15, 0)) == ids_behind(history, (99, 0)) == []


def test_what_is_forgotten_is_said() -> None:
    history = history_of((9, 0), (12, 0), since=(7, AFTER_ALL))
    assert ids_behind(history, (6, AFTER_ALL)) is None  # a command 7 may have had events
    history.begin((50, AFTER_ALL))
    assert (history.since, history.last) == ((50, AFTER_ALL), (50, AFTER_ALL))
    assert (ids_behind(history, (12, 0)), ids_behind(history, (50, AFTER_ALL))) == (None, [])


def test_what_is_kept_is_bounded() -> None:
    history = history_of(*[(index, 0) for index in range(1, 100)], most=16)
    assert history.since >= (81, 0)
    kept = ids_behind(history, history.since)
    assert kept is not None
    assert 16 <= len(kept) <= 18
    assert kept[-1] == history.last == (99, 0)
    assert ids_behind(history, (history.since[0] - 1, 0)) is None
