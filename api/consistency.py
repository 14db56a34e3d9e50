"""How fresh a read is.

By default linearizable: a (shared) barrier commits first, so the read sees everything that was acknowledged
before it was asked. `?min_index=N` reads your own writes: as soon as this node has applied N, without a
barrier. `?index=N&wait=30s` is a blocking query: it returns once something happened after N, or when the
wait is over; it takes no barrier, since barriers raise the index and two blocking queries would wake each
other for ever. `?consistency=stale` answers at once with what this node knows, and says how old that may
be.
"""

from __future__ import annotations

import time

from api.call import Call
from api.commits import Commits
from api.connection import LOOK_S, happens, leave_if_gone
from api.history import AFTER_ALL
from api.instants import parse_wait_s
from api.ports import NoLeaderError
from api.problems import Problem, query_problem

BARRIER_S = 5.0
BARRIER_WITHOUT_QUORUM_S = 1.0
MIN_INDEX_WAIT_S = 5.0
BLOCKING_WAIT_S = 30.0
INDEX_MOST = 1 << 62


async def settle(call: Call, commits: Commits) -> None:
    """Wait until a read on this node is as fresh as the caller asked; sets the index that the reply may
    claim.
    """
    consistency = call.query.get("consistency")
    if consistency not in (None, "stale", "linearizable"):
        raise query_problem("consistency", f"{consistency[:64]!r} is not stale or linearizable")
    wait_s = parse_wait_s("wait", call.query["wait"]) if "wait" in call.query else None
    known, wanted = (call.integer(name, 0, least=0, most=INDEX_MOST) for name in ("index", "min_index"))
    if "index" in call.query:
        await _until_changed(call, commits, known, BLOCKING_WAIT_S if wait_s is None else wait_s)
    elif "min_index" in call.query:
        await _until_applied(call, wanted, MIN_INDEX_WAIT_S if wait_s is None else wait_s)
    elif consistency == "stale":
        call.is_stale, call.lag_ms = True, call.scheduler.status().commit_lag_ms
    else:
        quorum = call.scheduler.status().quorum
        try:
            await call.scheduler.barrier(timeout_s=BARRIER_S if quorum else BARRIER_WITHOUT_QUORUM_S)
        except NoLeaderError as error:
            raise no_leader(str(error)) from error
    await call.turns.mine()  # a barrier and a commit wake many at once
    call.index = call.scheduler.index


async def _until_applied(call: Call, wanted: int, seconds: float) -> None:
    if call.scheduler.index >= wanted:
        return
    end_s = time.monotonic() + seconds
    while not await call.scheduler.wait_index(wanted, timeout_s=min(LOOK_S, end_s - time.monotonic())):
        leave_if_gone()
        if time.monotonic() < end_s:
            continue
        detail = f"index {wanted} was asked for, this node is at {call.scheduler.index}"
        raise Problem("behind", detail, headers={"Retry-After": "1"})


async def _until_changed(call: Call, commits: Commits, known: int, seconds: float) -> None:
    history = call.scheduler.history
    end_s = time.monotonic() + seconds
    with commits.beyond(known) as following:  # listen first, then look: nothing falls between
        while not commits.closed.is_set():
            if (known, AFTER_ALL) < history.since or known < history.last[0]:
                return
            if not await happens(following, end_s - time.monotonic()):
                return
            following.clear()


def no_leader(detail: str) -> Problem:
    return Problem("no-leader", detail or "no leader answered in time", headers={"Retry-After": "1"})
