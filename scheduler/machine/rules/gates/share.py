"""A member of a task that is divided: so many go at a time (`max_parallel`), one after the other (`stagger`).
The end of another one opens it, or time, or its agent that comes back (`steps.spreading`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, Share, TaskView
from scheduler.words.counted import counted

NAME = "share"
WAITS = Waits("other members have their turn")


def judge(view: TaskView) -> Verdict:
    share = view.share
    if share is None or share.had_turn:
        return READY
    return WAITS if share.away or _is_full(share) or share.open_ms > share.now_ms else READY


def waits_for_time(view: TaskView) -> bool:
    """Whether nothing but time keeps it from its turn, of these."""
    share = view.share
    return share is not None and share.open_ms > share.now_ms and not _is_full(share)


def _is_full(share: Share) -> bool:
    return bool(share.parallel_max) and share.going >= share.parallel_max


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    share = view.share
    assert share is not None
    if share.away:
        return Words(f"{share.away} is not connected, and takes no turn of others", f"{share.away} connects")
    if _is_full(share):
        going = counted(share.going, f"member of {share.name} goes", f"members of {share.name} go")
        said = f"{going}, {share.parallel_max} may at a time"
        return Words(said, "the end of one of them")
    return Words(f"members of {share.name} go one after the other (stagger)", "its turn", None, share.open_ms)
